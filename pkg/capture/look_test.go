//go:build cgo

package capture

import (
	"bytes"
	"image"
	"image/jpeg"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/capture/h264"
	"github.com/camd-project/camd/pkg/health"
)

// jpegOf returns a JPEG of a grey picture.
func jpegOf(t *testing.T, w, h int) picture {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, w, h)), nil); err != nil {
		t.Fatal(err)
	}
	return picture{data: b.Bytes()}
}

// uncoded returns a camera at 10 Hz whose driver says 64x48.
func uncoded(l h264.Layout, pictures ...picture) *fakeStream {
	s := newFake(pictures...)
	s.is = shape{raw: h264.Source{Layout: l, Width: 64, Height: 48}, rate: 10, driven: true}
	return s
}

// Nobody wants a picture; and once one could be used, the others are looked at only
// now and then.
func TestUnusablePicturesAreFoundWhileNobodyWatches(t *testing.T) {
	good := jpegOf(t, 64, 48)
	arithmetic := picture{data: bytes.Replace(good.data, []byte{0xff, 0xc0}, []byte{0xff, 0xc9}, 1)}
	for name, c := range map[string]struct {
		stream *fakeStream
		after  time.Duration
		reason string
	}{
		"a kind of JPEG":    {uncoded(h264.MJPEG, slices.Repeat([]picture{arithmetic}, 100)...), hangTime, "JPEG is of a kind"},
		"no JPEG":           {uncoded(h264.MJPEG, slices.Repeat([]picture{{data: []byte("x")}}, 100)...), hangTime, "only damaged"},
		"too small a JPEG":  {uncoded(h264.MJPEG, slices.Repeat([]picture{jpegOf(t, 8, 8)}, 100)...), hangTime, "size that can't be encoded"},
		"short raw":         {uncoded(h264.YUYV, slices.Repeat([]picture{{data: make([]byte, 64*48)}}, 100)...), hangTime, "shorter than the format"},
		"nothing in it":     {uncoded(h264.NV12, slices.Repeat([]picture{{damaged: true}}, 100)...), hangTime, "only damaged"},
		"after a good time": {uncoded(h264.MJPEG, append([]picture{good}, slices.Repeat([]picture{arithmetic}, 200)...)...), lookEvery + hangTime, "JPEG is of a kind"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.stream.stop = make(chan struct{}, 8) // of this bubble
				b := newBench(t, &fakeSource{script: func(int) (*fakeStream, error) { return c.stream, nil }})
				b.run(t)
				defer b.end()
				time.Sleep(c.after - time.Second)
				if s := b.status(); s.State == health.Failed {
					t.Fatalf("too early: %+v", s)
				}
				time.Sleep(1500 * time.Millisecond)
				if s := b.status(); s.State != health.Failed || !strings.Contains(s.Reason, c.reason) {
					t.Errorf("health is %+v, want it to say %q", s, c.reason)
				}
			})
		})
	}
}

func TestJPEGHasItsOwnSize(t *testing.T) {
	b := newBench(t, nil)
	defer b.out.Want()()
	e, err := newEncode(b.Camera, uncoded(h264.MJPEG).is)
	if err != nil {
		t.Fatal(err)
	}
	defer e.close()
	for i, c := range []struct {
		w, h  int
		good  bool
		knows image.Point
	}{
		{96, 64, true, image.Pt(96, 64)},   // the first counts at once
		{64, 48, false, image.Pt(96, 64)},  // perhaps garbled
		{96, 64, true, image.Pt(96, 64)},   // it was
		{64, 48, false, image.Pt(96, 64)},  // and this
		{80, 80, false, image.Pt(96, 64)},  // is nothing that stays
		{129, 99, false, image.Pt(96, 64)}, // but this is
		{129, 99, true, image.Pt(128, 98)}, // without its odd edge
		{129, 99, true, image.Pt(128, 98)},
	} {
		p := jpegOf(t, c.w, c.h)
		p.pts = time.Duration(i+1) * 100 * time.Millisecond
		before := len(b.got)
		good, _ := e.take(p)
		f, _ := b.Format()
		if good != c.good || image.Pt(f.Width, f.Height) != c.knows || (len(b.got) > before) != c.good {
			t.Errorf("picture %d of %dx%d: good %v, format %dx%d, %d published", i, c.w, c.h, good, f.Width, f.Height, len(b.got)-before)
		}
	}
	var keys []bool
	for _, u := range b.got {
		keys = append(keys, u.Key)
	}
	if !slices.Equal(keys, []bool{true, false, true, false}) {
		t.Errorf("keyframes %v, want one where the size changes", keys)
	}
}

// The size that people are told is that of the pictures, not the driver's.
func TestHealthNamesTheSizeThatComes(t *testing.T) {
	for name, c := range map[string]struct {
		stream *fakeStream
		want   string
	}{
		"JPEG":          {uncoded(h264.MJPEG, jpegOf(t, 96, 64), jpegOf(t, 96, 64)), "96x64 instead of 128x48"},
		"H.264":         {newFake(whole(clipUnits()...)...), "64x48 instead of 128x48"},
		"as configured": {uncoded(h264.MJPEG, jpegOf(t, 128, 48), jpegOf(t, 128, 48)), ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.stream.stop, c.stream.is.driven = make(chan struct{}, 8), true
				b := newBench(t, &fakeSource{script: func(int) (*fakeStream, error) { return c.stream, nil }})
				b.cfg.Width = 128
				b.run(t)
				defer b.end()
				time.Sleep(250 * time.Millisecond)
				s := b.status()
				if !strings.Contains(s.Reason, c.want) || (s.State == health.OK) != (c.want == "") {
					t.Errorf("health is %+v, want %q", s, c.want)
				}
			})
		})
	}
}
