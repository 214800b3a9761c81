package capture

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/camd-project/camd/pkg/capture/h264"
	"github.com/camd-project/camd/pkg/capture/v4l2"
	"github.com/camd-project/camd/pkg/health"
)

// fakeDriver is a machine whose cameras come and go.
type fakeDriver struct {
	paths    []string
	devices  map[string]v4l2.Device
	problems map[string]error

	got      v4l2.Mode            // what Prepare really sets; zero: what is asked for
	controls map[v4l2.Control]int // those that the camera has, and their values
	prepared []string             // paths
	newest   bool
	startErr error
	closed   int
}

func (d *fakeDriver) Paths() ([]string, error) { return d.paths, nil }

func (d *fakeDriver) Describe(path string, _, _ int) (v4l2.Device, error) {
	dev, ok := d.devices[path]
	if err := d.problems[path]; err != nil {
		return dev, fmt.Errorf("open %s: %w", path, err)
	}
	if !ok {
		return dev, fmt.Errorf("open %s: %w", path, fs.ErrNotExist)
	}
	dev.Path = path
	return dev, nil
}

func (d *fakeDriver) Prepare(path string, m v4l2.Mode, newest bool) (capturer, error) {
	d.prepared, d.newest = append(d.prepared, path), newest
	if d.got == (v4l2.Mode{}) {
		d.got = m
	}
	return fakeCapturer{d}, nil
}

type fakeCapturer struct{ d *fakeDriver }

func (c fakeCapturer) Start() error              { return c.d.startErr }
func (c fakeCapturer) Grab() (v4l2.Frame, error) { return v4l2.Frame{}, v4l2.ErrInterrupted }
func (c fakeCapturer) Interrupt()                {}
func (c fakeCapturer) Close() error              { c.d.closed++; return nil }
func (c fakeCapturer) Got() (v4l2.Mode, int)     { return c.d.got, 0 }

func (c fakeCapturer) Has(k v4l2.Control) bool {
	_, ok := c.d.controls[k]
	return ok
}

func (c fakeCapturer) Set(k v4l2.Control, v int) error {
	if !c.Has(k) {
		return v4l2.ErrNoControl
	}
	c.d.controls[k] = v
	return nil
}

func exact(w, h int, rates ...float64) v4l2.Size {
	return v4l2.Size{MinWidth: w, MaxWidth: w, MinHeight: h, MaxHeight: h, Rates: rates}
}

func webcam(bus string) v4l2.Device {
	return v4l2.Device{Name: "Cam", Bus: bus, Formats: []v4l2.Format{
		{Pixel: v4l2.YUYV, Sizes: []v4l2.Size{exact(640, 480, 15, 30), exact(1280, 720, 5, 10)}},
		{Pixel: v4l2.MJPEG, Sizes: []v4l2.Size{exact(640, 480, 15, 30), exact(1280, 720, 15, 30)}},
	}}
}

func withH264(d v4l2.Device) v4l2.Device {
	d.Formats = append(d.Formats, v4l2.Format{Pixel: v4l2.H264, Sizes: []v4l2.Size{exact(1280, 720, 15, 30), exact(640, 480, 30)}})
	return d
}

