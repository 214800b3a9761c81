package lab

import (
	"strings"
	"syscall"
	"testing"

	"github.com/camd-project/camd/pkg/proto"
)

// TestSetUpIsWholeOrNothing: in whichever step camd is killed or the power is cut, and whatever
// else ends a set-up, the camera is as before, and can be set up as soon as that is over.
func TestSetUpIsWholeOrNothing(t *testing.T) {
	t.Parallel()
	u := unbox(t, usbVideo, transition)

	u.point.off()
	u.dies("while it looks for the network", proto.StepWiFi, u.killed)
	u.point.again()
	u.failsWith("a wrong password", "wrong horse", proto.CodeWiFiPassword.Sentence())
	u.point.addresses(false)
	u.dies("while it waits for an address", proto.StepAddress, u.killed)
	u.dies("when the access point vanishes", proto.StepAddress, u.point.vanish)
	u.point.again()
	u.point.addresses(true)
	u.air.internet(false)
	u.dies("while it connects to the broker", proto.StepBroker, u.killed)
	u.dies("when the power is cut", proto.StepBroker, u.powerCycle)

	for range 2 {
		if u.diesSaving() {
			return
		}
	}
	if said, ok := u.setsUp(homePassword); !ok {
		t.Fatalf("camctl pair --ble failed:\n%s", said)
	}
	u.condition("broker", "ok")
}

// dies begins a set-up, waits until it is at a step, and has something happen there that ends
// it.
func (u *unboxed) dies(when string, at proto.SetupStep, happen func()) {
	u.t.Helper()
	u.t.Log("dies ", when)
	u.setUpTo(at)
	before := u.Guest
	happen()
	if before == u.Guest { // else the phone has lost its power, too
		if said, ok := u.ended(); ok {
			u.t.Errorf("%s, camctl ended well:\n%s", when, said)
		}
	}
	u.asBefore("what happened " + when)
}

// failsWith wants a set-up to fail with a sentence.
func (u *unboxed) failsWith(with, password, why string) {
	u.t.Helper()
	u.t.Log("fails with ", with)
	if said, ok := u.setsUp(password); ok || !strings.Contains(said, why) {
		u.t.Errorf("with %s camctl does not say %q:\n%s", with, why, said)
	}
	u.asBefore(with)
}

// diesSaving kills camd while it keeps the settings, and reports whether it had kept them: all
// of them and the member, or neither.
func (u *unboxed) diesSaving() bool {
	u.t.Helper()
	u.setUpTo(proto.StepSaving)
	u.killed()
	u.ended()
	if u.members() == 0 {
		u.t.Log("killed before it kept the settings")
		u.asBefore("a crash while it kept the settings")
		return false
	}
	u.t.Log("killed after it kept the settings")
	u.condition("broker", "ok")
	return true
}

// killed ends camd as a crash does, and starts it again.
func (u *unboxed) killed() {
	u.t.Helper()
	u.air.kill("camd", syscall.SIGKILL)
	u.startCamd()
}
