package h264

import (
	"errors"
	"image"
	"slices"
	"testing"
)

// gray420 returns a picture with the luma of rows and even chroma.
func gray420(w, h int, luma func(x, y int) byte) *image.YCbCr {
	m := image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio420)
	for i := range m.Y {
		m.Y[i] = luma(i%w, i/w)
	}
	for i := range m.Cb {
		m.Cb[i], m.Cr[i] = 100, 150
	}
	return m
}

func scaled(t testing.TB, m *image.YCbCr, w, h int) *image.YCbCr {
	t.Helper()
	s, err := NewScaler(m.Rect.Size(), image.Pt(w, h))
	if err != nil {
		t.Fatal(err)
	}
	out := image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio420)
	if err := s.Scale(out, m); err != nil {
		t.Fatal(err)
	}
	return out
}

// Golden rows: each picture has the same row all over, and what comes out was computed by hand.
func TestScaleGolden(t *testing.T) {
	for name, c := range map[string]struct {
		row       []byte // repeated to the width
		width, to int
		want      []byte
	}{
		"the same size":          {[]byte{1, 2, 3, 4}, 16, 16, []byte{1, 2, 3, 4}},
		"half":                   {[]byte{10, 20, 30, 41}, 32, 16, []byte{15, 36}}, // 35.5 is rounded up
		"a third":                {[]byte{10, 20, 30, 40, 50, 70}, 48, 16, []byte{20, 53}},
		"two thirds":             {[]byte{30, 60, 90}, 24, 16, []byte{40, 80}}, // each covers one and a half
		"fifteen sixteenths":     {slices.Repeat([]byte{16}, 32), 32, 30, []byte{16}},
		"a line of one sample":   {[]byte{0, 0, 255, 0}, 64, 16, []byte{64}},
		"the brightest":          {[]byte{255}, 62, 22, []byte{255}},
		"stripes become a grey":  {[]byte{0, 200}, 64, 16, []byte{100}},
		"five become two":        {[]byte{0, 100, 200, 50, 150}, 40, 16, []byte{80, 120}},
		"black stays what it is": {[]byte{16}, 4096, 18, []byte{16}},
	} {
		t.Run(name, func(t *testing.T) {
			m := gray420(c.width, 18, func(x, _ int) byte { return c.row[x%len(c.row)] })
			for _, height := range []int{18, 16} { // equal rows stay equal
				got := scaled(t, m, c.to, height)
				for i, v := range got.Y {
					if want := c.want[i%c.to%len(c.want)]; v != want {
						t.Fatalf("%d lines: sample %d,%d is %d, want %d", height, i%c.to, i/c.to, v, want)
					}
				}
				for i := range got.Cb {
					if got.Cb[i] != 100 || got.Cr[i] != 150 {
						t.Fatalf("%d lines: chroma %d is %d %d, want 100 150", height, i, got.Cb[i], got.Cr[i])
					}
				}
			}
		})
	}
}

// area is the mean over the area of a sample, by fractions of source samples and without
// anything that is fast.
func area(m []byte, stride int, from, to image.Point, x, y int) byte {
	var sum int // in parts of 1/(to.X*to.Y) of a source sample
	for j := y * from.Y / to.Y; j*to.Y < (y+1)*from.Y; j++ {
		h := min((j+1)*to.Y, (y+1)*from.Y) - max(j*to.Y, y*from.Y)
		for i := x * from.X / to.X; i*to.X < (x+1)*from.X; i++ {
			w := min((i+1)*to.X, (x+1)*from.X) - max(i*to.X, x*from.X)
			sum += h * w * int(m[j*stride+i])
		}
	}
	n := from.X * from.Y
	return byte((sum + n/2) / n)
}

func TestScaleIsTheMeanOfTheArea(t *testing.T) {
	for _, c := range []struct{ from, to image.Point }{
		{image.Pt(128, 72), image.Pt(64, 36)},
		{image.Pt(192, 108), image.Pt(64, 36)},
		{image.Pt(64, 48), image.Pt(48, 36)},
		{image.Pt(96, 54), image.Pt(64, 36)},
		{image.Pt(66, 34), image.Pt(62, 32)},
		{image.Pt(64, 48), image.Pt(64, 48)},
		{image.Pt(64, 64), image.Pt(32, 48)},
	} {
		wide := pattern(c.from.X+10, c.from.Y) // lines are longer than what is scaled
		m := *wide
		m.Rect = image.Rectangle{Max: c.from}
		got := scaled(t, &m, c.to.X, c.to.Y)
		for i, v := range got.Y {
			x, y := i%c.to.X, i/c.to.X
			if want := area(m.Y, m.YStride, c.from, c.to, x, y); v != want {
				t.Fatalf("%v to %v: luma %d,%d is %d, want %d", c.from, c.to, x, y, v, want)
			}
		}
		from, to := c.from.Div(2), c.to.Div(2)
		for i, v := range got.Cr {
			x, y := i%to.X, i/to.X
			if want := area(m.Cr, m.CStride, from, to, x, y); v != want {
				t.Fatalf("%v to %v: chroma %d,%d is %d, want %d", c.from, c.to, x, y, v, want)
			}
		}
	}
}

func TestScaleRefuses(t *testing.T) {
	for _, c := range []struct{ from, to image.Point }{
		{image.Pt(64, 64), image.Pt(66, 64)},
		{image.Pt(64, 64), image.Pt(64, 66)},
		{image.Pt(64, 64), image.Pt(33, 32)},
		{image.Pt(65, 64), image.Pt(32, 32)},
		{image.Pt(64, 64), image.Pt(14, 32)},
		{image.Pt(1<<20, 1<<20), image.Pt(32, 32)},
		{image.Pt(0, 0), image.Pt(0, 0)},
	} {
		if _, err := NewScaler(c.from, c.to); !errors.Is(err, ErrSize) {
			t.Errorf("NewScaler(%v, %v) = %v, want %v", c.from, c.to, err, ErrSize)
		}
	}
	s, err := NewScaler(image.Pt(64, 64), image.Pt(32, 32))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Scale(pattern(32, 32), pattern(66, 64)); !errors.Is(err, ErrSize) {
		t.Errorf("a picture of another size: %v, want %v", err, ErrSize)
	}
}

func TestScaleAllocatesNothing(t *testing.T) {
	for _, from := range []image.Point{{128, 64}, {96, 48}} {
		s, err := NewScaler(from, image.Pt(64, 32))
		if err != nil {
			t.Fatal(err)
		}
		to, m := pattern(64, 32), pattern(from.X, from.Y)
		if n := testing.AllocsPerRun(20, func() { err = s.Scale(to, m) }); n != 0 || err != nil {
			t.Errorf("from %v: %v allocations, %v", from, n, err)
		}
	}
}

// The step that a second stream adds to the first one's: see docs/performance.md.
func BenchmarkScale(b *testing.B) {
	for name, from := range map[string]image.Point{"720p": {1280, 720}, "1080p": {1920, 1080}, "480p": {640, 480}} {
		b.Run(name, func(b *testing.B) {
			to := image.Pt(640, 360)
			if from.Y == 480 {
				to = image.Pt(480, 360)
			}
			s, err := NewScaler(from, to)
			if err != nil {
				b.Fatal(err)
			}
			out, m := pattern(to.X, to.Y), pattern(from.X, from.Y)
			for b.Loop() {
				if err := s.Scale(out, m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
