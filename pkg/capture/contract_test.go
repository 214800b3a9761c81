//go:build cgo

package capture_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/capture"
	"github.com/camd-project/camd/pkg/capture/capturetest"
	"github.com/camd-project/camd/pkg/capture/strip"
	"github.com/camd-project/camd/pkg/media"
)

func synthetic() capture.Config {
	cfg := capture.DefaultConfig()
	cfg.Source, cfg.Width, cfg.Height, cfg.Rate, cfg.BitrateKbps = capture.SourceSynthetic, 320, 180, 30, 400
	return cfg
}

// clip records a few seconds of the synthetic source into a file.
func clip(t *testing.T, n int) (path string, units []capturetest.Unit) {
	t.Helper()
	r, stop := capturetest.Start(t, synthetic())
	defer r.Feed.Want()()
	units = r.Record(n)
	stop()
	var b bytes.Buffer
	for _, u := range units {
		b.Write(u.Data)
	}
	path = filepath.Join(t.TempDir(), "clip.h264")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, units
}

func TestSyntheticKeepsTheContract(t *testing.T) { capturetest.Contract(t, synthetic()) }

func TestFileKeepsTheContract(t *testing.T) {
	cfg := synthetic()
	cfg.Source = capture.SourceFile
	cfg.File, _ = clip(t, 40)
	capturetest.Contract(t, cfg)
}

func TestFileIsPlayedAsItIsAndLoops(t *testing.T) {
	path, want := clip(t, 20)
	cfg := synthetic()
	cfg.Source, cfg.File, cfg.Rate = capture.SourceFile, path, 60
	r, _ := capturetest.Start(t, cfg)
	for i, got := range r.Record(50) {
		if w := want[i%len(want)]; !bytes.Equal(got.Data, w.Data) || got.Key != w.Key {
			t.Fatalf("access unit %d is not that of the file: %d bytes, want %d", i, len(got.Data), len(w.Data))
		}
	}
	if f, _ := r.Format(); f.CanForceIDR || f.Width != 320 || f.Rate != 60 {
		t.Errorf("Format() = %+v", f)
	}
}

// counters decodes a recording and reads the number of each picture.
func counters(t *testing.T, units []capturetest.Unit, format media.VideoFormat) (l []uint32) {
	t.Helper()
	for i, m := range capturetest.Decode(t, units, format) {
		n, ok := strip.Read(m)
		if !ok {
			t.Errorf("picture %d: no number can be read", i)
		}
		l = append(l, n)
	}
	return l
}

func TestSyntheticPicturesAreNumbered(t *testing.T) {
	for name, change := range map[string]func(*capture.Config){
		"small":       func(*capture.Config) {},
		"low bitrate": func(c *capture.Config) { c.BitrateKbps = 120 },
		"large":       func(c *capture.Config) { c.Width, c.Height, c.Rate, c.BitrateKbps = 1280, 720, 15, 1500 },
		"flat":        func(c *capture.Config) { c.Height = 96 },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := synthetic()
			change(&cfg)
			r, stop := capturetest.Start(t, cfg)
			defer r.Feed.Want()()
			units := r.Record(20)
			stop()
			format, _ := r.Format()
			l := counters(t, units, format)
			if !slices.IsSorted(l) || l[len(l)-1] < l[0]+19 {
				t.Errorf("numbers %v, want them to rise", l)
			}
		})
	}
}

func TestSyntheticPictureMovesAndIsFlipped(t *testing.T) {
	cfg := synthetic()
	cfg.FlipVertical = true
	r, stop := capturetest.Start(t, cfg)
	defer r.Feed.Want()()
	units := r.Record(10)
	stop()
	format, _ := r.Format()
	pics := capturetest.Decode(t, units, format)
	if bytes.Equal(pics[0].Y, pics[9].Y) {
		t.Error("the picture doesn't move")
	}
	if n, ok := strip.Read(pics[0]); ok {
		t.Errorf("read number %d at the top of a flipped picture", n)
	}
	for y := range format.Height / 2 { // turn it back
		a, b := pics[0].Y[y*format.Width:][:format.Width], pics[0].Y[(format.Height-1-y)*format.Width:][:format.Width]
		for i := range a {
			a[i], b[i] = b[i], a[i]
		}
	}
	if _, ok := strip.Read(pics[0]); !ok {
		t.Error("no number at the bottom of a flipped picture")
	}
}

// Nobody is there at first: nothing is published. Each return begins with an IDR.
func TestSyntheticRestsWhileNobodyWantsPictures(t *testing.T) {
	r, _ := capturetest.Start(t, synthetic())
	r.Eventually("a known format", func() bool { _, ok := r.Format(); return ok })
	for range 2 {
		release := r.Feed.Want()
		if u := r.Next(); !u.Key {
			t.Error("the first picture after a rest is no keyframe")
		}
		r.Record(3)
		release()
		r.Drain()
	}
}

// Both streams show the same pictures at the same time, and each can be decoded by itself.
func TestSecondStreamShowsTheSamePictures(t *testing.T) {
	cfg := synthetic()
	cfg.Width, cfg.Height, cfg.Rate, cfg.BitrateKbps, cfg.Low.Height, cfg.Low.Rate = 1024, 576, 20, 1200, 288, 10
	r, stop := capturetest.Start(t, cfg)
	second := make(chan capturetest.Unit, 1024)
	r.Low().Feed().Subscribe(func(u *media.AccessUnit) {
		second <- capturetest.Unit{Data: bytes.Clone(u.Data), PTS: u.PTS, Key: u.Key}
	})
	defer r.Feed.Want()()
	defer r.Low().Feed().Want()()
	units := r.Record(60)
	stop()
	close(second)
	var low []capturetest.Unit
	for u := range second {
		low = append(low, u)
	}
	format, known := r.Low().Format()
	if !known || format.Width != 512 || format.Height != 288 || format.Rate != 10 || !format.CanForceIDR {
		t.Errorf("Format() of the second stream = %+v, %v", format, known)
	}
	main, _ := r.Format()
	if format.ProfileLevelID[:4] != main.ProfileLevelID[:4] || format.ProfileLevelID > main.ProfileLevelID {
		t.Errorf("profile and level %s, which a decoder of %s need not take", format.ProfileLevelID, main.ProfileLevelID)
	}
	capturetest.CheckUnits(t, low, format)
	numbers := map[time.Duration]uint32{}
	for i, n := range counters(t, units, main) {
		numbers[units[i].PTS] = n
	}
	same := 0
	for i, n := range counters(t, low, format) {
		if want, both := numbers[low[i].PTS]; both && n != want {
			t.Errorf("picture %d of the second stream is number %d at %v, where the first one shows %d", i, n, low[i].PTS, want)
		} else if both {
			same++
		}
	}
	if same < 10 {
		t.Errorf("only %d pictures are in both streams", same)
	}
}
