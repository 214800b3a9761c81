package logging

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// stalled is a reader that takes nothing until it is told to.
type stalled struct {
	goOn chan struct{}
	mu   sync.Mutex
	got  bytes.Buffer
}

func (s *stalled) Write(p []byte) (int, error) {
	<-s.goOn
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got.Write(p)
}

func (s *stalled) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got.String()
}

// Whoever logs never waits for whoever reads; what was dropped is counted in one line.
func TestAReaderThatStallsHoldsNobodyUp(t *testing.T) {
	const lines = 3 * queueLines
	out := &stalled{goOn: make(chan struct{})}
	l := New(out)
	logged := make(chan struct{})
	go func() {
		defer close(logged)
		for i := range lines {
			l.Logger().Info("line", "number", i)
		}
		l.Close(0)
	}()
	select {
	case <-logged:
	case <-time.After(30 * time.Second):
		t.Fatal("whoever logs waits for whoever reads")
	}
	close(out.goOn)
	l.Close(time.Minute)
	text := out.String()
	written := strings.Count(text, "msg=line")
	if want := fmt.Sprintf("lines=%d\n", lines-written); written < queueLines || written > queueLines+1 || !strings.HasSuffix(text, want) {
		t.Errorf("%d of %d lines were written; the last is %q", written, lines, text[strings.LastIndex(text[:len(text)-1], "\n")+1:])
	}
	if n := strings.Count(text, "log lines dropped"); n != 1 {
		t.Errorf("%d lines tell of what was dropped", n)
	}
}

func TestAReaderThatComesBack(t *testing.T) {
	out := &stalled{goOn: make(chan struct{})}
	l := New(out)
	for range 2 * queueLines {
		l.Logger().Info("lost")
	}
	close(out.goOn)
	l.Logger().Info("after") // may be dropped as well
	for !strings.Contains(out.String(), "log lines dropped") {
		l.Logger().Info("more")
		time.Sleep(time.Millisecond)
	}
	l.Logger().Info("at last")
	l.Close(time.Minute)
	if !strings.HasSuffix(out.String(), "msg=\"at last\"\n") {
		t.Errorf("%q", out.String())
	}
}

type gone struct{}

func (gone) Write([]byte) (int, error) { return 0, syscall.EPIPE }

func TestAReaderThatHasGone(t *testing.T) {
	l := New(gone{})
	for range 3 * queueLines {
		if _, err := l.Write([]byte("line\n")); err != nil {
			t.Fatal(err)
		}
	}
	l.Close(time.Minute)
}

func TestCloseWaitsForABoundedTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &stalled{goOn: make(chan struct{})}
		l := New(out)
		l.Logger().Info("never read")
		begin := time.Now()
		l.Close(2 * time.Second)
		if took := time.Since(begin); took != 2*time.Second {
			t.Errorf("it waits %v", took)
		}
		_, _ = l.Write([]byte("too late\n")) // and no panic
		close(out.goOn)
		l.Close(time.Second)
	})
}

func TestLevel(t *testing.T) {
	var out bytes.Buffer
	l := New(&out)
	l.Logger().Debug("no")
	for _, level := range []string{"debug", "info", "warn", "error"} {
		if err := l.SetLevel(level); err != nil {
			t.Error(err)
		}
		l.Logger().Debug("debug at " + level)
		l.Logger().Info("info at " + level)
		l.Logger().Warn("warn at " + level)
		l.Logger().Error("error at " + level)
	}
	if err := l.SetLevel("loud\x1b"); err == nil || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("%v", err)
	}
	l.Close(time.Minute)
	if n := strings.Count(out.String(), "\n"); n != 4+3+2+1 {
		t.Errorf("%d lines:\n%s", n, out.String())
	}
}

// What others wrote stays in its line, acts on nothing, and has an end.
func TestForeignTextInALine(t *testing.T) {
	const evil = "x\x1b[31m\u009b\r\n\u202e\u2028\xffy"
	var out bytes.Buffer
	l := New(&out)
	long := strings.Repeat("\x1b", 50_000)
	l.Logger().Info(evil, "name", evil, "error", errors.New(evil), "list", []string{evil}, "long", long, "longer", errors.New(long))
	l.Close(time.Minute)
	text := out.String()
	if strings.Count(text, "\n") != 1 || strings.ContainsAny(text, "\x1b\u009b\r\u202e\u2028") || len(text) > 4<<10 {
		t.Errorf("%d bytes: %q", len(text), text)
	}
}

func TestRecentAndFollow(t *testing.T) {
	l := New(io.Discard)
	defer l.Close(time.Minute)
	for i := range 2 * recentLines {
		_, _ = fmt.Fprintf(l, "line %d\n", i)
	}
	var recent bytes.Buffer
	if err := l.Recent(&recent); err != nil {
		t.Fatal(err)
	}
	if text := recent.String(); strings.Count(text, "\n") != recentLines || !strings.HasSuffix(text, fmt.Sprintf("line %d\n", 2*recentLines-1)) {
		t.Errorf("%q", text)
	}
	synctest.Test(t, func(t *testing.T) {
		l := New(io.Discard)
		_, _ = l.Write([]byte("one\n"))
		ctx, cancel := context.WithCancel(t.Context())
		var got bytes.Buffer
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := l.Follow(ctx, &got); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		_, _ = l.Write([]byte(strings.Repeat("x", 2*maxLine)))
		synctest.Wait()
		cancel()
		wg.Wait()
		_, _ = l.Write([]byte("two\n"))
		l.Close(time.Second)
		if want := "one\n" + strings.Repeat("x", maxLine-1) + "\n"; got.String() != want || len(l.followers) != 0 {
			t.Errorf("%q, %d followers", got.String(), len(l.followers))
		}
	})
}
