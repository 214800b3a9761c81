package lab

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/camd-project/camd/test/lab/usbcam"
)

// TestFromTheBoxByTheLens: a client without Bluetooth shows a code, the camera reads it in the
// pictures of its own kernel device, joins the Wi-Fi, and its receipt comes through the broker.
func TestFromTheBoxByTheLens(t *testing.T) {
	t.Parallel()
	u := unbox(t, strings.Replace(usbVideo, "h264", "mjpeg", 1), wpa2)
	dir := t.TempDir()
	password := filepath.Join(dir, "password")
	must(t, os.WriteFile(password, []byte(homePassword+"\n"), 0o600))
	phone := u.camctl("pair", "--qr", "--png", dir, "--label", u.label, "--name", "Anna",
		"--wifi", u.point.SSID, "--wifi-password-file", password, "--broker", "mqtts://"+brokerAddress(), "--ca", u.pki.Path())
	var said bytes.Buffer
	phone.Stdout, phone.Stderr = &said, &said
	var err error
	u.net.Do(func() { err = phone.Start() })
	must(t, err)
	ended := make(chan error, 1)
	go func() { ended <- phone.Wait() }()
	parts := written(t, dir)

	began := time.Now()
	u.press(pairKey, 3500*time.Millisecond)
	u.air.says("camd", "looking for a code")
	for i, path := range parts {
		must(t, u.ShowPicture(patient(t), inView(t, path)))
		if i < len(parts)-1 {
			u.air.says("camd", fmt.Sprintf("have=%d of=%d", i+1, len(parts)))
		}
	}
	u.air.says("camd", "code read")
	t.Logf("%d parts read after %.1f s", len(parts), time.Since(began).Seconds())
	select {
	case err = <-ended:
	case <-patient(t).Done():
		err = fmt.Errorf("it has not ended")
	}
	if err != nil {
		t.Fatalf("camctl pair --qr: %v\n%s", err, said.String())
	}
	u.condition("broker", "ok")
	u.watch().more(second{}, 1)
	t.Logf("%.1f s from the button to a live picture", time.Since(began).Seconds())
	u.stop()
}

// written waits until all parts of the code are in the folder.
func written(t *testing.T, dir string) (parts []string) {
	t.Helper()
	eventually(t, "the code is written", func() bool {
		all, err := filepath.Glob(filepath.Join(dir, "code-*-of-*.png"))
		must(t, err)
		slices.Sort(all)
		parts = all
		return len(all) > 0 && strings.HasSuffix(all[len(all)-1], fmt.Sprintf("code-%02d-of-%02d.png", len(all), len(all)))
	})
	return parts
}

// inView is what the camera sees of a part that is held in front of it.
func inView(t *testing.T, path string) image.Image {
	t.Helper()
	drawn, err := png.Decode(bytes.NewReader(read(t, path)))
	must(t, err)
	const side, left, top = 315, (usbcam.Width - 315) / 2, (usbcam.Height - 315) / 2
	seen := image.NewGray(image.Rect(0, 0, usbcam.Width, usbcam.Height))
	for y := range usbcam.Height {
		for x := range usbcam.Width {
			seen.SetGray(x, y, color.Gray{Y: 200})
			if p := image.Pt((x-left)*drawn.Bounds().Dx()/side, (y-top)*drawn.Bounds().Dy()/side); x >= left && y >= top && p.In(drawn.Bounds()) {
				seen.Set(x, y, drawn.At(p.X, p.Y))
			}
		}
	}
	return seen
}
