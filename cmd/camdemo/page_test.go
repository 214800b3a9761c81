package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/web"
)

// served is a page without a camera behind it.
func served(t *testing.T) *page {
	t.Helper()
	env := &environment{Output: command.Output{Out: io.Discard, ErrOut: io.Discard}, log: slog.New(slog.DiscardHandler)}
	return newPage(nil, env, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8088})
}

func TestPageIsForItselfOnly(t *testing.T) {
	p := served(t)
	const own = "http://127.0.0.1:8088"
	at := "/" + p.token
	seen := at + "/seen"
	for _, c := range []struct {
		name, method, path, host string
		header                   map[string]string
		want                     int
	}{
		{"the page", "GET", at + "/", "127.0.0.1:8088", nil, 200},
		{"by name", "GET", at + "/", "localhost:8088", nil, 200},
		{"its script", "GET", at + "/app.js", "127.0.0.1:8088", map[string]string{"Sec-Fetch-Site": "same-origin"}, 200},
		{"its other script", "GET", at + "/talk.js", "127.0.0.1:8088", map[string]string{"Sec-Fetch-Site": "same-origin"}, 200},
		{"its loudspeaker", "GET", at + "/loudspeaker.js", "127.0.0.1:8088", map[string]string{"Sec-Fetch-Site": "same-origin"}, 200},
		{"its style", "GET", at + "/style.css", "127.0.0.1:8088", nil, 200},
		{"its request", "POST", seen, "127.0.0.1:8088", map[string]string{"Origin": own, "Sec-Fetch-Site": "same-origin"}, 204},
		{"a link from elsewhere", "GET", at + "/", "127.0.0.1:8088", map[string]string{"Sec-Fetch-Site": "cross-site"}, 200},
		{"rebound DNS", "GET", at + "/", "evil.example:8088", nil, 403},
		{"another port", "GET", at + "/", "127.0.0.1:9999", nil, 403},
		{"another origin", "POST", seen, "127.0.0.1:8088", map[string]string{"Origin": "http://127.0.0.1:9999"}, 403},
		{"no origin at all", "POST", seen, "127.0.0.1:8088", map[string]string{"Origin": "null"}, 403},
		{"another page", "POST", seen, "127.0.0.1:8088", map[string]string{"Sec-Fetch-Site": "same-site"}, 403},
		{"without the token", "POST", "/seen", "127.0.0.1:8088", nil, 404},
		{"another token", "POST", "/AAAAAAAAAAAAAAAAAAAAAA/seen", "127.0.0.1:8088", nil, 404},
		{"the page without the token", "GET", "/", "127.0.0.1:8088", nil, 404},
		{"a script without the token", "GET", "/app.js", "127.0.0.1:8088", nil, 404},
		{"the page under the beginning of the token", "GET", at[:len(at)-1] + "/", "127.0.0.1:8088", nil, 404},
		{"the page under more than the token", "GET", at + "A/", "127.0.0.1:8088", nil, 404},
		{"the page under a token that comes later", "GET", "/x" + at + "/", "127.0.0.1:8088", nil, 404},
		{"what there is none of", "GET", at + "/web.go", "127.0.0.1:8088", nil, 404},
	} {
		r := httptest.NewRequestWithContext(t.Context(), c.method, c.path, strings.NewReader("{}"))
		r.Host = c.host
		for k, v := range c.header {
			r.Header.Set(k, v)
		}
		w := httptest.NewRecorder()
		p.handler().ServeHTTP(w, r)
		if w.Code != c.want || w.Header().Get("Content-Security-Policy") != web.Policy {
			t.Errorf("%s: %d, want %d", c.name, w.Code, c.want)
		}
		if c.want != 200 && strings.Contains(w.Body.String(), p.token) {
			t.Errorf("%s: the token is told", c.name)
		}
	}
}

func TestPageRefusesWhatIsNotJSON(t *testing.T) {
	p := served(t)
	for _, path := range []string{"session", "candidates", "seen", "privacy", "talk"} {
		for _, body := range []string{"", "{", strings.Repeat(" ", pageBody+1) + "{}"} {
			r := httptest.NewRequestWithContext(t.Context(), "POST", "/"+p.token+"/"+path, strings.NewReader(body))
			r.Host = "127.0.0.1:8088"
			w := httptest.NewRecorder()
			p.handler().ServeHTTP(w, r)
			if w.Code != http.StatusBadRequest {
				t.Errorf("%s with %.10q: %d, want 400", path, body, w.Code)
			}
		}
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
