package h264

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"sync"
)

// JPEG markers (ITU-T T.81 table B.1).
const (
	markerDHT  = 0xc4
	markerRST0 = 0xd0
	markerSOI  = 0xd8
	markerEOI  = 0xd9
	markerSOS  = 0xda
)

// jpegReader reads a camera's JPEG as a decoder wants it: without what stands before
// its start, with the standard Huffman tables where it has none, as AVI files do, and
// with an end.
type jpegReader struct{ parts [4][]byte }

var endOfImage = []byte{0xff, markerEOI}

// set chooses the JPEG in src; false says that there is none.
func (r *jpegReader) set(src []byte) bool {
	at := startOfImage(src)
	if at < 0 {
		return false
	}
	src = src[at:]
	r.parts = [4][]byte{src[:2], nil, src[2:], endOfImage}
	if !hasTables(src) {
		r.parts[1] = standardTables()
	}
	return true
}

func (r *jpegReader) Read(p []byte) (n int, err error) {
	for i := range r.parts {
		k := copy(p[n:], r.parts[i])
		r.parts[i] = r.parts[i][k:]
		n += k
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// startOfImage finds the first start that another marker follows, which is not a
// start again, or -1.
func startOfImage(b []byte) int {
	for at := 0; ; at += 2 {
		i := bytes.Index(b[at:], []byte{0xff, markerSOI, 0xff})
		if i < 0 {
			return -1
		}
		if at += i; at+3 < len(b) && b[at+3] != markerSOI {
			return at
		}
	}
}

// hasTables reports whether a JPEG defines Huffman tables before its first scan. What
// stands between segments is passed over, as image/jpeg does.
func hasTables(b []byte) bool {
	for i := 2; i+4 <= len(b); {
		switch m := b[i+1]; {
		case b[i] != 0xff || m == 0xff:
			i++
		case m == markerDHT:
			return true
		case m == markerSOS:
			return false
		case m == 0 || m >= markerRST0 && m <= markerEOI:
			i += 2 // no segment
		default:
			i += 2 + int(b[i+2])<<8 + int(b[i+3])
		}
	}
	return true // there is no scan
}

// standardTables is the DHT segment of ITU-T T.81 annex K.3, which image/jpeg's
// encoder writes.
var standardTables = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewYCbCr(image.Rect(0, 0, 8, 8), image.YCbCrSubsampleRatio420), nil); err != nil {
		return nil // not for a bytes.Buffer
	}
	at := bytes.Index(b.Bytes(), []byte{0xff, markerDHT})
	if at < 0 {
		return nil
	}
	seg := b.Bytes()[at:]
	return bytes.Clone(seg[:2+int(seg[2])<<8+int(seg[3])])
})

// fromJPEG decodes a JPEG into the converter's own picture.
func (c *Converter) fromJPEG(src []byte) error {
	if !c.jpeg.set(src) {
		return fmt.Errorf("%d bytes without a JPEG: %w", len(src), ErrDamaged)
	}
	cfg, err := jpeg.DecodeConfig(&c.jpeg) // before memory is spent on it
	if err != nil {
		return jpegError(err)
	}
	if err := c.resize(cfg.Width, cfg.Height); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	c.jpeg.set(src)
	m, err := jpeg.Decode(&c.jpeg)
	if err != nil {
		return jpegError(err)
	}
	switch m := m.(type) {
	case *image.YCbCr:
		c.fromYCbCr(m)
	case *image.Gray:
		c.fromGrey(m)
	default: // RGB or CMYK
		c.fromYCbCr(inYCbCr(m))
	}
	return nil
}

func jpegError(err error) error {
	if errors.As(err, new(jpeg.UnsupportedError)) {
		return fmt.Errorf("decode JPEG: %w (%w)", ErrKind, err)
	}
	return fmt.Errorf("decode JPEG: %w (%w)", ErrDamaged, err)
}

// fromYCbCr takes any subsampling. JPEG uses the full range of values and video a
// part of it (ITU-T T.871 section 7, BT.601).
func (c *Converter) fromYCbCr(m *image.YCbCr) {
	c.fromLuma(m.Y, m.YStride)
	for r := range c.h / 2 {
		u, v := c.chromaRows(r)
		a := c.from(r, c.h/2) * 2
		for i := range u {
			p, q := m.COffset(2*i, a), m.COffset(2*i, a+1)
			u[i] = chromaRange[(uint(m.Cb[p])+uint(m.Cb[q])+1)/2]
			v[i] = chromaRange[(uint(m.Cr[p])+uint(m.Cr[q])+1)/2]
		}
		c.mirror(u, v)
	}
}

func (c *Converter) fromLuma(y []byte, stride int) {
	for r := range c.h {
		row := c.lumaRow(r)
		for i, v := range y[c.from(r, c.h)*stride:][:len(row)] {
			row[i] = lumaRange[v]
		}
		c.mirror(row)
	}
}

func (c *Converter) fromGrey(m *image.Gray) {
	c.fromLuma(m.Pix, m.Stride)
	for r := range c.h / 2 {
		u, v := c.chromaRows(r)
		for i := range u {
			u[i], v[i] = chromaRange[128], chromaRange[128]
		}
	}
}

// inYCbCr brings a picture of other colours into those of JPEG, slowly: no camera
// that gives them is known.
func inYCbCr(m image.Image) *image.YCbCr {
	out := image.NewYCbCr(m.Bounds(), image.YCbCrSubsampleRatio444)
	for y := out.Rect.Min.Y; y < out.Rect.Max.Y; y++ {
		for x := out.Rect.Min.X; x < out.Rect.Max.X; x++ {
			r, g, b, _ := m.At(x, y).RGBA()
			i := out.YOffset(x, y)
			out.Y[i], out.Cb[i], out.Cr[i] = color.RGBToYCbCr(byte(r>>8), byte(g>>8), byte(b>>8)) //nolint:gosec // 16 bits each
		}
	}
	return out
}

var lumaRange, chromaRange = func() (luma, chroma [256]byte) {
	for i := range 256 {
		luma[i] = byte(16 + (i*219+127)/255)   //nolint:gosec // 16 to 235
		chroma[i] = byte(16 + (i*224+127)/255) //nolint:gosec // 16 to 240
	}
	return luma, chroma
}()
