package lab

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/test/lab/agent"
)

// Two LEDs that no keyboard's driver cares for.
const (
	ledMisc = 8 // LED_MISC, which input-leds calls inputN::misc
	ledMail = 9

	ledClass = "/sys/class/leds/"
	lights   = "Lab lights"
)

// TestLiveLight: a real LED of the kernel's LED class shines exactly while somebody
// watches. Without it nothing is shown, and what takes it from camd ends every session.
func TestLiveLight(t *testing.T) {
	tables := small + microphone + "[panel]\nlive_led = \"%s\"\nstatus_led = \"%s\"\n"
	h := settle(t, ARM64, nil, fmt.Sprintf(tables, "nowhere", ""), vivid, aloop, "uinput", "evdev")
	h.pair()
	if reason := h.condition("live_led", "failed"); !strings.Contains(reason, "nowhere") {
		t.Errorf("the missing LED is explained by %q", reason)
	}
	h.refused(proto.CodeNoLight, "watch", "--seconds", "1")

	must(t, h.Keyboard(patient(t), agent.Keyboard{Name: lights, Keys: []uint16{pairKey}, LEDs: []uint16{ledMisc, ledMail}}))
	live, status := h.lamp("misc"), h.lamp("mail")
	h.stop()
	must(t, h.Put(patient(t), configPath, 0o644, []byte(configuration(fmt.Sprintf(tables, live, status)))))
	must(t, h.Start(patient(t), "camd", "/bin/camd", "run", "--config", configPath))
	h.condition("broker", "ok")
	h.condition("live_led", "ok")
	h.condition("status_led", "ok")
	h.shines(status, "1")

	h.shines(live, "0")
	w := h.watch()
	w.until("pictures come", func(s second) bool { return s.Frames > 0 })
	if now := h.brightness(live); now != "1" { // at once: it came before the first picture
		t.Errorf("the live LED has brightness %s when pictures come", now)
	}
	w.close()
	h.shines(live, "0")

	gone := client.EndSentence(proto.EndLight)
	for what, change := range map[string]agent.File{
		"another process switches it off": {Path: "brightness", Data: []byte("0")},
		"a trigger takes it":              {Path: "trigger", Data: []byte("heartbeat")},
	} {
		t.Log(what)
		w := h.watch()
		w.until("pictures come", func(s second) bool { return s.Frames > 0 })
		must(t, h.Put(patient(t), ledClass+live+"/"+change.Path, 0, change.Data))
		w.endedSaying(gone)
		h.shines(live, "0")
	}

	w = h.watch()
	w.until("pictures come", func(s second) bool { return s.Frames > 0 })
	must(t, h.PullKeyboard(patient(t), lights))
	w.endedSaying(gone)
	h.refused(proto.CodeNoLight, "watch", "--seconds", "1")
	h.condition("live_led", "failed")
	h.condition("status_led", "degraded")
	h.stop()
}

// lamp finds the LED that input-leds made.
func (h *household) lamp(function string) string {
	h.t.Helper()
	var found []string
	eventually(h.t, "there is an LED "+function, func() bool {
		var err error
		found, err = h.Glob(patient(h.t), ledClass+"input*::"+function)
		must(h.t, err)
		return len(found) == 1
	})
	return filepath.Base(found[0])
}

// shines waits until the kernel says that an LED has this brightness.
func (h *household) shines(name, brightness string) {
	h.t.Helper()
	eventually(h.t, name+" has brightness "+brightness, func() bool { return h.brightness(name) == brightness })
}

// brightness is what the kernel says of an LED now.
func (h *household) brightness(name string) string {
	h.t.Helper()
	got, err := h.Get(patient(h.t), ledClass+name+"/brightness")
	must(h.t, err)
	return string(bytes.TrimSpace(got))
}
