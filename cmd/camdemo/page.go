package main

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/web"
)

const (
	pageBody     = 64 << 10 // bytes of a request's body
	pageSessions = 8        // pages that may be open at once; camd has its own limit
	pageCall     = 10 * time.Second
	pageClose    = 2 * time.Second
)

// page serves web to browsers on this machine. It holds no media: it seals what
// the page says for the camera, and opens what the camera says to the page.
type page struct {
	camera    atomic.Pointer[client.Camera] // another one after an eviction
	env       *environment
	token     string // first in the path of every request
	hosts     map[string]bool
	seen      func(milliseconds float64)
	slots     chan struct{} // of sessions
	listeners chan struct{} // to household events, and to the loudspeaker
	speaker   loudspeaker
}

// serve runs until Ctrl-C or until camd dies.
func (d *demo) serve(l net.Listener, first time.Duration) error {
	p := newPage(d.camera, d.env, l.Addr())
	p.speaker.path = d.played
	ctx, cancel := context.WithCancel(d.env.ctx)
	defer cancel()
	server := &http.Server{Handler: p.handler(), ReadHeaderTimeout: pageCall, BaseContext: func(net.Listener) context.Context { return ctx }}
	failed := make(chan error, 1)
	var wg sync.WaitGroup
	wg.Go(func() { failed <- server.Serve(l) })
	wg.Go(func() { p.speaker.bound(ctx) })
	url, milliseconds := p.address(l.Addr()), float64(first.Microseconds())/1000
	if err := d.env.Print(map[string]any{"address": url, "first_picture_ms": milliseconds, "device": d.camera.Record().Device, "directory": d.dir},
		"\n   %s\n\nOpen it in a browser. The first picture took %.0f ms from asking. Ctrl-C ends the demo.\n\n%s\n", url, milliseconds, command.Lines(d.script())); err != nil {
		return err
	}
	err := d.watch(ctx, p, failed)
	cancel() // the sessions of open pages end, and say bye
	stop, stopped := context.WithTimeout(context.Background(), pageCall)
	defer stopped()
	if shut := server.Shutdown(stop); shut != nil {
		err = errors.Join(err, server.Close())
	}
	wg.Wait()
	return err
}

func newPage(camera *client.Camera, env *environment, address net.Addr) *page {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails since Go 1.24
	p := &page{env: env, token: base64.RawURLEncoding.EncodeToString(b),
		slots: make(chan struct{}, pageSessions), listeners: make(chan struct{}, 2*pageSessions)}
	p.camera.Store(camera)
	p.hosts = map[string]bool{address.String(): true}
	if _, port, err := net.SplitHostPort(address.String()); err == nil {
		p.hosts["localhost:"+port] = true
	}
	var once sync.Once
	p.seen = func(milliseconds float64) {
		once.Do(func() { env.Note("The page's first picture took %.0f ms from asking.", milliseconds) })
	}
	return p
}

// address returns the page's address. Everyone who has it can open the page.
func (p *page) address(a net.Addr) string { return "http://" + a.String() + "/" + p.token + "/" }

func (p *page) handler() http.Handler {
	m := http.NewServeMux()
	files := http.FileServerFS(web.Demo)
	m.Handle("GET /{$}", files)
	m.Handle("GET /app.js", files)
	m.Handle("GET /household.js", files)
	m.Handle("GET /talk.js", files)
	m.Handle("GET /loudspeaker.js", files)
	m.Handle("GET /style.css", files)
	m.HandleFunc("POST /session", p.session)
	m.HandleFunc("POST /candidates", p.candidates)
	m.HandleFunc("POST /seen", p.firstSeen)
	m.HandleFunc("POST /talk", p.talk)
	m.HandleFunc("GET /loudspeaker", p.loudspeaker)
	m.HandleFunc("GET /status", p.status)
	m.HandleFunc("GET /events", p.events)
	m.HandleFunc("POST /privacy", p.privacy)
	return p.guard(m)
}

// guard lets in only the page itself. The printed address holds a token, so that
// other users of this machine, who can connect too, get nothing. A name that an
// attacker's DNS points to this machine shows in Host; another page of this machine
// shows in Origin and Sec-Fetch-Site.
func (p *page) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", web.Policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		token, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		origin, site := r.Header.Get("Origin"), r.Header.Get("Sec-Fetch-Site")
		switch {
		case !p.hosts[r.Host], origin != "" && origin != "http://"+r.Host:
			refuse(w, http.StatusForbidden, "This page is for the browser on this computer only.")
		case subtle.ConstantTimeCompare([]byte(token), []byte(p.token)) != 1:
			refuse(w, http.StatusNotFound, "Open the whole address that the demo has printed.")
		case path != "" && site != "" && site != "same-origin":
			refuse(w, http.StatusForbidden, "This page is not for other pages.")
		default:
			r.Body = http.MaxBytesReader(w, r.Body, pageBody)
			http.StripPrefix("/"+token, next).ServeHTTP(w, r)
		}
	})
}

func refuse(w http.ResponseWriter, status int, sentence string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": sentence}) // the browser went away
}

// read takes the JSON body of a request.
func read(w http.ResponseWriter, r *http.Request, into any) bool {
	if err := json.NewDecoder(r.Body).Decode(into); err != nil {
		refuse(w, http.StatusBadRequest, "The page sent something that is not JSON, or too much of it.")
		return false
	}
	return true
}

// sayError gives the browser the sentence that a person would get at the terminal.
func sayError(err error) string {
	switch {
	case errors.Is(err, context.Canceled):
		return "The demo is ending."
	case errors.Is(err, client.ErrClosed):
		return "The connection to the camera was closed. The page connects again."
	}
	return err.Error()
}

func (p *page) firstSeen(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Milliseconds float64 `json:"milliseconds"`
	}
	if read(w, r, &body) {
		p.seen(body.Milliseconds)
		w.WriteHeader(http.StatusNoContent)
	}
}

func (p *page) candidates(w http.ResponseWriter, r *http.Request) {
	var body struct {
		proto.Candidates
		Session string `json:"session"`
	}
	if !read(w, r, &body) {
		return
	}
	if _, err := p.camera.Load().Call(r.Context(), proto.OpCandidate, body.Session, body.Candidates); err != nil {
		refuse(w, http.StatusBadGateway, sayError(err))
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
