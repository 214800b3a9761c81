//go:build cgo

package capture

import (
	"errors"
	"image"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/capture/h264"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/media"
)

func TestLowSize(t *testing.T) {
	for _, c := range []struct {
		source image.Point
		lines  int
		want   image.Point
	}{
		{image.Pt(1280, 720), 360, image.Pt(640, 360)},
		{image.Pt(1920, 1080), 360, image.Pt(640, 360)},
		{image.Pt(640, 480), 360, image.Pt(480, 360)},
		{image.Pt(720, 1280), 360, image.Pt(202, 360)},
		{image.Pt(640, 360), 360, image.Pt(640, 360)},
		{image.Pt(320, 180), 360, image.Pt(320, 180)}, // never enlarged
		{image.Pt(1280, 720), 91, image.Pt(160, 90)},
		{image.Pt(854, 480), 360, image.Pt(640, 360)},
	} {
		if got := lowSize(c.source, c.lines); got != c.want {
			t.Errorf("lowSize(%v, %d) = %v, want %v", c.source, c.lines, got, c.want)
		}
	}
}

func TestNoSecondStreamThatSavesNothing(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"switched off":     func(c *Config) { c.Low.Enabled = false },
		"the same bitrate": func(c *Config) { c.BitrateKbps = c.Low.BitrateKbps },
	} {
		cfg := DefaultConfig()
		if cfg.Source = SourceSynthetic; !cfg.hasLow() {
			t.Fatal("there is none by default")
		}
		if change(&cfg); cfg.hasLow() {
			t.Errorf("%s: there is a second stream", name)
		}
	}
}

// lowBench drives the encoders by hand: no camera runs.
type lowBench struct {
	*bench
	*encode
	draw *drawing
	n    int
	low  chan published
}

func newLowBench(t *testing.T, change func(*Config)) *lowBench {
	t.Helper()
	b := &lowBench{bench: newBench(t, nil), low: make(chan published, 100)}
	b.cfg.Low.Height = 32
	if change != nil {
		change(&b.cfg)
	}
	d, err := syntheticSource{b.cfg}.open()
	if err != nil {
		t.Fatal(err)
	}
	if b.encode, err = newEncode(b.Camera, d.shape()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.encode.close)
	b.draw = d.(*drawing)
	b.Low().Feed().Subscribe(func(u *media.AccessUnit) {
		b.low <- published{slices.Clone(u.Data), u.PTS, u.Key, u.Gradual}
	})
	return b
}

// step has one picture encoded, a tenth of a second after the last one.
func (b *lowBench) step(t *testing.T) (pts time.Duration) {
	t.Helper()
	b.n++
	b.draw.draw(b.n, time.Unix(int64(b.n), 0))
	pts = time.Duration(b.n) * 100 * time.Millisecond
	if _, err := b.take(picture{data: b.draw.buf, pts: pts}); err != nil {
		t.Fatal(err)
	}
	return pts
}

func TestEachStreamIsEncodedOnlyWhileItIsWanted(t *testing.T) {
	b := newLowBench(t, nil)
	for name, want := range map[string][2]bool{"none": {}, "first": {true, false}, "second": {false, true}, "both": {true, true}} {
		var release []func()
		if want[0] {
			release = append(release, b.out.Want())
		}
		if want[1] {
			release = append(release, b.Low().Feed().Want())
		}
		before := len(b.got)
		pts := b.step(t)
		if want[1] {
			if u := <-b.low; u.PTS != pts || !u.Key {
				t.Errorf("%s wanted: the second stream begins with %v, key %v, want an IDR of %v", name, u.PTS, u.Key, pts)
			}
		}
		if first := len(b.got) > before; first != want[0] || len(b.low) > 0 {
			t.Errorf("%s wanted: the first stream has a picture: %v, the second one %d more", name, first, len(b.low))
		}
		for _, r := range release {
			r()
		}
		b.step(t)
		if b.main.encoder != nil || b.encode.low.jobs != nil {
			t.Errorf("%s wanted no more: an encoder is left", name)
		}
	}
}

func TestStreamsAnswerTheirOwnRequests(t *testing.T) {
	b := newLowBench(t, nil)
	defer b.out.Want()()
	defer b.Low().Feed().Want()()
	b.step(t)
	<-b.low
	for i, ask := range []*Output{&b.Output, b.Low(), nil} {
		if ask != nil {
			ask.RequestKeyframe()
		}
		b.step(t)
		first, second := b.got[len(b.got)-1].Key, (<-b.low).Key
		if first != (i == 0) || second != (i == 1) {
			t.Errorf("request %d: IDR in the first stream %v, in the second one %v", i, first, second)
		}
	}
	b.Low().SetBitrate(100_000)
	b.step(t)
	<-b.low
	b.encode.close() // its goroutine has the encoding until then
	if first, second := b.main.bitrate, b.encode.low.bitrate; first != b.highest || second != 100_000 {
		t.Errorf("bitrates %d and %d, want %d and 100000", first, second, b.highest)
	}
}

