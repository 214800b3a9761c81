package system

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/setup/claim/claimtest"
	"github.com/camd-project/camd/test/rig"
)

// A camera whose certificate is old, or has ended so that the broker refuses it, gets
// another one from its enrolment server, tries it with the broker, and goes on with it,
// also after a restart.
func TestTheCameraRenewsItsCertificate(t *testing.T) {
	for name, left := range map[string]time.Duration{"old": 30 * time.Minute, "ended": -time.Minute} {
		t.Run(name, func(t *testing.T) { renews(t, left) })
	}
}

func renews(t *testing.T, left time.Duration) {
	s := claimtest.NewServer(t)
	s.Lifetime = 3 * time.Hour
	root := filepath.Join(t.TempDir(), "est.crt")
	if err := os.WriteFile(root, s.Root.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	r := rig.New(t, fmt.Sprintf("[household]\nclock = \"battery\"\n[capture]\nsource = \"synthetic\"\n[audio]\nsource = \"tone\"\n[enrolment]\nurl = %q\nca = %q\n", s.URL, root))
	s.Signs = claimtest.ReadAuthority(t, filepath.Join(r.PKI, "broker", "ca.crt"), filepath.Join(r.PKI, "ca.key")) // the broker's
	identity := filepath.Join(r.State(), "identity")
	request, err := os.ReadFile(filepath.Join(identity, "device.csr"))
	if err != nil {
		t.Fatal(err)
	}
	_, old, err := r.CA.Between(time.Now().Add(-2*time.Hour), time.Now().Add(left)).CertifyRequest(request)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(identity, "operational.crt")
	if err := os.WriteFile(file, old, 0o600); err != nil {
		t.Fatal(err)
	}
	r.Start()
	renewed := func() bool {
		now, err := r.Status()
		return err == nil && now.Certificate != nil && !now.Certificate.Old(time.Now()) && now.Certificate.Problem == ""
	}
	r.Until("the camera has another certificate", renewed)
	r.Until("the camera is at its broker with it", func() bool { return r.Condition("broker").State == "ok" })
	if asked := fmt.Sprint(s.Asked()); asked != "[simplereenroll cacerts]" {
		t.Errorf("the server was asked for %s", asked)
	}
	if text, err := os.ReadFile(file); err != nil || !bytes.Contains(text, []byte("PRIVATE KEY")) {
		t.Errorf("the certificate has no key of its own: %v", err)
	}
	if out, err := r.Run("log"); err != nil || !bytes.Contains(out, []byte("The camera renewed its certificate for the broker, now good until")) {
		t.Errorf("camd log: %v\n%s", err, out)
	}
	if err := r.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	r.Start()
	r.Online()
	if !renewed() {
		t.Error("the certificate did not outlive the restart")
	}
}
