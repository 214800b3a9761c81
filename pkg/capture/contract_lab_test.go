//go:build lab && linux && cgo

package capture_test

import (
	"fmt"
	"testing"

	"github.com/camd-project/camd/pkg/capture"
	"github.com/camd-project/camd/pkg/capture/capturetest"
	"github.com/camd-project/camd/pkg/capture/v4l2"
)

// TestRealCamerasKeepTheContract runs where there are cameras that nobody uses: in
// the lab's guest (go test -c -tags lab), with vivid and a USB camera. Each camera
// is tried with every kind of format that it offers.
func TestRealCamerasKeepTheContract(t *testing.T) {
	devices, err := capture.Probe()
	if err != nil {
		t.Fatal(err)
	}
	tried, multiplanar, metadata := 0, 0, 0
	for _, d := range devices {
		if d.Other {
			t.Logf("%s %s: %s", d.Path, d.Name, d.Problem)
			if d.Problem == "metadata only" {
				metadata++ // of the USB camera
			}
			continue
		}
		if d.Multiplanar {
			multiplanar++
		}
		if d.Problem != "" {
			t.Errorf("%s: %s", d.Path, d.Problem)
			continue
		}
		for _, format := range kinds(d.Device) {
			tried++
			t.Run(fmt.Sprintf("%s %s multiplanar=%v %s", d.Path, d.Name, d.Multiplanar, format), func(t *testing.T) {
				cfg := capture.DefaultConfig()
				cfg.Device, cfg.Format, cfg.Width, cfg.Height, cfg.Rate = d.Path, format, 640, 360, 15
				capturetest.Contract(t, cfg)
			})
		}
	}
	if tried == 0 || multiplanar != 1 || metadata != 1 {
		t.Fatalf("%d formats tried; %d multi-planar cameras and %d metadata nodes, want one of each", tried, multiplanar, metadata)
	}
}

// kinds lists the values of Config.Format that a device can satisfy.
func kinds(d v4l2.Device) (l []string) {
	for _, f := range d.Formats {
		kind, ok := map[v4l2.PixelFormat]string{
			v4l2.H264: capture.FormatH264, v4l2.MJPEG: capture.FormatMJPEG, v4l2.YUYV: capture.FormatRaw,
		}[f.Pixel]
		if ok {
			l = append(l, kind)
		}
	}
	return l
}
