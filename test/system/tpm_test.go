package system

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/camd-project/camd/pkg/auth/tpm/tpmtest"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/test/rig"
)

// TestACameraWhoseIdentityLiesInATPM runs one: it logs in to its broker by mutual TLS with
// the TPM's key, an owner pairs, and all of it again after the TPM and camd were off.
func TestACameraWhoseIdentityLiesInATPM(t *testing.T) {
	chip := tpmtest.New(t)
	r := rig.New(t, fmt.Sprintf("tpm = %q\n[capture]\nsource = \"synthetic\"\nwidth = 320\nheight = 240\n[audio]\nsource = \"off\"\n", chip.Path))
	r.Start()
	r.Online()
	r.Owner()
	if s, err := r.Status(); err != nil || s.Identity != proto.ClassTPM {
		t.Errorf("the status says %q, %v", s.Identity, err)
	}
	if out, _ := r.Run("check"); !strings.Contains(string(out), string(r.Device)+", its key is in a TPM (class C2)") {
		t.Errorf("camd check says\n%s", out)
	}
	chip.PowerOff()
	r.StopBroker()
	r.StartBroker()
	r.Until("the camera says that its TPM is away", func() bool {
		return strings.HasSuffix(r.Condition("broker").Reason, "since its key can't sign: there is no TPM at "+chip.Path+".")
	})
	chip.PowerOn()
	r.Online()
	if err := r.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	chip.PowerOff()
	if out, err := r.Run("run"); err == nil || !strings.Contains(string(out), "the camera's identity key lies in a TPM, and there is no TPM at "+chip.Path) {
		t.Errorf("without its TPM: %v\n%s", err, out)
	}
	chip.PowerOn()
	r.Start()
	r.Online()
	if out, err := r.Run("members"); err != nil || !strings.Contains(string(out), "owner") {
		t.Errorf("after the power cut: %v\n%s", err, out)
	}
}
