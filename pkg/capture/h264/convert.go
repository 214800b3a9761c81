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
	MJPEG                   // a baseline JPEG for each picture, with or without Huffman tables
)

// Source describes the pictures that a Converter gets.
type Source struct {
	Layout         Layout
	Width, Height  int  // luma samples; an odd last column or row is left out
	Stride         int  // bytes from line to line of the first plane, 0 for no padding
	FlipHorizontal bool // mirror left and right
	FlipVertical   bool // mirror top and bottom
}

// Converter brings pictures into planar 4:2:0 of even size.
type Converter struct {
	src  Source
	w, h int
	out  *image.YCbCr // own buffer
	view *image.YCbCr // I420 as the source has it, without a copy
	jpeg jpegReader
}

// NewConverter makes a converter.
func NewConverter(s Source) (*Converter, error) {
	c := &Converter{src: s, w: s.Width &^ 1, h: s.Height &^ 1}
	if c.w < minSide || c.h < minSide || s.Layout < I420 || s.Layout > MJPEG {
		return nil, fmt.Errorf("convert %dx%d: %w", s.Width, s.Height, ErrSize)
	}
	if c.src.Stride == 0 {
		c.src.Stride = s.Width
		if s.Layout == YUYV || s.Layout == UYVY {
			c.src.Stride = 2 * ((s.Width + 1) &^ 1)
		}
	}
	if c.src.Stride < c.w || (s.Layout == YUYV || s.Layout == UYVY) && c.src.Stride < 2*c.w {
		return nil, fmt.Errorf("convert %dx%d with lines of %d bytes: %w", s.Width, s.Height, s.Stride, ErrSize)
	}
	if s.Layout == I420 && !s.FlipHorizontal && !s.FlipVertical {
		c.view = &image.YCbCr{SubsampleRatio: image.YCbCrSubsampleRatio420, Rect: image.Rect(0, 0, c.w, c.h)}
	} else {
		c.out = image.NewYCbCr(image.Rect(0, 0, c.w, c.h), image.YCbCrSubsampleRatio420)
	}
	return c, nil
}

// Size is that of the converted pictures.
func (c *Converter) Size() (width, height int) { return c.w, c.h }

// Convert returns the picture in src as planar 4:2:0. It is valid until the next
// call, and no longer than src: I420 that needs no flip is not copied. ErrDamaged
// says that src is too short or no picture.
func (c *Converter) Convert(src []byte) (*image.YCbCr, error) {
	if c.src.Layout == MJPEG {
		return c.out, c.fromJPEG(src)
	}
	if want := c.bytes(); len(src) < want {
		return nil, fmt.Errorf("%d bytes instead of %d: %w", len(src), want, ErrDamaged)
	}
	switch {
	case c.view != nil:
		c.setView(src)
		return c.view, nil
	case c.src.Layout == I420:
		c.fromI420(src)
	case c.src.Layout == NV12:
		c.fromNV12(src)
	case c.src.Layout == YUYV:
		c.fromPacked(src, 0, 1)
	case c.src.Layout == UYVY:
		c.fromPacked(src, 1, 0)
	}
	return c.out, nil
}

// bytes is how long a raw picture is.
func (c *Converter) bytes() int {
	luma, half := c.src.Stride*c.src.Height, (c.src.Height+1)/2
	switch c.src.Layout {
	case I420:
		return luma + 2*half*((c.src.Stride+1)/2)
	case NV12:
		return luma + half*c.src.Stride
	default:
		return luma
	}
}

// line is the source's line that becomes line y of n.
func (c *Converter) line(y, n int) int {
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
func (c *Converter) planes(src []byte) (y, cb, cr []byte, cStride int) {
	cStride = (c.src.Stride + 1) / 2
	luma, chroma := c.src.Stride*c.src.Height, cStride*((c.src.Height+1)/2)
	return src[:luma], src[luma:][:chroma], src[luma+chroma:][:chroma], cStride
}

func (c *Converter) setView(src []byte) {
	c.view.Y, c.view.Cb, c.view.Cr, c.view.CStride = c.planes(src)
	c.view.YStride = c.src.Stride
}

func (c *Converter) fromI420(src []byte) {
	y, cb, cr, cStride := c.planes(src)
	c.copyLuma(y)
	for r := range c.h / 2 {
		at := c.line(r, c.h/2) * cStride
		u, v := c.chromaRows(r)
		copy(u, cb[at:])
		copy(v, cr[at:])
		c.mirror(u, v)
	}
}

func (c *Converter) copyLuma(y []byte) {
	for r := range c.h {
		row := c.lumaRow(r)
		copy(row, y[c.line(r, c.h)*c.src.Stride:])
		c.mirror(row)
	}
}

func (c *Converter) fromNV12(src []byte) {
	c.copyLuma(src)
	chroma := src[c.src.Stride*c.src.Height:]
	for r := range c.h / 2 {
		u, v := c.chromaRows(r)
		pairs := chroma[c.line(r, c.h/2)*c.src.Stride:][:2*len(u)]
		for i := range u {
			u[i], v[i] = pairs[2*i], pairs[2*i+1]
		}
		c.mirror(u, v)
	}
}

// fromPacked takes four bytes for two samples of luma; luma and chroma are the
// offsets of the first of each.
func (c *Converter) fromPacked(src []byte, luma, chroma int) {
	for r := range c.h / 2 {
		a := src[c.line(2*r, c.h)*c.src.Stride:][:2*c.w]
		b := src[c.line(2*r+1, c.h)*c.src.Stride:][:2*c.w]
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