func TestChooseTakesSizeThenRateThenTheOrderOfFormats(t *testing.T) {
	vivid := v4l2.Device{Formats: []v4l2.Format{{Pixel: v4l2.NV12, Sizes: []v4l2.Size{
		{MinWidth: 32, MaxWidth: 1920, StepWidth: 16, MinHeight: 32, MaxHeight: 1080, StepHeight: 4, Rates: []float64{5, 12.5}},
	}}}}
	silent := v4l2.Device{Formats: []v4l2.Format{{Pixel: v4l2.UYVY}}}
	for name, c := range map[string]struct {
		device v4l2.Device
		change func(*Config)
		want   string
	}{
		"JPEG, because raw is too slow":   {webcam(""), func(*Config) {}, "MJPG 1280x720 15"},
		"raw, where it is fast enough":    {webcam(""), func(c *Config) { c.Width, c.Height = 640, 480 }, "YUYV 640x480 15"},
		"H.264 first":                     {withH264(webcam("")), func(*Config) {}, "H264 1280x720 15"},
		"H.264 at a higher rate":          {withH264(webcam("")), func(c *Config) { c.Width, c.Height = 640, 480 }, "H264 640x480 30"},
		"raw is forced":                   {withH264(webcam("")), func(c *Config) { c.Format = FormatRaw }, "YUYV 1280x720 10"},
		"JPEG is forced":                  {withH264(webcam("")), func(c *Config) { c.Format = FormatMJPEG }, "MJPG 1280x720 15"},
		"the highest rate below":          {withH264(webcam("")), func(c *Config) { c.Rate = 60 }, "H264 1280x720 30"},
		"the nearest size":                {webcam(""), func(c *Config) { c.Width, c.Height = 1920, 1080 }, "MJPG 1280x720 15"},
		"29.97 is 30":                     {v4l2.Device{Formats: []v4l2.Format{{Pixel: v4l2.NV12, Sizes: []v4l2.Size{exact(1280, 720, 29.97, 60)}}}}, func(c *Config) { c.Rate = 30 }, "NV12 1280x720 29.97"},
		"a range of sizes":                {vivid, func(*Config) {}, "NV12 1280x720 12.5"},
		"a driver that lists no sizes":    {silent, func(*Config) {}, "UYVY 1280x720 15"},
		"nothing, if the format is wrong": {webcam(""), func(c *Config) { c.Format = FormatH264 }, "none"},
		"nothing, without formats":        {v4l2.Device{}, func(*Config) {}, "none"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := DefaultConfig()
			c.change(&cfg)
			got := "none"
			if m, ok := choose(c.device, cfg); ok {
				got = fmt.Sprintf("%s %dx%d %g", m.Pixel, m.Width, m.Height, m.Rate)
			}
			if got != c.want {
				t.Errorf("chose %s, want %s", got, c.want)
			}
		})
	}
}

func TestCameraIsFoundAgainByItsBusPath(t *testing.T) {
	for _, device := range []string{"auto", "/dev/video0", "usb-1"} {
		d := &fakeDriver{paths: []string{"/dev/video0", "/dev/video2"}, devices: map[string]v4l2.Device{"/dev/video0": webcam("usb-1"), "/dev/video2": webcam("usb-2")}}
		src := &deviceSource{cfg: DefaultConfig(), driver: d}
		src.cfg.Device = device
		open := func() {
			if _, err := src.open(); err != nil {
				t.Fatalf("device %s: %v", device, err)
			}
		}
		open()
		d.paths = []string{"/dev/video0", "/dev/video1"}
		d.devices = map[string]v4l2.Device{"/dev/video0": webcam("usb-2"), "/dev/video1": webcam("usb-1")}
		open()
		if d.prepared[0] != "/dev/video0" || d.prepared[1] != "/dev/video1" {
			t.Errorf("device %s: opened %v", device, d.prepared)
		}
	}
}

func TestNoCameraSaysWhatWasLookedAt(t *testing.T) {
	for name, c := range map[string]struct {
		driver *fakeDriver
		change func(*Config)
		want   []string
		cause  error
	}{
		"nothing": {&fakeDriver{}, func(*Config) {}, []string{"No camera was found: there is no device /dev/video*", "plug one in"}, errNoCamera},
		"metadata": {
			&fakeDriver{paths: []string{"/dev/video1"}, devices: map[string]v4l2.Device{"/dev/video1": {Name: "Cam"}}, problems: map[string]error{"/dev/video1": v4l2.NotCamera("metadata only")}},
			func(*Config) {}, []string{"No camera was found: looked at /dev/video1 (\"Cam\": metadata only); plug one in."}, errNoCamera,
		},
		"several": {
			&fakeDriver{
				paths:    []string{"/dev/video0", "/dev/video1", "/dev/video2", "/dev/video3", "/dev/video4", "/dev/video5", "/dev/video6", "/dev/video7", "/dev/video8"},
				devices:  map[string]v4l2.Device{"/dev/video3": {Name: "Bayer", Formats: []v4l2.Format{{Pixel: 'B' | 'A'<<8 | '8'<<16 | '1'<<24}, {Pixel: 'N' | 'M'<<8 | '1'<<16 | '2'<<24}}}, "/dev/video4": {Name: "Empty"}},
				problems: map[string]error{"/dev/video1": v4l2.NotCamera("output only"), "/dev/video2": syscall.EBUSY, "/dev/video5": v4l2.ErrNoNode, "/dev/video6": syscall.ENODEV, "/dev/video7": syscall.EIO, "/dev/video8": syscall.EIO},
			},
			func(*Config) {}, []string{
				"looked at /dev/video1 (output only), /dev/video2 (the camera is in use by another program", "/dev/video3 (\"Bayer\": no usable format, only BA81, NM12 in more than one piece of memory)",
				"/dev/video4 (\"Empty\": no format at all)", "/dev/video5 (the kernel has the camera, but /dev has no node", "and 2 more, which camd check lists",
			}, syscall.EBUSY,
		},
		"forbidden": {&fakeDriver{paths: []string{"/dev/video0"}, problems: map[string]error{"/dev/video0": syscall.EACCES}}, func(*Config) {}, []string{"/dev/video0", "group video"}, fs.ErrPermission},
		"another one": {
			&fakeDriver{paths: []string{"/dev/video0"}, devices: map[string]v4l2.Device{"/dev/video0": webcam("usb-2")}},
			func(c *Config) { c.Device = "usb-1" },
			[]string{"No camera usb-1 was found", "/dev/video0 (\"Cam\" at usb-2)"}, errNoCamera,
		},
		"without the format": {
			&fakeDriver{paths: []string{"/dev/video0"}, devices: map[string]v4l2.Device{"/dev/video0": webcam("usb-2")}},
			func(c *Config) { c.Format = FormatH264 },
			[]string{"No camera with format h264", "/dev/video0 (\"Cam\": no usable format, only YUYV, MJPG)"}, errNoCamera,
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := DefaultConfig()
			c.change(&cfg)
			_, err := (&deviceSource{cfg: cfg, driver: c.driver}).open()
			for _, w := range c.want {
				if !strings.Contains(explain(err), w) {
					t.Errorf("explained as %q, want it to say %q", explain(err), w)
				}
			}
			if !errors.Is(err, c.cause) {
				t.Errorf("cause %v, want %v", err, c.cause)
			}
		})
	}
}

