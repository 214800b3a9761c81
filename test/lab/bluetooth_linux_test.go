package lab

import (
	"strings"
	"syscall"
	"testing"

	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/proto"
)

// phone pairs a camctl of its own over Bluetooth, and gives what it said and how it ended.
func (h *household) phone(home string, label pairing.Label) (said string, exit int) {
	h.t.Helper()
	r, err := h.Run(patient(h.t), "/bin/camctl", "--home", home, "pair", "--ble", "--adapter", "hci1", "--label", label.Text())
	must(h.t, err)
	return string(r.Stdout) + string(r.Stderr), r.Exit
}

// pairs wants the phone to pair.
func (h *household) pairs(home string, label pairing.Label) {
	h.t.Helper()
	if said, exit := h.phone(home, label); exit != 0 || !strings.Contains(said, "Paired with camera") {
		h.t.Fatalf("camctl pair --ble: exit %d\n%s", exit, said)
	}
}

// fails wants it to fail with these words.
func (h *household) fails(why string, home string, label pairing.Label) {
	h.t.Helper()
	if said, exit := h.phone(home, label); exit != 1 || !strings.Contains(said, why) {
		h.t.Fatalf("camctl pair --ble: exit %d, want %q\n%s", exit, why, said)
	}
}

func (h *household) openWindow(name string) {
	h.t.Helper()
	h.run("/bin/camd", "pair", "--config", configPath, "--window", "5m", "--name", name)
}

// seen waits until phones see the camera, by its own word.
func (h *household) onAir() {
	h.t.Helper()
	eventually(h.t, "phones see the camera", func() bool {
		return strings.Contains(h.condition("bluetooth", "ok"), "Phones see this camera")
	})
}

// TestSetUpOverBluetooth: camd is the peripheral and camctl the central, by the real BlueZ
// on two controllers: from a closed window to paired, and what goes wrong on the way.
func TestSetUpOverBluetooth(t *testing.T) {
	t.Parallel()
	h, a := wireless(t, configuration("[capture]\nsource = \"synthetic\"\nwidth = 320\nheight = 180\nrate = 5\n[audio]\nsource = \"off\"\nspeaker = \"off\"\n[setup]\nble = \"hci0\"\n"), nil)
	a.bluetooth()
	must(t, a.Start(patient(t), "btmon", "/usr/bin/btmon", "-T"))
	a.besides("first")
	label, err := pairing.ParseLabel(h.factory("off"))
	must(t, err)
	must(t, h.Start(patient(t), "camd", "/bin/camd", "run", "--config", configPath))
	wrong := label
	wrong.Secret[3] ^= 1
	const anna, eve = "/root/anna", "/root/eve"

	h.condition("bluetooth", "ok")
	h.fails("no camera was found", eve, label)
	t.Log("a closed window is not seen")

	h.openWindow("Anna")
	h.onAir()
	h.pairs(anna, label)
	h.oneMember()
	for _, line := range []string{"128-bit Service UUIDs (complete): 1 entry", "Flags: 0x06", "Name (complete): camd"} {
		a.says("btmon", line)
	}
	t.Log("paired")
	h.fails(proto.CodeOwned.Sentence(), eve, label)
	h.oneMember()

	must(t, h.Signal(patient(t), "bluetoothd", syscall.SIGKILL))
	h.condition("bluetooth", "degraded")
	a.startBluetoothd()
	h.onAir()
	must(t, h.Signal(patient(t), "controller-0", syscall.SIGKILL))
	t.Log(h.condition("bluetooth", "degraded"))
	a.plugController(0)
	a.besides("second")
	h.onAir()
	h.pairs(anna, label) // a member gets its receipt again
	t.Log("paired again, after bluetoothd was restarted and the controller plugged in anew")

	h.openWindow("Anna")
	h.onAir()
	for range 4 {
		h.fails("The pairing ended before it was done", eve, wrong)
	}
	h.fails("", eve, wrong)                    // which closes the window: it may come to know that first
	h.fails("no camera was found", eve, label) // the sixth, though it is right
	h.oneMember()
	h.stop()
}

func (h *household) oneMember() {
	h.t.Helper()
	if n := h.members(); n != 1 {
		h.t.Errorf("%d members, want 1", n)
	}
}
