package lab

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/test/lab/agent"
)

// The two buttons of a board are keys of one device.
const (
	buttons = "Lab buttons"
	pairKey = 0x100 // BTN_0
	eyeKey  = 0x101

	panel = "[panel]\npairing_button = \"" + buttons + "/256\"\nprivacy_button = \"" + buttons + "/257\"\n"
)

// TestButtons: what people do at the device by real input devices. The pairing button
// lets an owner in and removes everyone; the privacy button closes the camera's and the
// microphone's device, not only the stream.
func TestButtons(t *testing.T) {
	h := settle(t, ARM64, nil, small+microphone+panel, vivid, aloop, "uinput", "evdev")
	must(t, h.Keyboard(patient(t), agent.Keyboard{Name: buttons, Keys: []uint16{pairKey, eyeKey}}))
	h.condition("panel", "ok")
	h.press(pairKey, 3500*time.Millisecond)
	h.join(homePath)
	h.handOut()

	h.condition("camera", "ok")
	w := h.watch()
	w.until("picture and sound come", func(s second) bool { return s.Frames > 0 && s.AudioFrames > 0 })
	h.senses("/dev/snd/pcmC0D1c", "/dev/video0")
	h.press(eyeKey, 0)
	w.ended(proto.CodePrivacy)
	h.senses()
	h.refused(proto.CodePrivacy, "watch", "--seconds", "1")
	h.refused(proto.CodeAtDevice, "privacy", "off")
	h.press(eyeKey, 0)
	h.condition("camera", "ok")
	h.record("1")

	h.press(pairKey, 10500*time.Millisecond)
	t.Logf("evicted: %s", h.condition("auth", "degraded"))
	h.forgotten()
	h.stop()
}

// press presses a button.
func (h *household) press(key uint16, d time.Duration) {
	h.t.Helper()
	must(h.t, h.Press(patient(h.t), agent.Press{Keyboard: buttons, Key: key, For: d}))
}

// senses waits until camd has these devices of cameras and microphones open, and no
// others.
func (h *household) senses(want ...string) {
	h.t.Helper()
	eventually(h.t, "camd has open: "+strings.Join(want, " "), func() bool {
		open, err := h.Open(patient(h.t), "camd")
		must(h.t, err)
		slices.Sort(open)
		return slices.Equal(want, slices.DeleteFunc(open, func(s string) bool {
			return !strings.HasPrefix(s, "/dev/video") && !strings.HasPrefix(s, "/dev/snd/pcm")
		}))
	})
}
