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

// second is a line of camctl watch.
type second struct {
	Kind        string
	Width       int
	Height      int
	FPS         float64
	Frames      uint64
	AudioFrames uint64  `json:"audio_frames"`
	FirstFrame  float64 `json:"first_frame_ms"`
}

// watcher is a member who watches until the test ends.
type watcher struct {
	t        *testing.T
	cmd      *exec.Cmd
	problems bytes.Buffer
	lines    chan second
	close    func() // says bye, and waits until it is said
}

// watch begins to watch.
func (h *household) watch() *watcher {
	h.t.Helper()
	w := &watcher{t: h.t, cmd: h.camctl("watch"), lines: make(chan second)}
	w.cmd.Stderr = &w.problems
	out, err := w.cmd.StdoutPipe()
	must(h.t, err)
	h.net.Do(func() { err = w.cmd.Start() })
	must(h.t, err)
	ended := make(chan struct{})
	go func() {
		defer close(w.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			var line second
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
func (w *watcher) until(what string, ok func(second) bool) second {
	w.t.Helper()
	ctx := patient(w.t)
	var last second
	for {
		select {
		case line, open := <-w.lines:
			if !open {
				w.close()
				w.t.Fatalf("the session ended before %s: %s", what, &w.problems)
			}
			if last = line; ok(line) {
				return line
			}
		case <-ctx.Done():
			w.t.Fatalf("waited in vain until %s; last: %+v", what, last)
		}
	}
}

// more waits for n more pictures than before.
func (w *watcher) more(before second, n uint64) second {
	w.t.Helper()
	return w.until("more pictures come", func(s second) bool { return s.Frames >= before.Frames+n })
}

// ended waits until the camera ends the session, and checks that it says why.
func (w *watcher) ended(why proto.Code) {
	w.t.Helper()
	w.endedSaying(why.Sentence())
}

// endedSaying is ended for an end that is no right's.
func (w *watcher) endedSaying(why string) {
	w.t.Helper()
	ctx := patient(w.t)
	for open := true; open; {
		select {
		case _, open = <-w.lines:
		case <-ctx.Done():
			w.t.Fatalf("waited in vain for the end of a session: %s", why)
		}
	}
	w.close()
	if got := w.problems.String(); !strings.Contains(got, why) {
		w.t.Errorf("a session ended with %q, want %q", got, why)
	}
}
