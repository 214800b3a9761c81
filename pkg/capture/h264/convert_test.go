package h264

import (
	"bytes"
	"errors"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"testing"
)

// pattern is a picture whose chroma is the same in both lines of each pair, so
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
		c, err := NewConverter(Source{Layout: l, Width: 33, Height: 19})
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
		{Layout: YUYV, Width: 64, Height: 64, Stride: 64}, {Layout: NV12, Width: 64, Height: 64, Stride: 32},
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

// ramp is smooth, so that JPEG keeps it nearly as it is.
func ramp(ratio image.YCbCrSubsampleRatio) *image.YCbCr {
	m := image.NewYCbCr(image.Rect(0, 0, 64, 48), ratio)
	for y := range 48 {
		for x := range 64 {
			m.Y[m.YOffset(x, y)] = byte(20 + 3*x)
			m.Cb[m.COffset(x, y)] = byte(90 + y)
			m.Cr[m.COffset(x, y)] = byte(160 - x)
		}
	}
	return m
}

func encodeJPEG(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// withoutTables cuts the Huffman tables out, as many cameras send it.
func withoutTables(b []byte) []byte {
	at := findMarker(b, markerDHT)
	n := 2 + int(b[at+2])<<8 + int(b[at+3])
	return append(bytes.Clone(b[:at]), b[at+n:]...)
}

func TestConvertJPEG(t *testing.T) {
	m := ramp(image.YCbCrSubsampleRatio420)
	whole := encodeJPEG(t, m)
	for name, data := range map[string][]byte{"with tables": whole, "without tables": withoutTables(whole)} {
		for flips := range 4 {
			s := Source{MJPEG, 64, 48, 0, flips&1 != 0, flips&2 != 0}
			c, err := NewConverter(s)
			if err != nil {
				t.Fatal(err)
			}
			got, err := c.Convert(data)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for i := range 64 * 48 {
				x, y := i%64, i/64
				g, w := sample(got, x, y, s), sample(m, x, y, Source{})
				w[0], w[1], w[2] = lumaRange[w[0]], chromaRange[w[1]], chromaRange[w[2]]
				for k := range g {
					if d := int(g[k]) - int(w[k]); d < -6 || d > 6 {
						t.Fatalf("%s, %+v: sample %d,%d is %v, want about %v", name, s, x, y, g, w)
					}
				}
			}
		}
	}
}

func TestConvertTakesEverySubsampling(t *testing.T) {
	for _, ratio := range []image.YCbCrSubsampleRatio{
		image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio440,
		image.YCbCrSubsampleRatio411, image.YCbCrSubsampleRatio410,
	} {
		m := ramp(ratio)
		c, err := NewConverter(Source{Layout: MJPEG, Width: 64, Height: 48})
		if err != nil {
			t.Fatal(err)
		}
		c.fromYCbCr(m)
		for i := range 64 * 48 {
			x, y := i%64, i/64
			w := sample(m, x&^1, y&^1, Source{})
			g := sample(c.out, x, y, Source{})
			if d := int(g[1]) - int(chromaRange[w[1]]); d < -1 || d > 1 {
				t.Fatalf("%v: Cb at %d,%d is %d, want about %d", ratio, x, y, g[1], chromaRange[w[1]])
			}
		}
	}
}

func TestConvertRefusesBadJPEG(t *testing.T) {
	good := encodeJPEG(t, ramp(image.YCbCrSubsampleRatio420))
	for name, data := range map[string][]byte{
		"nothing":    nil,
		"no JPEG":    []byte("hello, world"),
		"cut":        good[:len(good)/2],
		"other size": encodeJPEG(t, pattern(32, 18)),
		"grey":       encodeJPEG(t, image.NewGray(image.Rect(0, 0, 64, 48))),
	} {
		c, err := NewConverter(Source{Layout: MJPEG, Width: 64, Height: 48})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Convert(data); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v, want %v", name, err, ErrDamaged)
		}
	}
}

func FuzzConvert(f *testing.F) {
	good := encodeJPEG(f, ramp(image.YCbCrSubsampleRatio420))
	f.Add(good, uint8(MJPEG), uint8(0))
	f.Add(withoutTables(good), uint8(MJPEG), uint8(3))
	f.Add(make([]byte, 64*48*2), uint8(YUYV), uint8(3))
	f.Fuzz(func(t *testing.T, data []byte, layout, flips uint8) {
		c, err := NewConverter(Source{Layout(layout), 64, 48, 0, flips&1 != 0, flips&2 != 0})
		if err != nil {
			return
		}
		m, err := c.Convert(data)
		if err == nil && (m.Rect != image.Rect(0, 0, 64, 48) || len(m.Y) < 64*48 || len(m.Cb) < 32*24) {
			t.Errorf("converted into %v", m.Rect)
		}
	})
}
