package household

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/link/linktest"
	"github.com/camd-project/camd/test/rig"
)

// server is a household's server that runs.
type server struct {
	t     *testing.T
	dir   string // camd-household
	bin   string // our programs
	tool  string // a copy of deploy/household beside them, so that it does not take those of an earlier make build
	stops map[string]func()
}

// install makes a server and installs it as deploy/household does, with a systemctl that only
// writes down what it is asked.
func install(t *testing.T) *server {
	t.Helper()
	needNamespaces(t)
	copied := t.TempDir()
	s := &server{t: t, bin: filepath.Join(copied, "bin"), tool: filepath.Join(copied, "deploy", "household"),
		dir: filepath.Join(t.TempDir(), "camd-household"), stops: map[string]func(){}}
	run(t, "mkdir", s.bin)
	run(t, "install", "-D", "../../deploy/household", s.tool)
	for _, name := range []string{"camops", "camctl"} {
		if err := os.Symlink(rig.Build(t, name), filepath.Join(s.bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"apt-get", "systemctl"} {
		script := fmt.Sprintf("#!/bin/sh\necho %s \"$@\" >> %s\n", name, filepath.Join(s.bin, "asked"))
		if err := os.WriteFile(filepath.Join(s.bin, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", s.bin+":"+os.Getenv("PATH"))
	privateFolders(t)
	run(t, s.tool, "init", "--dir", s.dir, host)
	if said := run(t, s.tool, "install", s.dir); !strings.HasPrefix(said, "The server runs. On the computer where") {
		t.Errorf("install says\n%s", said)
	}
	return s
}

// start starts a program of the server as the user whom its unit names, and waits until it
// listens.
func (s *server) start(name, user, address string, args ...string) {
	s.t.Helper()
	if user != "" {
		args = append([]string{"setpriv", "--reuid=" + user, "--regid=" + user, "--clear-groups", "--inh-caps=+net_bind_service", "--ambient-caps=+net_bind_service"}, args...)
	}
	log, err := os.Create(filepath.Join(s.t.TempDir(), name))
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), "HOME="+s.home(user), "XDG_DATA_HOME="+s.home(user), "XDG_CONFIG_HOME="+s.home(user))
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }() // ends by a signal, so with an error
	stopped := false
	s.stops[name] = func() {
		if !stopped {
			stopped = true
			_ = cmd.Process.Kill()
			<-ended
		}
	}
	s.t.Cleanup(func() {
		s.stops[name]()
		if text, _ := os.ReadFile(log.Name()); s.t.Failed() {
			s.t.Logf("%s said:\n%s", name, text)
		}
		_ = log.Close()
	})
	linktest.Until(s.t, name+" listens on "+address, func() bool {
		select {
		case <-ended:
			text, _ := os.ReadFile(log.Name())
			s.t.Fatalf("%s ended:\n%s", name, text)
		default:
		}
		c, err := net.Dial("tcp", address)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}

// home is a folder of a user's own.
func (s *server) home(user string) string {
	dir := filepath.Join("/srv", "home-"+user)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		s.t.Fatal(err)
	}
	if user != "" {
		run(s.t, "chown", user, dir)
	}
	return dir
}

// startAll starts everything. Caddy's certificates come from an authority of its own, since
// there is no internet here; this process and its children trust it.
func (s *server) startAll() {
	s.t.Helper()
	localCerts(s.t, "/etc/caddy/Caddyfile")
	s.startMosquitto()
	s.startCoturn()
	s.start("credentials", "mosquitto", "127.0.0.1:8089", "/usr/local/bin/camops", "household", "credentials",
		"--secret-file", s.credential(), "--host", host)
	s.start("caddy", "caddy", "127.0.0.1:443", "caddy", "run", "--config", "/etc/caddy/Caddyfile")
	s.awaitCertificate()
	s.t.Setenv("SSL_CERT_FILE", filepath.Join(s.home("caddy"), "caddy/pki/authorities/local/root.crt"))
}

// awaitCertificate waits until Caddy has made its certificate, which it does once it listens.
func (s *server) awaitCertificate() {
	s.t.Helper()
	linktest.Until(s.t, "Caddy has made its certificate", func() bool {
		c, err := tls.Dial("tcp", host+":443", &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13})
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}

// localCerts has Caddy make its certificates by itself.
func localCerts(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text = append([]byte("{\n\tlocal_certs\n\tskip_install_trust\n}\n"), text...)
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

func (s *server) startMosquitto() {
	s.start("mosquitto", "", "127.0.0.1:9001", "mosquitto", "-c", "/etc/mosquitto/mosquitto.conf")
}

func (s *server) startCoturn() {
	s.start("coturn", "turnserver", address+":3478", "turnserver", "-c", "/etc/turnserver.conf", "--pidfile=")
}

// credential does what LoadCredential of the unit does.
func (s *server) credential() string {
	path := filepath.Join(s.home("mosquitto"), "secret")
	run(s.t, "install", "-m", "0400", "-o", "mosquitto", "/etc/mosquitto/camd/turn.secret", path)
	return path
}

// admin is the broker's administration login.
func (s *server) admin() (b home.Broker) {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, "broker-admin.json"))
	if err == nil {
		err = json.Unmarshal(text, &b)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return b
}

// get gets something of the page's origin.
func get(t *testing.T, path, user, password string) (status int, body string, header http.Header) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, "https://"+host+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if user != "" {
		r.SetBasicAuth(user, password)
	}
	c := http.Client{Timeout: time.Minute}
	answer, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text), answer.Header
}

// household runs deploy/household, and returns what it says and whether it succeeds.
func (s *server) household(args ...string) (string, bool) {
	out, err := exec.Command(s.tool, append(args, "--dir", s.dir)...).CombinedOutput()
	return strings.TrimSpace(string(out)), err == nil
}