// What shows the second stream may be slow: the first one loses nothing.
func TestASlowSecondStreamLeavesPicturesOut(t *testing.T) {
	b := newLowBench(t, nil)
	defer b.out.Want()()
	defer b.Low().Feed().Want()()
	gate := make(chan struct{})
	b.Low().Feed().Subscribe(func(*media.AccessUnit) { <-gate })
	const pictures = 20
	for range pictures {
		b.step(t)
	}
	if len(b.got) != pictures {
		t.Errorf("%d pictures of %d in the first stream", len(b.got), pictures)
	}
	close(gate)
	b.encode.close()
	if n := len(b.low); n != lowPictures {
		t.Errorf("%d pictures in the second stream, want the %d that were on their way", n, lowPictures)
	}
}

func TestABusyFirstStreamComesFirst(t *testing.T) {
	b := newLowBench(t, nil)
	defer b.Low().Feed().Want()()
	m := image.NewYCbCr(image.Rect(0, 0, 64, 48), image.YCbCrSubsampleRatio420)
	const interval = 100 * time.Millisecond
	var taken []time.Duration
	for i := range 30 {
		busy := interval / 2
		if i >= 10 {
			busy = interval
		}
		pts := time.Duration(i+1) * interval
		before := b.encode.low.taken
		b.encode.low.take(m, pts, busy)
		if b.encode.low.taken != before {
			taken = append(taken, pts)
			<-b.low
		}
	}
	want := []time.Duration{20 * interval, 30 * interval} // one a second at the least
	if len(taken) != 12 || !slices.Equal(taken[10:], want) {
		t.Errorf("taken at %v, want the first ten and then %v", taken, want)
	}
}

func TestFaultOfTheSecondStreamIsNoFaultOfTheFirst(t *testing.T) {
	b := newLowBench(t, nil)
	defer b.out.Want()()
	defer b.Low().Feed().Want()()
	b.step(t)
	<-b.low
	cause := errors.New("out of memory")
	b.encode.low.failed.Store(&cause)
	broken := b.step(t)
	if state, reason := b.trouble(); state != health.Degraded || reason != lowFault {
		t.Errorf("health is %s %q", state, reason)
	}
	if _, known := b.Low().Format(); known {
		t.Error("a stream that can't be encoded has a format")
	}
	for b.step(t) < broken+lowRetry-100*time.Millisecond {
	}
	if len(b.low) != 0 || len(b.got) != b.n {
		t.Errorf("%d pictures in the second stream, and %d of %d in the first", len(b.low), len(b.got), b.n)
	}
	b.step(t)
	if u := <-b.low; !u.Key {
		t.Error("the second stream goes on without an IDR")
	}
	f, known := b.Low().Format()
	if state, reason := b.trouble(); state != health.OK || reason != "" || !known || f.Height != 32 {
		t.Errorf("health is %s %q, format %+v", state, reason, f)
	}
}

func TestSecondStreamThatCannotBe(t *testing.T) {
	b := newLowBench(t, func(c *Config) { c.Low.Height = 14 }) // openh264 takes 16 lines
	defer b.out.Want()()
	b.step(t)
	if state, reason := b.trouble(); state != health.Degraded || reason != lowFault || len(b.got) != 1 {
		t.Errorf("health is %s %q with %d pictures", state, reason, len(b.got))
	}
}

func TestACameraThatGivesH264HasNoSecondStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &fakeSource{script: endless})
		b.low.format.Store(&media.VideoFormat{Width: 16}) // of raw pictures before
		b.run(t)
		defer b.Low().Feed().Want()()
		time.Sleep(time.Second)
		b.end()
		if f, known := b.Low().Format(); known || len(b.got) == 0 {
			t.Errorf("format %+v, %d pictures in the first stream", f, len(b.got))
		}
	})
}

// rawPictures returns a camera that gives raw pictures at 10 Hz for a good while.
func rawPictures(int) (*fakeStream, error) {
	f := newFake(slices.Repeat([]picture{{data: make([]byte, 64*48*3/2)}}, 10000)...)
	f.is.coded, f.is.raw = false, h264.Source{Layout: h264.I420, Width: 64, Height: 48}
	return f, nil
}

// A consumer is slow, so that a picture is on its way whenever something ends.
func TestPrivacyFaultsAndTheEndCloseTheSecondStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &fakeSource{script: rawPictures})
		defer b.Low().Feed().Want()()
		var begun, ended atomic.Int32
		b.Low().Feed().Subscribe(func(*media.AccessUnit) {
			begun.Add(1)
			time.Sleep(90 * time.Millisecond)
			ended.Add(1)
		})
		expect := func(what string) {
			t.Helper()
			if n := begun.Load(); n == 0 || n != ended.Load() {
				t.Errorf("%s: %d pictures of the second stream are on their way, after %d", what, n-ended.Load(), n)
			}
			n := begun.Load()
			time.Sleep(time.Second)
			if begun.Load() != n {
				t.Errorf("%s: %d pictures came after it", what, begun.Load()-n)
			}
		}
		b.run(t)
		for range 3 {
			time.Sleep(1030 * time.Millisecond)
			b.SetPrivacy(true)
			expect("privacy mode")
			b.SetPrivacy(false)
		}
		time.Sleep(1030 * time.Millisecond)
		b.end()
		expect("the end")
	})
}
