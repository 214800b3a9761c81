package homeserver

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // what coturn takes
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// CredentialsLast is for how long credentials of the TURN server are good that a member gets: a
// session must not lose its relay in the middle.
const CredentialsLast = 12 * time.Hour

// turnPort is the port in deploy/turnserver.conf.
const turnPort = "3478"

// Credentials are what a client gives the TURN server, as a server gives them out:
// https://datatracker.ietf.org/doc/html/draft-uberti-behave-turn-rest-00#section-2.2
type Credentials struct {
	URLs       []string `json:"uris"`
	UserName   string   `json:"username"`
	Credential string   `json:"password"`
	Seconds    int64    `json:"ttl"`
}

// NewCredentials makes credentials of the TURN server at host, named after who gets them, which
// end at until. The form is coturn's use-auth-secret:
// https://datatracker.ietf.org/doc/html/draft-uberti-behave-turn-rest-00
func NewCredentials(secret, host, name string, until time.Time) (Credentials, error) {
	switch {
	case len(secret) < 16:
		return Credentials{}, errors.New("the TURN server's secret has fewer than 16 characters: take the one of static-auth-secret in turnserver.conf")
	case name == "" || strings.ContainsAny(name, ": \n"):
		return Credentials{}, fmt.Errorf("%q can't name credentials: give a word without a colon", name)
	}
	c := Credentials{UserName: fmt.Sprintf("%d:%s", until.Unix(), name), Seconds: int64(time.Until(until).Seconds())}
	address := net.JoinHostPort(host, turnPort)
	c.URLs = []string{"turn:" + address + "?transport=udp", "turn:" + address + "?transport=tcp"}
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write([]byte(c.UserName))
	c.Credential = base64.StdEncoding.EncodeToString(mac.Sum(nil))
	return c, nil
}

// ReadSecret reads a file with the TURN server's secret.
func ReadSecret(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read the TURN server's secret: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// Handler answers GET with Credentials to whoever has a login at the broker, by HTTP's basic
// authentication (RFC 7617).
type Handler struct {
	Secret, Host string
	Logins       string // path of the plugin's file
	Log          *slog.Logger
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, "only GET", http.StatusMethodNotAllowed)
		return
	}
	user, password, _ := r.BasicAuth()
	switch err := checkLogin(h.Logins, user, password); {
	case errors.Is(err, errLogin): // no WWW-Authenticate: a browser would ask the person
		http.Error(w, "Only members with a login at the broker get credentials.", http.StatusUnauthorized)
		return
	case err != nil:
		h.Log.Error("no credentials", "error", err)
		http.Error(w, "The logins can't be read: see the server's log.", http.StatusInternalServerError)
		return
	}
	c, err := NewCredentials(h.Secret, h.Host, user, time.Now().Add(CredentialsLast))
	if err != nil {
		h.Log.Error("no credentials", "error", err)
		http.Error(w, "The server can't make credentials: see its log.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(c) //nolint:gosec // for this client; if it fails, the client has gone
}
