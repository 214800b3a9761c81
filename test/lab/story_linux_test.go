package lab

import (
	"image"
	"strings"
	"testing"

	"github.com/camd-project/camd/test/lab/usbcam"
)

// Modules of the devices in the stories.
const (
	vividBoth = "vivid n_devs=2 node_types=0x1,0x1 num_inputs=1,1 input_types=0x0,0x0 multiplanar=1,2" // the second is multi-planar
	vivid     = "vivid n_devs=1 node_types=0x1 num_inputs=1 input_types=0x0"
	aloop     = "snd-aloop pcm_substreams=1"
)

var usb = []string{"vhci-hcd", "uvcvideo"}

const (
	tone       = 1000                // hertz
	speaker    = "/dev/snd/pcmC0D0p" // what is played here
	microphone = "[audio]\ndevice = \"hw:0,1\"\n"
	usbPort    = "usb-vhci_hcd.0-1"
	usbVideo   = "[capture]\ndevice = \"" + usbPort + "\"\nformat = \"h264\"\nwidth = 640\nheight = 360\nrate = 15\n"
)

// TestUSBCamera: what an H.264 camera sends reaches the owner bit by bit, with
// sound, and the camera may be unplugged meanwhile. It is told from another camera
// by its port, whatever the kernel numbers it.
func TestUSBCamera(t *testing.T) {
	h := move(t, ARM64, usbVideo+microphone, append(usb, vivid, aloop)...)
	reason := h.condition("camera", "failed")
	if !strings.Contains(reason, usbPort) || !strings.Contains(reason, "vivid") {
		t.Errorf("without the camera the reason is %q, want its port and what there is", reason)
	}
	h.idleSockets("without a camera")

	must(t, h.Play(patient(t), speaker, tone))
	must(t, h.Plug(patient(t), clipPath))
	h.reported("camera", "ok")
	h.idleSockets("before a session")

	file := h.record("5")
	if pictures := checkIdentical(t, clip(t), file); pictures < 20 { // more than key frames
		t.Errorf("%d pictures in five seconds at 15 a second", pictures)
	}
	checkTone(t, file, tone)
	checkPicture(t, file, 640, 360)

	w := h.watch()
	before := w.more(second{}, 1)
	first := h.usbNode()
	must(t, h.Hold(patient(t), first)) // or else it would get its number back
	must(t, h.Unplug(patient(t)))
	t.Logf("unplugged: %s", h.reported("camera", "failed"))
	must(t, h.Plug(patient(t), clipPath))
	h.reported("camera", "ok")
	if second := h.usbNode(); second == first {
		t.Errorf("the camera is %s as before: this shows nothing", second)
	}
	w.more(before, 45)
	w.close()
	eventually(t, "the session's socket is closed", func() bool { return len(h.table("udp"))+len(h.table("udp6")) == 0 })
	h.idleSockets("after sessions")
	h.stop()
}

// usbNode is the path of the USB camera's node now.
func (h *household) usbNode() string {
	h.t.Helper()
	cameras, err := h.Cameras(patient(h.t))
	must(h.t, err)
	for _, c := range cameras {
		if c.Name == "Lab camera" {
			return c.Path
		}
	}
	h.t.Fatalf("no USB camera is among %v", cameras)
	return ""
}

// TestVivid: raw pictures reach the owner through the encoder; faults that only a
// kernel driver has are reported and survived while someone watches.
func TestVivid(t *testing.T) {
	h := move(t, ARM64, "[capture]\nwidth = 640\nheight = 360\nrate = 15\n[audio]\nsource = \"off\"\n", vivid)
	h.reported("camera", "ok")
	file := h.record("5")
	if n := checkPicture(t, file, 640, 360); n < 30 {
		t.Errorf("%d pictures in five seconds at 15 a second", n)
	}
	w := h.watch()
	last := w.more(second{}, 1)
	for _, fault := range vividFaults {
		t.Log(fault.name)
		must(t, fault.begin(h))
		t.Logf("%s: %s", fault.name, h.reported("camera", "failed"))
		if fault.end != nil {
			must(t, fault.end(h))
		}
		h.reported("camera", "ok")
		last = w.more(last, 15)
	}
	h.stop()
}

