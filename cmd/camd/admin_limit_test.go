package main

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/auth/pairing"
)

// crowded is a household whose pairings hang until the test ends.
type crowded struct {
	household
	joins chan struct{}
}

func (h crowded) SetPrivacy(bool) error { return nil }

func (h crowded) Join(ctx context.Context, _ pairing.Conn) error {
	h.joins <- struct{}{}
	<-ctx.Done()
	return ctx.Err()
}

type quietButton struct{}

func (quietButton) Accept() bool  { return true }
func (quietButton) EndTalk() bool { return true }
func (quietButton) Block() bool   { return true }

// serveCrowd serves a socket; the function that it returns connects to it.
func serveCrowd(t *testing.T) (connect func(line string) *bufio.Reader, joins chan struct{}) {
	t.Helper()
	joins = make(chan struct{})
	a := &admin{path: filepath.Join(t.TempDir(), "s"), log: slog.New(slog.DiscardHandler),
		household: crowded{joins: joins}, talk: quietButton{}}
	ctx, cancel := context.WithCancel(t.Context())
	ready, served := make(chan struct{}), make(chan error, 1)
	go func() { served <- a.Run(ctx, func() { close(ready) }) }()
	<-ready
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return func(line string) *bufio.Reader {
		t.Helper()
		c, err := net.Dial("unix", a.path)
		if err == nil {
			_, err = fmt.Fprint(c, line)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return bufio.NewReader(c)
	}, joins
}

// urgent commands, and how the answer to each begins.
var urgent = map[string]string{
	`{"cmd":"privacy","on":true}`:     `{"ok":true}`,
	`{"cmd":"talk","press":"end"}`:    `{"ok":true}`,
	`{"cmd":"evict"}`:                 `{"ok":true,"seconds":10}`,
	`{"cmd":"reset"}`:                 `{"ok":true,"seconds":10}`,
	`{"cmd":"talk","press":"accept"}`: `{"ok":true}`,
}

// Connections that say nothing, or half a line, keep nobody out: they go when another
// one comes, the oldest first.
func TestIdleConnectionsMakeWay(t *testing.T) {
	connect, _ := serveCrowd(t)
	var idle []*bufio.Reader
	for i := range 3 * adminIdle {
		idle = append(idle, connect([]string{"", `{"cmd":`}[i%2]))
	}
	for line, want := range urgent {
		if got, err := connect(line + "\n").ReadString('\n'); err != nil || strings.TrimSpace(got) != want {
			t.Errorf("%s: %q, %v", line, got, err)
		}
	}
	if got, err := idle[0].ReadString('\n'); err != nil || !strings.Contains(got, "busy with other local connections") {
		t.Errorf("the oldest one reads %q, %v", got, err)
	}
}

// Nor does what others are having done: each command has a limit of its own.
func TestEachCommandHasPlaces(t *testing.T) {
	connect, joins := serveCrowd(t)
	for range adminEach {
		connect(`{"cmd":"join"}` + "\n")
		<-joins
	}
	if got, err := connect(`{"cmd":"join"}` + "\n").ReadString('\n'); err != nil || !strings.Contains(got, "busy with other local connections") {
		t.Errorf("one join too many reads %q, %v", got, err)
	}
	for line, want := range urgent {
		if got, err := connect(line + "\n").ReadString('\n'); err != nil || strings.TrimSpace(got) != want {
			t.Errorf("%s: %q, %v", line, got, err)
		}
	}
}

// A place is given back.
func TestPlacesAreGivenBack(t *testing.T) {
	var p connLimit
	for range 100 {
		c, _ := net.Pipe()
		if p.add(c) != nil || !p.begin(c, "join") {
			t.Fatal("no place")
		}
		if p.begin(c, "join") {
			t.Fatal("one that had to go is served")
		}
		p.end("join")
		p.add(c)
		p.remove(c)
	}
	if len(p.idle) != 0 || len(p.busy) != 0 {
		t.Errorf("left: %d, %v", len(p.idle), p.busy)
	}
}
