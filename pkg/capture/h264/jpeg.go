package h264

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"sync"
)

type jpegReader struct {
	bytes.Reader
	buf []byte // a JPEG with tables put in
}

// fromJPEG decodes a JPEG into the converter's own picture.
func (c *Converter) fromJPEG(src []byte) error {
	src = c.jpeg.withTables(src)
	c.jpeg.Reset(src)
	if cfg, err := jpeg.DecodeConfig(&c.jpeg); err != nil || cfg.Width != c.src.Width || cfg.Height != c.src.Height {
		return fmt.Errorf("read JPEG of %dx%d: %w", cfg.Width, cfg.Height, ErrDamaged) // before memory is spent on it
	}
	c.jpeg.Reset(src)
	m, err := jpeg.Decode(&c.jpeg)
	if err != nil {
		return fmt.Errorf("decode JPEG: %w (%w)", ErrDamaged, err)
	}
	pic, ok := m.(*image.YCbCr)
	if !ok {
		return fmt.Errorf("decode JPEG without colour: %w", ErrDamaged)
	}
	c.fromYCbCr(pic)
	return nil
}

// fromYCbCr takes any subsampling. JPEG uses the full range of values and video a
// part of it (ITU-T T.871 section 7, BT.601).
func (c *Converter) fromYCbCr(m *image.YCbCr) {
	for r := range c.h {
		row := c.lumaRow(r)
		at := m.YOffset(0, c.line(r, c.h))
		for i, v := range m.Y[at:][:len(row)] {
			row[i] = lumaRange[v]
		}
		c.mirror(row)
	}
	for r := range c.h / 2 {
		u, v := c.chromaRows(r)
		a, b := c.line(2*r, c.h), c.line(2*r+1, c.h)
		for i := range u {
			p, q := m.COffset(2*i, a), m.COffset(2*i, b)
			u[i] = chromaRange[(uint(m.Cb[p])+uint(m.Cb[q])+1)/2]
			v[i] = chromaRange[(uint(m.Cr[p])+uint(m.Cr[q])+1)/2]
		}
		c.mirror(u, v)
	}
}

var lumaRange, chromaRange = ranges()

func ranges() (luma, chroma [256]byte) {
	for i := range 256 {
		luma[i] = byte(16 + (i*219+127)/255)   //nolint:gosec // 16 to 235
		chroma[i] = byte(16 + (i*224+127)/255) //nolint:gosec // 16 to 240
	}
	return luma, chroma
}

// JPEG markers (ITU-T T.81 table B.1).
const (
	markerDHT = 0xc4
	markerSOI = 0xd8
	markerSOS = 0xda
)

// withTables puts the standard Huffman tables into a JPEG that has none: many
// cameras leave them out, as AVI files do.
func (r *jpegReader) withTables(src []byte) []byte {
	if len(src) < 2 || findMarker(src, markerDHT) >= 0 || findMarker(src, markerSOS) < 0 {
		return src
	}
	r.buf = append(append(append(r.buf[:0], src[:2]...), standardTables()...), src[2:]...)
	return r.buf
}

// findMarker gives the position of the first segment of a kind in a JPEG's header, or -1.
func findMarker(b []byte, marker byte) int {
	if len(b) < 2 || b[0] != 0xff || b[1] != markerSOI {
		return -1
	}
	for i := 2; i+4 <= len(b) && b[i] == 0xff; {
		switch m := b[i+1]; m {
		case marker:
			return i
		case markerSOS:
			return -1 // compressed data follows
		case 0xff:
			i++ // fill byte
		default:
			i += 2 + int(b[i+2])<<8 + int(b[i+3])
		}
	}
	return -1
}

// standardTables is the DHT segment of ITU-T T.81 annex K.3, which image/jpeg's
// encoder writes.
var standardTables = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewYCbCr(image.Rect(0, 0, 8, 8), image.YCbCrSubsampleRatio420), nil); err != nil {
		return nil // not for a bytes.Buffer
	}
	at := findMarker(b.Bytes(), markerDHT)
	if at < 0 {
		return nil
	}
	seg := b.Bytes()[at:]
	return bytes.Clone(seg[:2+int(seg[2])<<8+int(seg[3])])
})
