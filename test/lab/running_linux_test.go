package lab

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/camd-project/camd/pkg/proto"
)

// running is a camctl of the host, whose lines of JSON are T, until the test ends.
type running[T any] struct {
	t        *testing.T
	cmd      *exec.Cmd
	problems bytes.Buffer
	lines    chan T
	close    func() // interrupts it, and waits until it has ended
}

// follow starts a camctl.
func follow[T any](h *household, args ...string) *running[T] {
	h.t.Helper()
	w := &running[T]{t: h.t, cmd: h.camctl(args...), lines: make(chan T)}
	w.cmd.Stderr = &w.problems
	out, err := w.cmd.StdoutPipe()
	must(h.t, err)
	h.net.Do(func() { err = w.cmd.Start() })
	must(h.t, err)
	ended := make(chan struct{})
	go func() {
		defer close(w.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			var line T
			if json.Unmarshal(s.Bytes(), &line) != nil {
				continue
			}
			select {
			case w.lines <- line:
			case <-ended:
			}
		}
	}()
	w.close = sync.OnceFunc(func() {
		close(ended)
		_ = w.cmd.Process.Signal(os.Interrupt) // it may have ended
		_ = w.cmd.Wait()                       // an interrupted camctl fails
	})
	h.t.Cleanup(w.close)
	return w
}

// until reads lines until ok says so.
func (w *running[T]) until(what string, ok func(T) bool) T {
	w.t.Helper()
	ctx := patient(w.t)
	var last T
	for {
		select {
		case line, open := <-w.lines:
			if !open {
				w.close()
				w.t.Fatalf("camctl ended before %s: %s", what, &w.problems)
			}
			if last = line; ok(line) {
				return line
			}
		case <-ctx.Done():
			w.close()
			w.t.Fatalf("waited in vain until %s; last: %+v %s", what, last, &w.problems)
		}
	}
}

// ended waits until the camera ends the session, and checks that it says why.
func (w *running[T]) ended(why proto.Code) {
	w.t.Helper()
	w.endedSaying(why.Sentence())
}

// endedSaying is ended for an end that is no right's.
func (w *running[T]) endedSaying(why string) {
	w.t.Helper()
	if got := w.over(); !strings.Contains(got, why) {
		w.t.Errorf("a session ended with %q, want %q", got, why)
	}
}

// over waits until the camera ends it, and gives what camctl says of that.
func (w *running[T]) over() string {
	w.t.Helper()
	ctx := patient(w.t)
	for open := true; open; {
		select {
		case _, open = <-w.lines:
		case <-ctx.Done():
			w.t.Fatal("waited in vain for the end of a session")
		}
	}
	w.close()
	return w.problems.String()
}