// openWith opens the one camera of a fake machine.
func openWith(t *testing.T, d *fakeDriver, dev v4l2.Device, change func(*Config)) shape {
	t.Helper()
	d.paths, d.devices = []string{"/dev/video0"}, map[string]v4l2.Device{"/dev/video0": dev}
	src := &deviceSource{cfg: DefaultConfig(), driver: d}
	change(&src.cfg)
	s, err := src.open()
	if err != nil {
		t.Fatal(err)
	}
	return s.shape()
}

func TestWhatTheDriverReallySetIsReported(t *testing.T) {
	d := &fakeDriver{got: v4l2.Mode{Pixel: v4l2.MJPEG, Width: 640, Height: 480, Rate: 12.5}}
	s := openWith(t, d, webcam(""), func(*Config) {})
	if s.rate != 12.5 || s.raw.Width != 640 || s.raw.Layout != h264.MJPEG || s.coded || !s.driven || !d.newest {
		t.Errorf("shape %+v, newest %v", s, d.newest)
	}
}

func TestFlips(t *testing.T) {
	both := func(c *Config) { c.FlipHorizontal, c.FlipVertical = true, true }
	t.Run("by the driver where it can, else on the way", func(t *testing.T) {
		d := &fakeDriver{controls: map[v4l2.Control]int{v4l2.HFlip: 0}}
		s := openWith(t, d, webcam(""), both)
		if d.controls[v4l2.HFlip] != 1 || s.raw.FlipHorizontal || !s.raw.FlipVertical || len(s.losses) != 0 {
			t.Errorf("controls %v, shape %+v", d.controls, s)
		}
	})
	t.Run("a flip of the last time is taken back", func(t *testing.T) {
		d := &fakeDriver{controls: map[v4l2.Control]int{v4l2.VFlip: 1}}
		if openWith(t, d, webcam(""), func(*Config) {}); d.controls[v4l2.VFlip] != 0 {
			t.Errorf("controls %v", d.controls)
		}
	})
	t.Run("H.264 can't be flipped on the way", func(t *testing.T) {
		s := openWith(t, &fakeDriver{}, withH264(webcam("")), both)
		if len(s.losses) != 2 || !strings.Contains(s.losses[0], "flip_horizontal") || !strings.Contains(s.losses[1], "flip_vertical") {
			t.Errorf("losses %q", s.losses)
		}
	})
}

func TestH264CameraIsSetUpForLiveVideo(t *testing.T) {
	d := &fakeDriver{controls: map[v4l2.Control]int{v4l2.BFrames: 2, v4l2.Bitrate: 0, v4l2.GOPSize: 0, v4l2.RepeatHeaders: 0, v4l2.ForceKeyframe: 0}}
	s := openWith(t, d, withH264(webcam("")), func(*Config) {})
	c := d.controls
	if c[v4l2.BFrames] != 0 || c[v4l2.Bitrate] != 1_500_000 || c[v4l2.GOPSize] != 30 || c[v4l2.RepeatHeaders] != 1 || c[v4l2.ForceKeyframe] != 0 {
		t.Errorf("controls %v", c)
	}
	if !s.coded || !s.forceIDR || d.newest {
		t.Errorf("shape %+v, newest %v", s, d.newest)
	}
	if s := openWith(t, &fakeDriver{}, withH264(webcam("")), func(*Config) {}); s.forceIDR {
		t.Error("a camera without the control claims to force keyframes")
	}
}

