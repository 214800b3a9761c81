package household

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/camd-project/camd/internal/homeserver"
	"github.com/camd-project/camd/internal/pki"
)

// camera connects as the camera does, by a certificate of the server's authority.
func camera(t *testing.T, s *server) mqtt.Client {
	t.Helper()
	f, err := pki.Open(filepath.Join(s.dir, "pki"))
	if err != nil {
		t.Fatal(err)
	}
	cert, err := f.MakeShort(device)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(filepath.Join(s.dir, "pki", "broker", "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	return connected(t, mqtt.NewClientOptions().AddBroker("mqtts://"+host+":8883").SetClientID("secret-of-the-camera").
		SetTLSConfig(&tls.Config{RootCAs: pool, Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13}))
}

// Credentials of the TURN server are for who has a login, and coturn takes them.
func credentials(t *testing.T, s *server) {
	l := dialLogins(t, s.admin())
	id, login := member(t, l)
	for name, c := range map[string]struct{ user, password string }{
		"nobody":         {},
		"wrong password": {login.User, "x"},
		"another's":      {s.admin().User, login.Password},
		"unknown":        {"x", login.Password},
	} {
		if status, body, _ := get(t, "/turn", c.user, c.password); status != 401 || strings.Contains(body, "password\"") {
			t.Errorf("%s: %d, %s", name, status, body)
		}
	}
	status, body, header := get(t, "/turn", login.User, login.Password)
	var c homeserver.Credentials
	if err := json.Unmarshal([]byte(body), &c); err != nil || status != 200 || header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d, %s, %v, %v", status, body, header, err)
	}
	if err := l.Remove(t.Context(), id, device); err != nil {
		t.Fatal(err)
	}
	if status, _, _ := get(t, "/turn", login.User, login.Password); status != 401 {
		t.Errorf("after the removal: %d", status)
	}
	s.startCoturn()
	for _, network := range []string{"udp", "tcp"} {
		if err := c.Check(t.Context(), network); err != nil {
			t.Errorf("coturn over %s: %v", network, err)
		}
		other := c
		other.UserName = strings.Replace(c.UserName, ":", "0:", 1) // longer than it was given
		if err := other.Check(t.Context(), network); err == nil {
			t.Errorf("coturn over %s takes credentials of another end", network)
		}
	}
}

// A server that is installed again keeps its logins.
func installedAgain(t *testing.T, s *server) {
	l := dialLogins(t, s.admin())
	id, login := member(t, l)
	run(t, s.tool, "install", s.dir)
	s.stops["mosquitto"]()
	s.startMosquitto()
	if _, err := dial(t, login, device, id); err != nil {
		t.Errorf("the login after another install: %v", err)
	}
	if said, ok := s.household("init", host); ok || !strings.Contains(said, "is there already: keep it") {
		t.Errorf("init again: %s", said)
	}
}
