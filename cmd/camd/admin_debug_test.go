package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/camd-project/camd/pkg/foreign"
	"github.com/camd-project/camd/pkg/logging"
)

// look asks for something and returns all that comes.
func look(t *testing.T, i *debugServer, q adminRequest) (answer, shown string) {
	t.Helper()
	here, there := net.Pipe()
	go func() {
		defer there.Close() //nolint:errcheck // nothing to lose
		i.serve(t.Context(), there, q)
	}()
	defer here.Close() //nolint:errcheck // nothing to lose
	_ = here.SetDeadline(time.Now().Add(time.Minute))
	r := bufio.NewReader(here)
	answer, err := r.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(rest)
}

func newInsight(t *testing.T, uid int, err error) *debugServer {
	t.Helper()
	l := logging.New(io.Discard)
	t.Cleanup(func() { l.Close(time.Minute) })
	return &debugServer{log: l, level: "info", uid: func(net.Conn) (int, error) { return uid, err }}
}

// Who is in the group camd may decide about the household, and not look into memory.
func TestDebugIsForRootOnly(t *testing.T) {
	for name, c := range map[string]struct {
		uid  int
		err  error
		show bool
	}{
		"root":            {0, nil, true},
		"the group":       {1000, nil, false},
		"nobody":          {65534, nil, false},
		"nobody can tell": {0, errors.New("no credentials"), false},
	} {
		for _, what := range []string{"log", "goroutines", "heap"} {
			answer, shown := look(t, newInsight(t, c.uid, c.err), adminRequest{Cmd: "debug", What: what})
			if strings.Contains(answer, `"ok":true`) != c.show || !c.show && (shown != "" || !strings.Contains(answer, "for root only")) {
				t.Errorf("%s, %s: %q and %d bytes", name, what, answer, len(shown))
			}
		}
	}
}

func TestPeerUIDIsWhoConnected(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // nothing to lose
	c, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // nothing to lose
	there, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close() //nolint:errcheck // nothing to lose
	if uid, err := peerUID(there); err != nil || uid != os.Getuid() {
		t.Errorf("user %d, %v", uid, err)
	}
	if _, err := peerUID(nil); err == nil {
		t.Error("what is no Unix socket has a user")
	}
}

func TestWhatDebugShows(t *testing.T) {
	i := newInsight(t, 0, nil)
	i.log.Logger().Info("before")
	for _, c := range []struct {
		q            adminRequest
		answer, show string
	}{
		{adminRequest{What: "log"}, `"ok":true`, "msg=before"},
		{adminRequest{What: "goroutines"}, `"ok":true`, "TestWhatDebugShows"},
		{adminRequest{What: "heap"}, `"ok":true`, "\x1f\x8b"},
		{adminRequest{What: "cpu", Seconds: 61}, "1 to 60 seconds", ""},
		{adminRequest{What: "log", Level: "loud"}, "debug, info, warn or error", ""},
		{adminRequest{What: "keys"}, "log, goroutines, heap or cpu", ""},
	} {
		if answer, shown := look(t, i, c.q); !strings.Contains(answer, c.answer) || !strings.Contains(shown, c.show) {
			t.Errorf("%+v: %q and %.100q", c.q, answer, shown)
		}
	}
}

// A level holds while somebody follows, and only one does.
func TestDebugFollowsTheLog(t *testing.T) {
	i := newInsight(t, 0, nil)
	here, there := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer there.Close() //nolint:errcheck // nothing to lose
		i.serve(t.Context(), there, adminRequest{What: "log", Level: "debug"})
	}()
	_ = here.SetDeadline(time.Now().Add(time.Minute))
	r := bufio.NewReader(here)
	if line, err := r.ReadString('\n'); err != nil || !strings.Contains(line, `"ok":true`) {
		t.Fatalf("%q, %v", line, err)
	}
	if answer, _ := look(t, i, adminRequest{What: "heap"}); !strings.Contains(answer, "another camd debug") {
		t.Errorf("a second one: %q", answer)
	}
	i.log.Logger().Debug("seen") // now or as one of the last lines
	if line, err := r.ReadString('\n'); err != nil || !strings.Contains(line, "msg=seen") {
		t.Errorf("%q, %v", line, err)
	}
	_ = here.Close()
	<-done
	i.log.Logger().Debug("not seen")
	var recent bytes.Buffer
	if err := i.log.Recent(&recent); err != nil || strings.Contains(recent.String(), "not seen") {
		t.Errorf("afterwards: %q, %v", recent.String(), err)
	}
}

// What is shown may come in pieces of any size; a name stays readable all the same.
func TestDebugShowsWholeCharacters(t *testing.T) {
	text := strings.Repeat("Küche … 浴室\n", 1000) + "Büro"
	var out strings.Builder
	if err := copyLines(foreign.Screen(&out), bufio.NewReader(iotest.OneByteReader(strings.NewReader(text)))); err != nil || out.String() != text {
		t.Errorf("%d bytes of %d, %v", out.Len(), len(text), err)
	}
	if err := copyLines(&out, bufio.NewReader(iotest.TimeoutReader(strings.NewReader(text)))); !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("a connection that breaks: %v", err)
	}
}
