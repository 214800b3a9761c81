package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/internal/pki"
	"github.com/camd-project/camd/pkg/proto"
)

// served is a server without a camera behind it.
func served(t *testing.T) *server {
	t.Helper()
	env := &environment{Output: command.Output{Out: io.Discard, ErrOut: io.Discard}, ctx: t.Context(), log: slog.New(slog.DiscardHandler)}
	d := &demo{env: env, dir: t.TempDir()}
	var err error
	if d.ca, err = pki.NewCA("test"); err != nil {
		t.Fatal(err)
	}
	if err := d.startBroker(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.broker.Close() })
	return newServer(d, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8088})
}

var client43 = strings.Repeat("A", 43)

func TestOnlyTheDemosOwnPagesAreServed(t *testing.T) {
	s := served(t)
	own := map[string]string{"Origin": "http://" + s.page, "Sec-Fetch-Site": "same-origin"}
	login := "/login?client=" + client43
	for _, c := range []struct {
		name, method, path, host string
		header                   map[string]string
		want                     int
	}{
		{"the page", "GET", "/", s.page, nil, 200},
		{"the page by a link from elsewhere", "GET", "/", s.page, map[string]string{"Sec-Fetch-Site": "cross-site"}, 200},
		{"its script", "GET", "/app.js", s.page, own, 200},
		{"what it is told", "GET", "/config.json", s.page, own, 200},
		{"its login", "GET", login, s.page, own, 200},
		{"no login for nobody", "GET", "/login?client=anna", s.page, own, 400},
		{"the broker, without a WebSocket", "GET", "/broker", s.page, own, 400},
		{"the pairing, without a WebSocket", "GET", "/pair", s.page, own, 400},
		{"the room", "GET", "/", s.room, nil, 200},
		{"its script", "GET", "/room.js", s.room, nil, 200},
		{"its button", "POST", "/ring", s.room, map[string]string{"Origin": "http://" + s.room}, 409}, // there is no camera
		{"a button that there is not", "POST", "/evict", s.room, nil, 404},
		{"the room has no login", "GET", login, s.room, nil, 404},
		{"the page has no buttons", "POST", "/ring", s.page, own, 405},
		{"this machine without a name", "GET", "/", "127.0.0.1:8088", nil, 404},
		{"localhost alone", "GET", "/", "localhost:8088", nil, 404},
		{"another demo", "GET", "/", served(t).page, nil, 404},
		{"another port", "GET", "/", strings.Replace(s.page, "8088", "9999", 1), nil, 404},
		{"its login, for another page", "GET", login, s.page, map[string]string{"Sec-Fetch-Site": "same-site"}, 403},
		{"its login, for another origin", "GET", login, s.page, map[string]string{"Origin": "http://127.0.0.1:9999"}, 403},
		{"its login, for no origin", "GET", login, s.page, map[string]string{"Origin": "null"}, 403},
		{"the pairing, for another page", "GET", "/pair", s.page, map[string]string{"Origin": "http://" + s.room}, 403},
		{"a button, for another page", "POST", "/ring", s.room, map[string]string{"Origin": "http://" + s.page}, 403},
		{"what there is none of", "GET", "/web.go", s.page, own, 404},
	} {
		r := httptest.NewRequestWithContext(t.Context(), c.method, c.path, nil)
		r.Host, r.RemoteAddr = c.host, "127.0.0.1:5000"
		for k, v := range c.header {
			r.Header.Set(k, v)
		}
		w := httptest.NewRecorder()
		s.handler().ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s: %d %s, want %d", c.name, w.Code, w.Body, c.want)
		}
		if body := w.Body.String(); c.want != 200 && (strings.Contains(body, s.page) || strings.Contains(body, s.room)) {
			t.Errorf("%s: an address is told", c.name)
		}
	}
}

func TestThePageMayConnectToItsOwnBroker(t *testing.T) {
	s := served(t)
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
	r.Host = s.page
	w := httptest.NewRecorder()
	s.handler().ServeHTTP(w, r)
	if p := w.Header().Get("Content-Security-Policy"); !strings.Contains(p, "connect-src 'self' ws://"+s.page+";") {
		t.Errorf("the policy is %s", p)
	}
}

func TestTheLoginIsTheBrokers(t *testing.T) {
	s := served(t)
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/login?client="+client43, nil)
	r.Host = s.page
	w := httptest.NewRecorder()
	s.handler().ServeHTTP(w, r)
	want := `{"password":"` + s.demo.broker.Password(proto.ClientID(client43)) + `","user":"` + client43 + `"}`
	if got := strings.TrimSpace(w.Body.String()); got != want {
		t.Errorf("the login is %s, want %s", got, want)
	}
}

func TestBusyPortIsPassedOver(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = busy.Close() }()
	var said strings.Builder
	l, err := demoCmd{Address: busy.Addr().String()}.listen(&environment{Output: command.Output{ErrOut: &said}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if l.Addr().String() == busy.Addr().String() || !strings.Contains(said.String(), "busy") {
		t.Errorf("listens on %s and says %q", l.Addr(), &said)
	}
}

func TestDyingCamdIsReportedWithItsLastWords(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	p, err := startProcess("/bin/sh", log, "-c", "echo no camera here >&2; exit 3")
	if err != nil {
		t.Fatal(err)
	}
	err = p.await(t.Context(), func() error { return errors.New("not yet") })
	if err == nil || !strings.Contains(err.Error(), "no camera here") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("await = %v", err)
	}
	if err := p.stop(); err != nil {
		t.Errorf("stop = %v", err)
	}
}

func TestProcessEndsOnStop(t *testing.T) {
	p, err := startProcess("/bin/sleep", filepath.Join(t.TempDir(), "log"), "1000")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(p.cmd.Process.Pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("it is left: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (&process{done: make(chan struct{})}).await(ctx, func() error { return errors.New("x") }); !errors.Is(err, context.Canceled) {
		t.Errorf("await = %v, want Canceled", err)
	}
}
