package system

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/camd-project/camd/test/rig"
)

// owner is the real camctl, in a home of its own.
type owner struct {
	t    *testing.T
	home string
	path string
}

func newOwner(t *testing.T) owner {
	t.Helper()
	return owner{t, t.TempDir(), rig.Build(t, "camctl")}
}

func (o owner) try(args ...string) (string, error) {
	out, err := exec.Command(o.path, append([]string{"--home", o.home}, args...)...).CombinedOutput()
	return string(out), err
}

func (o owner) run(args ...string) string {
	o.t.Helper()
	out, err := o.try(args...)
	if err != nil {
		o.t.Fatalf("camctl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// TestACameraOutOfItsBox: a camera that knows no broker is set up by camctl over the local
// socket, in one conversation with its pairing, and gives a live picture.
func TestACameraOutOfItsBox(t *testing.T) {
	r := rig.NewBare(t, synthetic)
	out, err := r.Run("check")
	if err != nil || !strings.Contains(string(out), "The camera is not set up yet.") {
		t.Errorf("camd check: %v\n%s", err, out)
	}
	r.Start()
	if c := r.Condition("broker"); c.State != "degraded" || !strings.Contains(c.Reason, "not set up yet") {
		t.Errorf("out of its box: %+v", c)
	}
	anna := newOwner(t)
	pair := []string{"pair", "--socket", r.Socket, "--label", r.Label.Text(), "--name", "hall"}

	// Without an open window nothing can be set.
	if out, err := anna.try(append(pair, "--broker", r.URL(), "--ca", r.PKI)...); err == nil || !strings.Contains(out, "pairing") {
		t.Errorf("window closed: %v\n%s", err, out)
	}
	out, err = r.Run("pair", "--name", "Anna")
	if err != nil || !strings.Contains(string(out), " --broker mqtts://") || !strings.Contains(string(out), "The camera is not set up yet") {
		t.Errorf("camd pair: %v\n%s", err, out)
	}
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"nothing named":      {nil, "Name its broker with --broker"},
		"no certificate":     {[]string{"--broker", r.URL(), "--broker-ca", filepath.Join(r.PKI, "broker", "ca.crt")}, "has no certificate that fits this broker"},
		"nobody there":       {[]string{"--broker", "mqtts://127.0.0.1:1", "--ca", r.PKI}, "Nothing listens on 127.0.0.1:1"},
		"Wi-Fi and no radio": {[]string{"--broker", r.URL(), "--ca", r.PKI, "--wifi", "home"}, "has no Wi-Fi"},
	} {
		if out, err := anna.try(append(pair, c.args...)...); err == nil || !strings.Contains(out, c.says) {
			t.Errorf("%s: %v\n%s\nwant it to say %q", name, err, out, c.says)
		}
		r.OpenWindow("Anna") // its failures are counted
	}
	if s, err := r.Status(); err != nil || strings.Contains(r.Log(), "paired client") {
		t.Errorf("paired without settings: %+v, %v", s, err)
	}

	out2 := anna.run(append(pair, "--broker", r.URL(), "--ca", r.PKI)...)
	for _, word := range []string{"The camera is connecting to its broker.", "The camera is saving the settings.", "Paired with camera hall", "Its broker is " + r.URL()} {
		if !strings.Contains(out2, word) {
			t.Errorf("camctl pair says\n%s\nwant it to say %q", out2, word)
		}
	}
	r.Online()
	recording := filepath.Join(t.TempDir(), "live.mp4")
	anna.run("record", "--seconds", "2", recording)
	if info, err := os.Stat(recording); err != nil || info.Size() < 2000 {
		t.Errorf("the live picture: %+v, %v", info, err)
	}

	// The household hears of what its owner sets anew; what does not work changes nothing.
	r.OpenWindow("Anna")
	if out, err := anna.try(append(pair, "--set-up", "--broker", "mqtts://127.0.0.1:1")...); err == nil || !strings.Contains(out, "Nothing listens on") {
		t.Errorf("a broker that is not there: %v\n%s", err, out)
	}
	anna.run(append(pair, "--set-up", "--broker", strings.Replace(r.URL(), "127.0.0.1", "localhost", 1), "--ca", r.PKI)...)
	r.Online()
	if out := anna.run("log"); !strings.Contains(out, "Anna changed settings: set_up=broker, set_up=certificate.") {
		t.Errorf("the log says\n%s", out)
	}

	// It is set up for good, and neither an eviction nor a restart changes that.
	if err := r.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if out, err := r.Run("check"); err != nil || !strings.Contains(string(out), "reached mqtts://localhost:") {
		t.Errorf("camd check: %v\n%s", err, out)
	}
	r.Start()
	r.Online()
	if out, err := r.Run("evict", "--yes"); err != nil {
		t.Fatalf("camd evict: %v\n%s", err, out)
	}
	r.Until("the epoch has ended", func() bool { return strings.Contains(r.Condition("auth").Reason, "Everyone must pair again") })
	r.Online()

	// A reset leaves nothing of it.
	traces := map[string][]byte{}
	for _, name := range []string{"setup.key", "setup.db"} {
		text, err := os.ReadFile(filepath.Join(r.State(), "store", name))
		if err != nil {
			t.Fatal(err)
		}
		traces[name] = text
	}
	if out, err := r.Run("reset", "--yes"); err != nil {
		t.Fatalf("camd reset: %v\n%s", err, out)
	}
	r.Until("the camera is as out of its box", func() bool { return strings.Contains(r.Condition("broker").Reason, "not set up yet") })
	for name, text := range traces { // T14
		if after, err := os.ReadFile(filepath.Join(r.State(), "store", name)); err != nil || bytes.Equal(after, text) {
			t.Errorf("%s outlived the reset: %v", name, err)
		}
	}
}
