package h264

import (
	"fmt"
	"image"
	"slices"
)

// Layout is how a source's pictures lie in memory.
type Layout int

// The layouts that a Converter takes.
const (
	I420  Layout = iota + 1 // 4:2:0, three planes
	NV12                    // 4:2:0, a plane of luma and one of Cb and Cr in turn
	YUYV                    // 4:2:2 packed, luma first
	UYVY                    // 4:2:2 packed, chroma first
	MJPEG                   // a JPEG for each picture, as cameras make them: see jpegReader
)

// Source describes the pictures that a Converter gets.
type Source struct {
	Layout         Layout
	Width, Height  int  // luma samples; an odd last column or row is left out. A JPEG says its own
	Stride         int  // bytes from line to line of the first plane; less than a line: no padding
	FlipHorizontal bool // mirror left and right
	FlipVertical   bool // mirror top and bottom
}

// Converter brings pictures into planar 4:2:0 of even size.
type Converter struct {
	src    Source
	stride int // the source's, at least a line
	w, h   int
	out    *image.YCbCr // own buffer
	view   *image.YCbCr // I420 as the source has it, without a copy
	jpeg   jpegReader
}

// maxPixels is the largest picture of H.264's level 5.2 (ITU-T H.264 table A-1), and
// what a JPEG may make us spend memory on.
const maxPixels = 36864 * 16 * 16

// NewConverter returns a converter.
func NewConverter(s Source) (*Converter, error) {
	c := &Converter{src: s}
	if s.Layout < I420 || s.Layout > MJPEG {
		return nil, fmt.Errorf("convert layout %d: %w", s.Layout, ErrSize)
	}
	if err := c.resize(s.Width, s.Height); err != nil {
		return nil, err
	}
	if c.stride = s.Stride; c.stride < c.line() {
		c.stride = c.line()
	}
	return c, nil
}

// resize makes room for converted pictures.
func (c *Converter) resize(width, height int) error {
	w, h := width&^1, height&^1
	if w < minSide || h < minSide || w > maxPixels/h {
		return fmt.Errorf("convert %dx%d: %w", width, height, ErrSize)
	}
	if w == c.w && h == c.h {
		return nil
	}
	c.w, c.h = w, h
	if c.src.Layout == I420 && !c.src.FlipHorizontal && !c.src.FlipVertical {
		c.view = &image.YCbCr{SubsampleRatio: image.YCbCrSubsampleRatio420, Rect: image.Rect(0, 0, c.w, c.h)}
	} else {
		c.out = image.NewYCbCr(image.Rect(0, 0, c.w, c.h), image.YCbCrSubsampleRatio420)
	}
	return nil
}

// Size returns that of the converted pictures. Of JPEG it is known when one was converted;
// until then it is the source's.
func (c *Converter) Size() (width, height int) { return c.w, c.h }

// Convert returns the picture in src as planar 4:2:0. It is valid until the next
// call, and no longer than src: I420 that needs no flip is not copied. ErrDamaged
// says that src is no picture, ErrShort and ErrKind, which are ErrDamaged too, that it
// is too short or a JPEG of a kind that can't be decoded.
func (c *Converter) Convert(src []byte) (*image.YCbCr, error) {
	if c.src.Layout == MJPEG {
		err := c.fromJPEG(src)
		return c.out, err
	}
	stride := c.stride
	switch want := c.bytes(stride); {
	case len(src) >= want:
	case len(src) == c.bytes(c.line()): // a driver that counts lines wrong
		stride = c.line()
	default:
		return nil, fmt.Errorf("%d bytes instead of %d: %w", len(src), want, ErrShort)
	}
	switch {
	case c.view != nil:
		c.view.Y, c.view.Cb, c.view.Cr, c.view.CStride = c.planes(src, stride)
		c.view.YStride = stride
		return c.view, nil
	case c.src.Layout == I420:
		c.fromI420(src, stride)
	case c.src.Layout == NV12:
		c.fromNV12(src, stride)
	case c.src.Layout == YUYV:
		c.fromPacked(src, stride, 0, 1)
	case c.src.Layout == UYVY:
		c.fromPacked(src, stride, 1, 0)
	}
	return c.out, nil
}

