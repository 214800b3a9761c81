// Package homeserver lays out a household's own server: mosquitto, coturn and Caddy, with keys
// and logins, and gives members credentials of its TURN server. It opens nothing by itself: the
// server carries what is encrypted between camera and member, and no login at it is a right at a
// camera.
package homeserver

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/camd-project/camd/deploy"
	"github.com/camd-project/camd/docs/mosquitto"
	"github.com/camd-project/camd/internal/pki"
)

// Server is the folder of a household's server:
//
//	pki/               the broker's authority, a pki.Folder
//	broker-admin.json  the login that adds and removes members' logins; stays with an owner
//	server/            what goes to the server beside pki/broker
//	camera/            what a camera gets that uses the relay
type Server struct{ Dir, Host string }

// Admin is the content of broker-admin.json.
type Admin struct {
	URL      string `json:"url"`
	User     string `json:"user"`
	Password string `json:"password"`
	CA       string `json:"ca,omitempty"` // PEM; empty: the certificate is of a public authority
}

// Page is what the server sends with its page.
type Page struct {
	Config  []byte      // config.json
	Headers [][2]string // names and values
}

// BrokerURL returns the address of the broker for browsers.
func BrokerURL(host string) string { return "wss://" + host + "/mqtt" }

// HostOf returns the host of such an address.
func HostOf(url string) string { return strings.TrimSuffix(strings.TrimPrefix(url, "wss://"), "/mqtt") }

// TURNPath is the path, beside the page, that gives credentials of the TURN server.
const TURNPath = "turn"

// Create makes the folder for a server that is reached by the name host. The parent folder must
// exist.
func Create(dir, host string, page Page) (Server, error) {
	s := Server{dir, host}
	if err := CheckHost(host); err != nil {
		return s, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return s, fmt.Errorf("%s is there already: keep it, since its keys are in use, or name another folder with --dir", dir)
		}
		return s, fmt.Errorf("make the folder: %w", err)
	}
	f, err := pki.Create(s.Path("pki"), "household broker authority")
	if err != nil {
		return s, err
	}
	if err := f.MakeServer(false, host); err != nil {
		return s, err
	}
	return s, s.fill(page)
}

// CheckHost returns an error if host is no name for which a browser accepts a certificate.
func CheckHost(host string) error {
	if net.ParseIP(host) != nil || pki.CheckHosts(host) != nil || !strings.Contains(host, ".") || strings.ContainsAny(host, "{}\"'\\\n\t@,;") {
		return fmt.Errorf("%q is no host name: give the full name by which browsers find the server, such as cameras.example.org", host)
	}
	return nil
}

// Path returns the path of a file in the folder.
func (s Server) Path(names ...string) string {
	return filepath.Join(append([]string{s.Dir}, names...)...)
}

func (s Server) fill(page Page) error {
	admin := Admin{URL: BrokerURL(s.Host), User: "admin", Password: rand.Text()}
	logins, err := newLogins(admin.User, admin.Password)
	if err != nil {
		return err
	}
	secret := rand.Text()
	var headers []string
	for _, h := range page.Headers {
		headers = append(headers, fmt.Sprintf("%s %q", h[0], h[1]))
	}
	edit := strings.NewReplacer("HOSTNAME", s.Host, "SECRET", secret, "HEADERS", strings.Join(headers, "\n\t\t\t")).Replace
	if err := errors.Join(os.MkdirAll(s.Path("server", "logins"), 0o700), os.Mkdir(s.Path("camera"), 0o700)); err != nil {
		return fmt.Errorf("make the folder: %w", err)
	}
	for _, f := range []struct {
		name string
		data []byte
	}{
		{"broker-admin.json", indented(admin)},
		{"server/logins/camd-logins.json", logins},
		{"server/mosquitto.conf", slices.Concat(mosquitto.Configuration, mosquitto.Browsers)},
		{"server/Caddyfile", []byte(edit(deploy.Caddy))},
		{"server/turnserver.conf", []byte(edit(deploy.TURN))},
		{"server/turn.secret", []byte(secret + "\n")},
		{"server/camd-turn.service", []byte(edit(deploy.Service))},
		{"server/compose.yaml", []byte(edit(deploy.Compose))},
		{"server/config.json", page.Config},
		{"camera/camd-relay.service", []byte(edit(deploy.Relay))},
		{"camera/camd-relay.timer", []byte(edit(deploy.RelayTimer))},
	} {
		if err := os.WriteFile(s.Path(filepath.FromSlash(f.name)), f.data, 0o600); err != nil {
			return fmt.Errorf("write the server's files: %w", err)
		}
	}
	return nil
}

func indented(v any) []byte {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic(err) // of strings alone
	}
	return append(text, '\n')
}
