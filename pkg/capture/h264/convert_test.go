package h264

import (
	"bytes"
	"errors"
	"image"
	"math/rand/v2"
	"testing"
)

// pattern returns a picture whose chroma is the same in both lines of each pair, so
// that 4:2:2 holds it without loss.
func pattern(w, h int) *image.YCbCr {
	r := rand.New(rand.NewPCG(1, 2))
	m := image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio420)
	for _, p := range [][]byte{m.Y, m.Cb, m.Cr} {
		for i := range p {
			p[i] = byte(r.Uint32())
		}
	}
	return m
}

// pack lays m out as a camera would, with pad bytes after each line.
func pack(m *image.YCbCr, l Layout, pad int) (data []byte, stride int) {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	gap := bytes.Repeat([]byte{0xee}, pad)
	line := func(b ...byte) { data = append(append(data, b...), gap...) }
	switch l {
	case YUYV, UYVY:
		for y := range h {
			var row []byte
			for x := 0; x < w; x += 2 {
				y0, y1, u, v := m.Y[m.YOffset(x, y)], m.Y[m.YOffset(x+1, y)], m.Cb[m.COffset(x, y)], m.Cr[m.COffset(x, y)]
				if l == YUYV {
					row = append(row, y0, u, y1, v)
				} else {
					row = append(row, u, y0, v, y1)
				}
			}
			line(row...)
		}
		return data, 2*w + pad
	}
	for y := range h {
		line(m.Y[y*m.YStride:][:w]...)
	}
	if l == NV12 {
		for y := range h / 2 {
			var row []byte
			for x := range w / 2 {
				row = append(row, m.Cb[y*m.CStride+x], m.Cr[y*m.CStride+x])
			}
			line(row...)
		}
		return data, w + pad
	}
	gap = gap[:pad/2]
	for _, p := range [][]byte{m.Cb, m.Cr} {
		for y := range h / 2 {
			line(p[y*m.CStride:][:w/2]...)
		}
	}
	return data, w + pad
}

// sample reads a picture with its mirroring undone.
func sample(m *image.YCbCr, x, y int, s Source) [3]byte {
	if s.FlipHorizontal {
		x = m.Rect.Dx() - 1 - x
	}
	if s.FlipVertical {
		y = m.Rect.Dy() - 1 - y
	}
	return [3]byte{m.Y[m.YOffset(x, y)], m.Cb[m.COffset(x, y)], m.Cr[m.COffset(x, y)]}
}

func TestConvertRaw(t *testing.T) {
	m := pattern(32, 18)
	for _, l := range []Layout{I420, NV12, YUYV, UYVY} {
		for flips := range 4 {
			for _, pad := range []int{0, 16} {
				data, stride := pack(m, l, pad)
				s := Source{l, 32, 18, stride, flips&1 != 0, flips&2 != 0}
				c, err := NewConverter(s)
				if err != nil {
					t.Fatal(err)
				}
				got, err := c.Convert(data)
				if err != nil {
					t.Fatalf("%+v: %v", s, err)
				}
				if _, err := c.Convert(data[:len(data)-pad-1]); !errors.Is(err, ErrDamaged) {
					t.Errorf("%+v: cut picture gives %v, want %v", s, err, ErrDamaged)
				}
				for i := range 32 * 18 {
					x, y := i%32, i/32
					if g, w := sample(got, x, y, s), sample(m, x, y, Source{}); g != w {
						t.Fatalf("%+v: sample %d,%d is %v, want %v", s, x, y, g, w)
					}
				}
			}
		}
	}
}

func TestConvertLeavesOutOddEdges(t *testing.T) {
	for _, l := range []Layout{I420, NV12, YUYV, UYVY} {
		c, err := NewConverter(Source{Layout: l, Width: 33, Height: 19, Stride: 79})
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Convert(make([]byte, 4*33*20))
		if err != nil || got.Rect.Size() != image.Pt(32, 18) {
			t.Errorf("layout %d: %v, %v", l, got.Rect, err)
		}
	}
}

func TestNewConverterRefuses(t *testing.T) {
	for _, s := range []Source{
		{Layout: YUYV}, {Layout: 0, Width: 64, Height: 64}, {Layout: MJPEG + 1, Width: 64, Height: 64},
		{Layout: MJPEG, Width: 14, Height: 64}, {Layout: NV12, Width: 1 << 20, Height: 1 << 20},
	} {
		if _, err := NewConverter(s); !errors.Is(err, ErrSize) {
			t.Errorf("NewConverter(%+v) = %v, want %v", s, err, ErrSize)
		}
	}
}

func TestConvertRawAllocatesNothing(t *testing.T) {
	m := pattern(64, 48)
	for _, l := range []Layout{I420, NV12, YUYV, UYVY} {
		data, stride := pack(m, l, 0)
		c, err := NewConverter(Source{Layout: l, Width: 64, Height: 48, Stride: stride, FlipHorizontal: true})
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(50, func() { _, err = c.Convert(data) }); n != 0 || err != nil {
			t.Errorf("layout %d: %v allocations, %v", l, n, err)
		}
	}
}

// Drivers count lines wrong, as one and a half bytes a pixel of 4:2:0 or as one of
// 4:2:2, and some leave out the padding of the last line.
func TestConvertBelievesThePictureRatherThanItsLines(t *testing.T) {
	m := pattern(32, 18)
	for _, l := range []Layout{I420, NV12, YUYV, UYVY} {
		for name, c := range map[string]struct{ pad, stride, cut int }{
			"lines too long":          {0, 48 + 40*(int(l)/int(YUYV)), 0},
			"lines too short":         {0, 16, 0},
			"no padding at the end":   {16, 0, 16},
			"odd padding of 4:2:2":    {7 * (int(l) / int(YUYV)), 0, 0},
			"more than there must be": {16, 0, -100},
		} {
			data, stride := pack(m, l, c.pad)
			if l == I420 && c.cut > 0 {
				c.cut /= 2 // its last line is one of chroma
			}
			data = append(data, make([]byte, 100)...)[:len(data)-c.cut]
			if c.stride != 0 {
				stride = c.stride
			}
			conv, err := NewConverter(Source{Layout: l, Width: 32, Height: 18, Stride: stride})
			if err != nil {
				t.Fatal(err)
			}
			got, err := conv.Convert(data)
			if err != nil {
				t.Errorf("layout %d, %s: %v", l, name, err)
				continue
			}
			for i := range 32 * 18 {
				if g, w := sample(got, i%32, i/32, Source{}), sample(m, i%32, i/32, Source{}); g != w {
					t.Fatalf("layout %d, %s: sample %d,%d is %v, want %v", l, name, i%32, i/32, g, w)
				}
			}
			for _, cut := range []int{0, 1, len(data) / 2} {
				if _, err := conv.Convert(data[:cut]); !errors.Is(err, ErrShort) || !errors.Is(err, ErrDamaged) {
					t.Errorf("layout %d, %s: %d bytes give %v, want %v", l, name, cut, err, ErrShort)
				}
			}
		}
	}
}
