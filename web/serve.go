package web

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"
)

// Config is what the page's server tells the page, as config.json beside it. All of it may be
// absent. Addresses without a host are beside the page.
type Config struct {
	Broker *BrokerConfig `json:"broker,omitempty"`
	Demo   *DemoConfig   `json:"demo,omitempty"`
	TURN   string        `json:"turn,omitempty"` // gives credentials for a TURN server
}

// BrokerConfig says how browsers reach the broker where a camera card does not.
type BrokerConfig struct {
	URL   string `json:"url"`             // of its WebSocket: wss://…, on this machine also ws://…
	Login string `json:"login,omitempty"` // gives the user and password of a client that has none
}

// DemoConfig is a camera that is at hand.
type DemoConfig struct {
	Pair  string `json:"pair"` // of a WebSocket that carries the pairing (docs/protocol.md 3.5), one message each
	Label string `json:"label"`
}

// ConfigFile is the name of the file that the page reads its Config from.
const ConfigFile = "config.json"

// Header is one that a server of the page sends with each file.
type Header struct{ Name, Value string }

// Headers returns the headers with which the page is to be served: so the browser runs nothing but
// the page's own scripts, lets no other site put the page into a frame, and lets the page
// connect to its own server and to brokers only. With no broker named, to any over TLS, since
// a camera card can name any.
func Headers(c Config) []Header {
	policy := Policy
	if c.Broker != nil {
		policy = strings.Replace(policy, anyBroker, origin(c.Broker.URL), 1)
	}
	return []Header{
		{"Content-Security-Policy", policy},
		{"Permissions-Policy", "camera=(self), microphone=(self), display-capture=(), geolocation=(), payment=(), usb=()"},
		{"X-Content-Type-Options", "nosniff"},
		{"Referrer-Policy", "no-referrer"},
		{"Cross-Origin-Opener-Policy", "same-origin"},
		{"Cross-Origin-Resource-Policy", "same-origin"},
	}
}

// origin returns scheme, host and port of an address.
func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "" // the page then connects to its own server only
	}
	return u.Scheme + "://" + u.Host
}

// Handler serves the files of the page, and c as its ConfigFile.
func Handler(files fs.FS, c Config) http.Handler {
	config, err := json.Marshal(c)
	if err != nil {
		panic(err) // it is texts only
	}
	headers, server := Headers(c), http.FileServerFS(files)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, h := range headers {
			w.Header().Set(h.Name, h.Value)
		}
		w.Header().Set("Cache-Control", "no-cache")
		switch name := r.URL.Path; {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "This server only gives the page's files.", http.StatusMethodNotAllowed)
		case name == "/"+ConfigFile:
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(config) // the browser went away
		case name != "/" && strings.HasSuffix(name, "/"): // it would list a folder
			http.NotFound(w, r)
		default:
			if path.Ext(name) == ".webmanifest" { // Go does not know its type
				w.Header().Set("Content-Type", "application/manifest+json")
			}
			server.ServeHTTP(w, r)
		}
	})
}