// Controls of vivid that make faults (drivers/media/test-drivers/vivid/vivid-ctrls.c).
const (
	vividDropped    = 0x00f0f040
	vividDisconnect = 0x00f0f041
	vividFatal      = 0x00f0f046

	vividDriver = "/sys/bus/platform/drivers/vivid/"
)

var vividFaults = []struct {
	name       string
	begin, end func(*household) error // end nil: it passes by itself
}{
	{"disconnect", press(vividDisconnect, 1), nil},
	{"fatal streaming error", press(vividFatal, 1), nil},
	{"no picture comes", press(vividDropped, 100), press(vividDropped, 0)},
	{"driver unbound", bind("unbind"), bind("bind")},
}

func press(control uint32, value int32) func(*household) error {
	return func(h *household) error { return h.Control(patient(h.t), "/dev/video0", control, value) }
}

func bind(file string) func(*household) error {
	return func(h *household) error { return h.Put(patient(h.t), vividDriver+file, 0, []byte("vivid.0")) }
}

// TestHungUSBCamera: a camera that stops sending, without any error, counts as hung
// and is opened anew until it goes on.
func TestHungUSBCamera(t *testing.T) {
	h := move(t, ARM64, usbVideo+"[audio]\nsource = \"off\"\n", usb...)
	must(t, h.Plug(patient(t), clipPath))
	h.reported("camera", "ok")
	must(t, h.Freeze(patient(t), true))
	if reason := h.reported("camera", "failed"); !strings.Contains(reason, "no picture") {
		t.Errorf("the reason is %q", reason)
	}
	must(t, h.Freeze(patient(t), false))
	h.reported("camera", "ok")
	checkIdentical(t, clip(t), h.record("2"))
}

// TestMJPEGCamera: the only format that vivid lacks and every webcam has. What the lab shows
// the camera is what the owner sees.
func TestMJPEGCamera(t *testing.T) {
	h := move(t, ARM64, strings.Replace(usbVideo, "h264", "mjpeg", 1)+"[audio]\nsource = \"off\"\n", usb...)
	must(t, h.Plug(patient(t), clipPath))
	h.reported("camera", "ok")
	checkPicture(t, h.record("3"), 640, 360)

	shown := image.NewGray(image.Rect(0, 0, usbcam.Width, usbcam.Height))
	for i := range shown.Pix {
		shown.Pix[i] = byte(i / shown.Stride * 7 / usbcam.Height * 30) // seven stripes
	}
	must(t, h.ShowPicture(patient(t), shown))
	eventually(t, "the owner sees the picture that is shown", func() bool {
		seen := lastPicture(t, h.record("1"), usbcam.Width*usbcam.Height)
		worst := 0
		for y := usbcam.Height / 14; y < usbcam.Height; y += usbcam.Height / 7 { // the middle of each stripe
			i := y*usbcam.Width + usbcam.Width/2
			worst = max(worst, int(seen[i])-int(shown.Pix[i]), int(shown.Pix[i])-int(seen[i]))
		}
		t.Logf("of what is shown the owner sees no brightness wrong by more than %d", worst)
		return worst < 20
	})
}

// TestARMv7: the 32-bit binary runs on a 32-bit kernel, captures and encodes; and what
// plays there does what it promises.
func TestARMv7(t *testing.T) {
	h := move(t, ARMv7, "[capture]\nwidth = 320\nheight = 180\nrate = 15\n"+microphone, vivid, aloop)
	must(t, h.Play(patient(t), speaker, tone))
	h.reported("camera", "ok")
	file := h.record("5")
	if n := checkPicture(t, file, 320, 180); n < 15 {
		t.Errorf("%d pictures in five seconds at 15 a second", n)
	}
	checkTone(t, file, tone)
	h.stop()
	must(t, h.Put(patient(t), "/bin/alsa", 0o755, read(t, testProgram(t, ARMv7, "./pkg/audio/alsa"))))
	keepsContract(t, h.Guest, "alsa", "TestRealOutput")
}
