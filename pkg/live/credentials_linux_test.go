package live

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
)

// Another program writes the credentials anew. Each session takes those of its moment, and what
// is wrong with them is said in the status and to the viewer at once.
func TestCredentialsComeFromAFile(t *testing.T) {
	relay := newRelayServer(t, nil)
	file := filepath.Join(t.TempDir(), "credentials.json")
	cfg := relayConfig(overTCP(relay.tcp))
	cfg.ICEServers[0].Username, cfg.ICEServers[0].Credential, cfg.ICEServers[0].CredentialsFile = "", "", file
	r := newRig(t, cfg, newCamera(false))
	write := func(text string) {
		t.Helper()
		must(t, os.WriteFile(file+".new", []byte(text), 0o600))
		must(t, os.Rename(file+".new", file))
	}

	refused := func(session, want string) {
		t.Helper()
		p := newPeer(t, peerOptions{})
		_, _, err := r.Start(t.Context(), Offer{Client: "viewer", Session: session, SDP: p.offer(peerOptions{}), View: true, Listen: true, Signal: func(proto.SignalKind, any) {}})
		if err == nil {
			t.Fatal("a session starts that no relay can carry")
		}
		if s := r.live(); s.State != health.Degraded || !strings.Contains(s.Reason, want) {
			t.Errorf("the status says %v %q, want %q", s.State, s.Reason, want)
		}
	}
	refused("early", "has no TURN credentials yet: there is no such file. Look at the program")
	write(`{"username": "someone", "password": ""}`)
	refused("bad", "holds no TURN credentials: it must have what camctl --json turn-credentials prints.")

	write(`{"uris": ["turn:192.0.2.1"], "username": "` + relayUser + `", "password": "` + relayPassword + `", "ttl": 600}`)
	r.stream(5*time.Millisecond, 5)
	p := newPeer(t, peerOptions{})
	p.begin(r, "one", p.offer(peerOptions{}))
	p.trickled()
	get(t, p.video)
	eventually(t, "the status is well again", func() bool { return r.live().State == health.OK })

	write(fmt.Sprintf(`{"username": "%d:camera", "password": "x"}`, time.Now().Add(-time.Hour).Unix()))
	p = newPeer(t, peerOptions{})
	p.begin(r, "two", p.offer(peerOptions{}))
	eventually(t, "the status says that they ended", func() bool {
		return r.live().State == health.Degraded && strings.Contains(r.live().Reason, "the credentials ended at ")
	})
}

// A session that can go without the relay goes on.
func TestASessionGoesOnWithoutCredentials(t *testing.T) {
	cfg := DefaultConfig()
	cfg.ICEServers = []ICEServer{{URLs: []string{"turn:192.0.2.1"}, CredentialsFile: filepath.Join(t.TempDir(), "none")}}
	r := newRig(t, cfg, newCamera(false))
	r.stream(5*time.Millisecond, 5)
	p := newPeer(t, peerOptions{})
	p.begin(r, "one", p.offer(peerOptions{}))
	p.trickled()
	get(t, p.video)
	if s := r.live(); s.State != health.Degraded || !strings.Contains(s.Reason, "has no TURN credentials yet") {
		t.Errorf("the status says %v %q", s.State, s.Reason)
	}
}

func TestReadCredentials(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	must(t, syscall.Mkfifo(fifo, 0o600))
	for _, path := range []string{fifo, dir} {
		if _, _, err := readCredentials(path); err == nil || !strings.Contains(err.Error(), "it is not a file") {
			t.Errorf("%s: %v", path, err)
		}
	}
	file := filepath.Join(dir, "file")
	for text, ok := range map[string]bool{
		`{"username": "u", "password": "p"}`:            true,
		`{"username": "u", "password": "p", "uris": 1}`: true,
		``:                                 false,
		`null`:                             false,
		`{"username": "u"}`:                false,
		`{"username": 1, "password": "p"}`: false,
		`{"username": "u", "password": "p"} and more`:                                   false,
		`{"username": "u", "password": "p"` + strings.Repeat(" ", maxCredentials) + `}`: false,
	} {
		must(t, os.WriteFile(file, []byte(text), 0o600))
		if user, credential, err := readCredentials(file); (err == nil) != ok || ok && (user != "u" || credential != "p") {
			t.Errorf("%.40s: %q, %q, %v", text, user, credential, err)
		}
	}
	if _, _, err := readCredentials(filepath.Join(dir, "none")); err == nil || errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func TestEndedAt(t *testing.T) {
	now := time.Unix(1800000000, 0)
	for user, ended := range map[string]bool{"1799999999:anna": true, "1800000001:anna": false, "anna": false, "1799999999": false, ":": false} {
		if at, got := endedAt([]webrtc.ICEServer{{Username: user}}, now); got != ended || got && !at.Before(now) {
			t.Errorf("%q: %v, %v", user, at, got)
		}
	}
}
