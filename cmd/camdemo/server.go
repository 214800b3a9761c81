package main

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"embed"
	"encoding/json"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/web"
)

const (
	requestTime = 10 * time.Second
	listeners   = 8 // to the loudspeaker
)

// server serves two places to browsers on this machine: the owner's page, and the room in which
// the camera is. The page is the real one, and talks with the camera through the broker; beside
// its files it is given only what a household's server gives: a login at the broker.
type server struct {
	demo    *demo
	page    string // host and port of the page
	room    string // of the room
	pairing chan struct{}
	listen  chan struct{}
	speaker loudspeaker
}

// newServer makes names that nobody can guess, since other users of this machine can connect,
// too. They are names of this machine (RFC 6761 6.3). With a name of its own each demo is another
// origin, so that what a browser keeps of an earlier one is not shown.
func newServer(d *demo, address net.Addr) *server {
	_, port, _ := net.SplitHostPort(address.String()) // a listener's address has a port
	host := func(of string) string {
		return strings.ToLower(of + "-" + rand.Text() + ".localhost:" + port)
	}
	return &server{demo: d, page: host("camera"), room: host("room"), speaker: loudspeaker{d.played},
		pairing: make(chan struct{}, 1), listen: make(chan struct{}, listeners)}
}

func (s *server) pageURL() string { return "http://" + s.page + "/" }
func (s *server) roomURL() string { return "http://" + s.room + "/" }

// run serves until ctx ends. The channel then gives what went wrong.
func (s *server) run(ctx context.Context, l net.Listener) <-chan error {
	h := &http.Server{Handler: s.handler(), ReadHeaderTimeout: requestTime, BaseContext: func(net.Listener) context.Context { return ctx }}
	failed, ended := make(chan error, 1), make(chan error, 1)
	go func() { failed <- h.Serve(l) }()
	go func() { //nolint:gosec // ctx has ended by the time of Shutdown
		bounded := make(chan struct{})
		go func() { s.speaker.bound(ctx); close(bounded) }()
		select {
		case err := <-failed:
			ended <- err
			return
		case <-ctx.Done():
		}
		stop, stopped := context.WithTimeout(context.Background(), requestTime)
		defer stopped()
		err := h.Shutdown(stop)
		if err != nil {
			err = h.Close()
		}
		<-failed //nolint:errcheck // it was told to end
		<-bounded
		ended <- err
	}()
	return ended
}

func (s *server) handler() http.Handler {
	page, room := http.NewServeMux(), http.NewServeMux()
	page.Handle("/", web.Handler(web.Files, web.Config{
		Broker: &web.BrokerConfig{URL: "ws://" + s.page + "/broker", Login: "login"},
		Demo:   &web.DemoConfig{Pair: "pair", Label: s.demo.label.Text()},
	}))
	page.HandleFunc("GET /login", s.login)
	page.HandleFunc("GET /pair", s.pair)
	page.Handle("GET /broker", s.demo.broker)
	room.Handle("/", withHeaders(http.FileServerFS(roomPage)))
	room.HandleFunc("GET /loudspeaker", s.loudspeaker)
	room.HandleFunc("POST /{button}", s.press)
	return s.guard(page, room)
}

// guard lets in only who has been told an address, and only the page itself: another page of
// this machine shows in Origin and Sec-Fetch-Site.
func (s *server) guard(page, room http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		is := func(host string) bool { return subtle.ConstantTimeCompare([]byte(r.Host), []byte(host)) == 1 }
		origin, site := r.Header.Get("Origin"), r.Header.Get("Sec-Fetch-Site")
		switch {
		case !is(s.page) && !is(s.room):
			refuse(w, http.StatusNotFound, "Open the whole address that the demo has printed.")
		case origin != "" && origin != "http://"+r.Host, r.URL.Path != "/" && site != "" && site != "same-origin":
			refuse(w, http.StatusForbidden, "This is not for other pages.")
		case is(s.page):
			page.ServeHTTP(w, r)
		default:
			room.ServeHTTP(w, r)
		}
	})
}

func refuse(w http.ResponseWriter, status int, sentence string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": sentence}) // the browser went away
}

// login gives a client its user and password for the broker. They open nothing but the broker.
func (s *server) login(w http.ResponseWriter, r *http.Request) {
	id := proto.ClientID(r.URL.Query().Get("client"))
	if !id.Valid() {
		refuse(w, http.StatusBadRequest, "Name the client that wants to log in.")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(map[string]string{"user": string(id), "password": s.demo.broker.Password(id)}) // the browser went away
}

// presses are the commands of the local socket (docs/protocol.md 10.2) behind the room's buttons.
var presses = map[string]map[string]string{
	"ring":   {"cmd": "ring"},
	"accept": {"cmd": "talk", "press": "accept"},
	"end":    {"cmd": "talk", "press": "end"},
}

// press does what somebody at the camera does.
func (s *server) press(w http.ResponseWriter, r *http.Request) {
	command, ok := presses[r.PathValue("button")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	if _, err := client.Ask(r.Context(), s.demo.socket(), command); err != nil {
		refuse(w, http.StatusConflict, err.Error())
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

//go:embed room
var roomFiles embed.FS

var roomPage, _ = fs.Sub(roomFiles, "room") // the folder is embedded

const roomPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func withHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", roomPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}