// line returns how long a line of the first plane is without padding.
func (c *Converter) line() int {
	if c.src.Layout == YUYV || c.src.Layout == UYVY {
		return 2 * even(c.src.Width)
	}
	return c.src.Width
}

func even(n int) int { return (n + 1) &^ 1 }

// bytes returns how long a raw picture is; the padding of its last line may be missing.
func (c *Converter) bytes(stride int) int {
	luma, half := stride*c.src.Height, even(c.src.Height)/2
	switch c.src.Layout {
	case I420:
		chroma := (stride + 1) / 2
		return luma + (2*half-1)*chroma + even(c.src.Width)/2
	case NV12:
		return luma + (half-1)*stride + even(c.src.Width)
	default:
		return luma - stride + c.line()
	}
}

// from returns the source's line that becomes line y of n.
func (c *Converter) from(y, n int) int {
	if c.src.FlipVertical {
		return n - 1 - y
	}
	return y
}

func (c *Converter) mirror(rows ...[]byte) {
	if c.src.FlipHorizontal {
		for _, r := range rows {
			slices.Reverse(r)
		}
	}
}

func (c *Converter) lumaRow(y int) []byte { return c.out.Y[y*c.out.YStride:][:c.w] }

func (c *Converter) chromaRows(y int) (cb, cr []byte) {
	at := y * c.out.CStride
	return c.out.Cb[at:][:c.w/2], c.out.Cr[at:][:c.w/2]
}

// planes cuts I420 into its planes.
func (c *Converter) planes(src []byte, stride int) (y, cb, cr []byte, cStride int) {
	cStride = (stride + 1) / 2
	luma, chroma := stride*c.src.Height, cStride*(even(c.src.Height)/2)
	return src[:luma], src[luma:][:chroma], src[luma+chroma:], cStride
}

func (c *Converter) fromI420(src []byte, stride int) {
	y, cb, cr, cStride := c.planes(src, stride)
	c.copyLuma(y, stride)
	for r := range c.h / 2 {
		at := c.from(r, c.h/2) * cStride
		u, v := c.chromaRows(r)
		copy(u, cb[at:])
		copy(v, cr[at:])
		c.mirror(u, v)
	}
}

func (c *Converter) copyLuma(y []byte, stride int) {
	for r := range c.h {
		row := c.lumaRow(r)
		copy(row, y[c.from(r, c.h)*stride:])
		c.mirror(row)
	}
}

func (c *Converter) fromNV12(src []byte, stride int) {
	c.copyLuma(src, stride)
	chroma := src[stride*c.src.Height:]
	for r := range c.h / 2 {
		u, v := c.chromaRows(r)
		pairs := chroma[c.from(r, c.h/2)*stride:][:2*len(u)]
		for i := range u {
			u[i], v[i] = pairs[2*i], pairs[2*i+1]
		}
		c.mirror(u, v)
	}
}

// fromPacked takes four bytes for two samples of luma; luma and chroma are the
// offsets of the first of each.
func (c *Converter) fromPacked(src []byte, stride, luma, chroma int) {
	for r := range c.h / 2 {
		a := src[c.from(2*r, c.h)*stride:][:2*c.w]
		b := src[c.from(2*r+1, c.h)*stride:][:2*c.w]
		y0, y1 := c.lumaRow(2*r), c.lumaRow(2*r+1)
		unpack(y0, a[luma:])
		unpack(y1, b[luma:])
		u, v := c.chromaRows(r)
		average(u, a[chroma:], b[chroma:])
		average(v, a[chroma+2:], b[chroma+2:])
		c.mirror(y0, y1, u, v)
	}
}

// unpack takes every second byte.
func unpack(dst, src []byte) {
	src = src[:2*len(dst)-1]
	for i := range dst {
		dst[i] = src[2*i]
	}
}

// average takes every fourth byte of two lines and their mean.
func average(dst, a, b []byte) {
	n := 4*len(dst) - 3
	a, b = a[:n], b[:n]
	for i := range dst {
		dst[i] = byte((uint(a[4*i]) + uint(b[4*i]) + 1) / 2) //nolint:gosec // the mean of two bytes
	}
}
