package v4l2

import "testing"

func TestPixelFormatString(t *testing.T) {
	for p, want := range map[PixelFormat]string{H264: "H264", MJPEG: "MJPG", YUYV: "YUYV", NV12: "NV12", YU12: "YU12", 0x01414243: "CBA."} {
		if got := p.String(); got != want {
			t.Errorf("PixelFormat(%#x) = %q, want %q", uint32(p), got, want)
		}
	}
}

func TestSizeRanges(t *testing.T) {
	discrete := Size{MinWidth: 640, MaxWidth: 640, MinHeight: 360, MaxHeight: 360}
	steps := Size{MinWidth: 32, MaxWidth: 1920, StepWidth: 16, MinHeight: 32, MaxHeight: 1088, StepHeight: 2}
	for _, c := range []struct {
		size         Size
		w, h         int
		covers       bool
		nearW, nearH int
	}{
		{discrete, 640, 360, true, 640, 360},
		{discrete, 1280, 720, false, 640, 360},
		{steps, 1280, 720, true, 1280, 720},
		{steps, 1285, 721, false, 1280, 720},
		{steps, 3840, 2160, false, 1920, 1088},
		{steps, 16, 16, false, 32, 32},
	} {
		w, h := c.size.Nearest(c.w, c.h)
		if got := c.size.Covers(c.w, c.h); got != c.covers || w != c.nearW || h != c.nearH {
			t.Errorf("%+v and %dx%d: covers %v, nearest %dx%d", c.size, c.w, c.h, got, w, h)
		}
	}
}