func TestCameraThatDoesNotStartIsClosed(t *testing.T) {
	d := &fakeDriver{startErr: syscall.EBUSY, paths: []string{"/dev/video0"}, devices: map[string]v4l2.Device{"/dev/video0": webcam("")}}
	_, err := (&deviceSource{cfg: DefaultConfig(), driver: d}).open()
	if !errors.Is(err, syscall.EBUSY) || explain(err) != "/dev/video0 (\"Cam\") is in use by another program: end that program." || d.closed != 1 {
		t.Errorf("open() = %v, explained as %q, closed %d times", err, explain(err), d.closed)
	}
}

func TestProbe(t *testing.T) {
	d := &fakeDriver{
		paths: []string{"/dev/video0", "/dev/video1", "/dev/video2", "/dev/video3"},
		devices: map[string]v4l2.Device{
			"/dev/video0": webcam("usb-1"), "/dev/video1": {Name: "Cam"}, "/dev/video3": {Name: "Bayer", Formats: []v4l2.Format{{Pixel: 'B' | 'A'<<8 | '8'<<16 | '1'<<24}}},
		},
		problems: map[string]error{"/dev/video1": v4l2.NotCamera("metadata only"), "/dev/video2": syscall.EACCES},
	}
	got, err := probe(d)
	if err != nil || len(got) != 4 {
		t.Fatalf("probe() = %+v, %v", got, err)
	}
	for i, want := range []struct {
		path, name, problem string
		other               bool
	}{
		{"/dev/video0", "Cam", "", false},
		{"/dev/video1", "Cam", "metadata only", true},
		{"/dev/video2", "", "camd may not open the camera: add its user to the group video", false},
		{"/dev/video3", "Bayer", "no usable format, only BA81; camd can use H264, YU12, NV12, YUYV, UYVY, MJPG, JPEG", false},
	} {
		if g := got[i]; g.Path != want.path || g.Name != want.name || g.Problem != want.problem || g.Other != want.other {
			t.Errorf("device %d: %+v, want %+v", i, g, want)
		}
	}
}

func TestTryTellsWhetherPicturesCanBeUsed(t *testing.T) {
	for name, c := range map[string]struct {
		stream *fakeStream
		err    error
		state  health.State
		reason string
	}{
		"pictures": {newFake(whole(slices.Repeat(clipUnits(), enough)...)...), nil, health.OK, ""},
		"nothing":  {newFake(), nil, health.Failed, "no picture for 3s"},
		"damaged":  {newFake(slices.Repeat([]picture{{damaged: true}}, 99)...), nil, health.Failed, "only damaged"},
		"busy":     {nil, syscall.EBUSY, health.Failed, "in use by another program"},
		// What can't be used is not always the first picture.
		"B-frames":   {newFake(whole(unitsOf(t, "testdata/bframes.h264")...)...), nil, health.Failed, "B-frames"},
		"High 4:2:2": {newFake(whole(unitsOf(t, "testdata/high422.h264")...)...), nil, health.Degraded, "profile_idc 122"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src := &fakeSource{script: func(int) (*fakeStream, error) {
					if c.stream != nil {
						c.stream.stop = make(chan struct{}, 8)
					}
					return c.stream, c.err
				}}
				s, err := try(t.Context(), testConfig(), src)
				if err != nil || s.State != c.state || !strings.Contains(s.Reason, c.reason) {
					t.Errorf("%+v, %v", s, err)
				}
				if c.stream != nil && c.stream.closedAt.IsZero() {
					t.Error("the camera was left open")
				}
			})
		})
	}
}

func TestNewRefuses(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"odd width":             func(c *Config) { c.Width = 641 },
		"no rate":               func(c *Config) { c.Rate = 0 },
		"file without a path":   func(c *Config) { c.Source = SourceFile },
		"camera without a name": func(c *Config) { c.Device = "" },
		"unknown source":        func(c *Config) { c.Source = "rtsp" },
	} {
		cfg := DefaultConfig()
		change(&cfg)
		if _, err := New(cfg, nil, nil, nil); !errors.Is(err, errConfig) {
			t.Errorf("%s: New() = %v", name, err)
		}
	}
}
