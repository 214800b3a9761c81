//go:build cgo

package h264

import (
	"errors"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/camd-project/camd/pkg/media/avc"
)

var small = Config{Width: 320, Height: 180, Rate: 15, Bitrate: 400_000}

func start(t testing.TB, cfg Config) *Encoder {
	t.Helper()
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// scene is a texture that moves, with noise, so that the rate control has work.
type scene struct {
	m *image.YCbCr
	r *rand.Rand
	n int
}

func newScene(cfg Config) *scene {
	return &scene{image.NewYCbCr(image.Rect(0, 0, cfg.Width, cfg.Height), image.YCbCrSubsampleRatio420), rand.New(rand.NewPCG(1, 2)), 0}
}

func (s *scene) next() *image.YCbCr {
	s.n++
	w := s.m.YStride
	for i := range s.m.Y {
		x, y := i%w+3*s.n, i/w+s.n
		s.m.Y[i] = byte(128 + 60*math.Sin(float64(x)/9)*math.Cos(float64(y)/7) + float64(s.r.IntN(12)))
	}
	return s.m
}

func encode(t testing.TB, e *Encoder, m *image.YCbCr, key bool) avc.Unit {
	t.Helper()
	b, err := e.Encode(m, key)
	if err != nil {
		t.Fatal(err)
	}
	u, _ := avc.NextUnit(b)
	return u
}

func TestEncoderMakesKeyframesOnlyWhenAsked(t *testing.T) {
	e, moving := start(t, small), newScene(small)
	for i := range 200 {
		want := i == 0 || i == 7 // the first, and the one asked for
		u := encode(t, e, moving.next(), i == 7)
		if !u.Coded {
			if want {
				t.Errorf("keyframe %d was skipped", i)
			}
			continue
		}
		if u.Key != want || u.B || u.Key != u.Sets {
			t.Errorf("picture %d: IDR %v, want %v; sets %v; B %v", i, u.Key, want, u.Sets, u.B)
		}
	}
}

// What was negotiated with viewers, and what recordings say once, stays true.
func TestParameterSetsStayTheSame(t *testing.T) {
	e, s := start(t, small), newScene(small)
	sets := func() string {
		u := encode(t, e, s.next(), true)
		sps, pps := avc.SetsIn(u.Data).Of(u.Data)
		return fmt.Sprintf("%x %x", sps, pps)
	}
	first := sets()
	for name, change := range map[string]func() error{
		"nothing":          func() error { return nil },
		"a high bitrate":   func() error { return e.SetBitrate(8_000_000) },
		"a low bitrate":    func() error { return e.SetBitrate(50_000) }, // another openh264, by finestQP
		"twice the rate":   func() error { return e.SetRate(30) },
		"one frame/second": func() error { return e.SetRate(1) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if got := sets(); got != first {
			t.Errorf("%s: parameter sets %s, want %s", name, got, first)
		}
	}
}

func TestEncoderFormat(t *testing.T) {
	for _, c := range []struct{ w, h int }{{320, 180}, {1280, 720}, {66, 34}} {
		cfg := small
		cfg.Width, cfg.Height = c.w, c.h
		u := encode(t, start(t, cfg), newScene(cfg).next(), false)
		got, err := avc.ParseSPS(avc.SetsIn(u.Data).SPS(u.Data))
		if err != nil || got.Width != c.w || got.Height != c.h || got.Reorder || got.ProfileLevelID[:4] != "42c0" {
			t.Errorf("%dx%d: SPS %+v, %v, want constrained baseline of that size", c.w, c.h, got, err)
		}
	}
}

// bitrate encodes four seconds and measures the last three. No picture may be an IDR, but
// for the encoder's first.
func bitrate(t testing.TB, e *Encoder, s *scene, rate int) int {
	t.Helper()
	bits := 0
	for i := range 4 * rate {
		u := encode(t, e, s.next(), false)
		if u.Key && s.n > 1 {
			t.Errorf("picture %d is an IDR", s.n)
		}
		if i >= rate {
			bits += 8 * len(u.Data)
		}
	}
	return bits / 3
}

func TestEncoderKeepsItsBitrateAndChangesIt(t *testing.T) {
	cfg := small
	cfg.Bitrate = 600_000
	e, s := start(t, cfg), newScene(cfg)
	for _, c := range []struct{ rate, want int }{{15, 600_000}, {15, 200_000}, {15, 500_000}, {5, 500_000}, {30, 300_000}} {
		if err := errors.Join(e.SetRate(float64(c.rate)), e.SetBitrate(c.want)); err != nil {
			t.Fatal(err)
		}
		if got := bitrate(t, e, s, c.rate); got < c.want*7/10 || got > c.want*12/10 {
			t.Errorf("%d bit/s at %d pictures a second, want %d within -30 and +20 %%", got, c.rate, c.want)
		}
	}
}

func TestEncoderTakesAnyBitrateThatMayBeConfigured(t *testing.T) {
	for _, size := range [][2]int{{320, 180}, {1280, 720}, {1920, 1080}} {
		e := start(t, Config{Width: size[0], Height: size[1], Rate: 15, Bitrate: 50_000_000})
		for _, bps := range []int{50_000, 16_800_001, 50_000_000} {
			if err := e.SetBitrate(bps); err != nil {
				t.Errorf("%v: SetBitrate(%d): %v", size, bps, err)
			}
			if unit, err := e.Encode(image.NewYCbCr(image.Rect(0, 0, size[0], size[1]), image.YCbCrSubsampleRatio420), true); err != nil || len(unit) == 0 {
				t.Errorf("%v at %d bit/s: Encode() = %d bytes, %v", size, bps, len(unit), err)
			}
		}
	}
}

func TestEncoderRefuses(t *testing.T) {
	for _, c := range []struct{ w, h int }{{0, 0}, {8, 8}, {321, 180}, {320, 181}} {
		if _, err := New(Config{Width: c.w, Height: c.h, Rate: 15, Bitrate: 100_000}); !errors.Is(err, ErrSize) {
			t.Errorf("New(%dx%d) = %v, want %v", c.w, c.h, err, ErrSize)
		}
	}
	e := start(t, small)
	for name, m := range map[string]*image.YCbCr{
		"other size":        image.NewYCbCr(image.Rect(0, 0, 640, 360), image.YCbCrSubsampleRatio420),
		"other subsampling": image.NewYCbCr(image.Rect(0, 0, 320, 180), image.YCbCrSubsampleRatio422),
	} {
		if _, err := e.Encode(m, false); !errors.Is(err, ErrSize) {
			t.Errorf("%s: Encode() = %v, want %v", name, err, ErrSize)
		}
	}
}

func TestEncoderAllocatesNothing(t *testing.T) {
	e, s := start(t, small), newScene(small)
	m := s.next()
	n := testing.AllocsPerRun(50, func() {
		if _, err := e.Encode(m, false); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations for each picture, want none", n)
	}
}
