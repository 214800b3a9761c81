//go:build cgo

package capture

import (
	"errors"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/capture/h264"
	"github.com/camd-project/camd/pkg/capture/v4l2"
	"github.com/camd-project/camd/pkg/proto"
)

// A source that rests is woken for one picture, whose luma is that of the encoder's input.
func TestGray(t *testing.T) {
	b := newBench(t, nil)
	b.source = syntheticSource{b.cfg}
	b.run(t)
	m, err := b.Gray(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.SetPrivacy(true)
	_, held := b.Gray(t.Context())
	b.end()
	if m.Rect.Dx() != 64 || m.Rect.Dy() != 48 || m.Stride != 64 || len(m.Pix) != 64*48 {
		t.Errorf("a picture of %v with lines of %d", m.Rect, m.Stride)
	}
	seen := map[byte]bool{}
	for _, v := range m.Pix[40*64:][:64] {
		seen[v] = true
	}
	if len(seen) < 7 {
		t.Errorf("a line of it has %d values, of 8 bars", len(seen))
	}
	var refusal *proto.Refusal
	if !errors.As(held, &refusal) || refusal.Code != proto.CodePrivacy {
		t.Errorf("in privacy mode the picture was refused with %v", held)
	}
	if len(b.got) != 0 {
		t.Errorf("%d pictures were encoded", len(b.got))
	}
}

// twoWays gives H.264, and raw pictures where those are wanted.
type twoWays struct {
	camera *Camera
	only   bool // it has no raw ones
	opened []bool
}

func (s *twoWays) open() (stream, error) {
	tried := s.camera.choice.avoidH264.Load()
	raw := tried && !s.only
	s.opened = append(s.opened, raw)
	units := clipUnits()
	var many []picture
	for range 200 {
		if raw {
			many = append(many, picture{data: make([]byte, 64*48*3/2)})
		} else {
			many = append(many, whole(units...)...)
		}
	}
	f := newFake(many...)
	f.delay = 50 * time.Millisecond
	f.is.avoidedH264 = tried
	if raw {
		f.is.coded, f.is.raw = false, h264.Source{Layout: h264.I420, Width: 64, Height: 48}
	}
	return f, nil
}

func TestPlainOpensTheCameraInAnotherFormat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		src := &twoWays{camera: b.Camera}
		b.source = src
		b.run(t)
		time.Sleep(time.Second)
		synctest.Wait()
		if _, err := b.Gray(t.Context()); !errors.Is(err, ErrCoded) {
			t.Errorf("Gray() of H.264 = %v", err)
		}
		b.AvoidH264(true)
		time.Sleep(time.Second)
		synctest.Wait()
		if _, err := b.Gray(t.Context()); err != nil {
			t.Errorf("Gray() = %v", err)
		}
		b.AvoidH264(true) // changes nothing
		time.Sleep(time.Second)
		synctest.Wait()
		b.AvoidH264(false)
		time.Sleep(time.Second)
		synctest.Wait()
		if _, err := b.Gray(t.Context()); !errors.Is(err, ErrCoded) {
			t.Errorf("Gray() of H.264 again = %v", err)
		}
		b.end()
		if want := []bool{false, true, false}; !slices.Equal(src.opened, want) {
			t.Errorf("opened raw %v, want %v", src.opened, want)
		}
	})
}

func TestPlainLeavesACameraAloneThatHasOnlyH264(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		src := &twoWays{camera: b.Camera, only: true}
		b.source = src
		b.run(t)
		time.Sleep(time.Second)
		synctest.Wait()
		b.AvoidH264(true)
		time.Sleep(time.Second)
		synctest.Wait()
		_, err := b.Gray(t.Context())
		b.AvoidH264(false)
		time.Sleep(time.Second)
		synctest.Wait()
		b.end()
		if !errors.Is(err, ErrCoded) || len(src.opened) != 2 {
			t.Errorf("Gray() = %v, opened %d times, want twice", err, len(src.opened))
		}
	})
}

func TestPlainFormats(t *testing.T) {
	for name, c := range map[string]struct {
		device v4l2.Device
		format string
		fails  bool
		want   v4l2.PixelFormat
		coded  bool
		tried  bool
	}{
		"H.264 and others":             {withH264(webcam("")), FormatAuto, false, v4l2.MJPEG, false, true},
		"though H.264 is configured":   {withH264(webcam("")), FormatH264, false, v4l2.MJPEG, false, true},
		"raw anyway":                   {webcam(""), FormatAuto, false, v4l2.MJPEG, false, false},
		"H.264 alone":                  {v4l2.Device{Formats: withH264(webcam("")).Formats[2:]}, FormatAuto, false, v4l2.H264, true, true},
		"others that can't be started": {withH264(webcam("")), FormatAuto, true, v4l2.H264, true, true},
	} {
		d := &fakeDriver{paths: []string{"/dev/video0"}, devices: map[string]v4l2.Device{"/dev/video0": c.device}}
		src := &deviceSource{cfg: DefaultConfig(), driver: d, avoidH264: new(atomic.Bool)}
		src.avoidH264.Store(true)
		src.cfg.Format = c.format
		if c.fails {
			src.driver = failsPlain{d}
		}
		s, err := src.open()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if sh := s.shape(); d.got.Pixel != c.want || sh.coded != c.coded || sh.avoidedH264 != c.tried {
			t.Errorf("%s: %s, %+v", name, d.got.Pixel, sh)
		}
	}
}

// failsPlain can't be started but with H.264.
type failsPlain struct{ *fakeDriver }

func (d failsPlain) Prepare(path string, m v4l2.Mode, newest bool) (capturer, error) {
	d.got = v4l2.Mode{}
	if m.Pixel != v4l2.H264 {
		return nil, syscall.ENOSPC
	}
	return d.fakeDriver.Prepare(path, m, newest)
}
