package lens

import (
	"image"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
)

// MaxText is the longest text that is returned, in bytes. QR codes have up to 4296 characters
// (ISO/IEC 18004), codes for cameras 122.
const MaxText = 1024

// MaxPixels is the largest picture that is read. Larger ones are scaled down first.
const MaxPixels = 1 << 21

// views are the ways to prepare a picture. Which one works depends on the light and on the size
// of the code: if a module has many pixels, noise makes patterns of its own, and if it has few,
// smoothing blurs it.
var views = []func(*image.Gray) *image.Gray{same, smooth, half, invert}

// Reader reads QR codes. It is not safe for concurrent use.
type Reader struct {
	good int  // the view that found the last code
	next int  // the other one to try
	down bool // the picture is turned upside down
}

// Read returns the text of a QR code in a picture, or "" if it finds none. It tries two views:
// the one that found the last code, and one of the others in turn. If both fail, the next
// picture is turned upside down: part of a code may look like one of the marks by which codes
// are found, so that one of two hundred would never be read, and then the library finds the
// marks in another order.
//
// The library may panic on an unusual picture, so Serve calls Read in a process of its own.
func (r *Reader) Read(m *image.Gray) string {
	if r.down {
		m = upsideDown(m)
	}
	if text := decode(views[r.good](m)); text != "" {
		return text
	}
	if r.next = (r.next + 1) % len(views); r.next == r.good {
		r.next = (r.next + 1) % len(views)
	}
	text := decode(views[r.next](m))
	if text != "" {
		r.good = r.next
	} else {
		r.down = !r.down
	}
	return text
}

// decode finds one code.
func decode(m *image.Gray) string {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	source, err := gozxing.NewPlanarYUVLuminanceSource(m.Pix, w, h, 0, 0, w, h, false)
	if err != nil {
		return ""
	}
	bits, err := gozxing.NewBinaryBitmap(gozxing.NewHybridBinarizer(source))
	if err != nil {
		return ""
	}
	found, err := qrcode.NewQRCodeReader().Decode(bits, nil)
	if err != nil || len(found.GetText()) > MaxText {
		return ""
	}
	return found.GetText()
}

func same(m *image.Gray) *image.Gray { return m }

func invert(m *image.Gray) *image.Gray {
	out := image.NewGray(m.Rect)
	for i, v := range m.Pix {
		out.Pix[i] = 255 - v
	}
	return out
}

func upsideDown(m *image.Gray) *image.Gray {
	out := image.NewGray(m.Rect)
	for i, v := range m.Pix {
		out.Pix[len(m.Pix)-1-i] = v
	}
	return out
}

// half returns a picture of half the size; each pixel is the mean of four.
func half(m *image.Gray) *image.Gray {
	w, h := m.Rect.Dx()/2, m.Rect.Dy()/2
	out := image.NewGray(image.Rect(0, 0, w, h))
	for y := range h {
		a, b := m.Pix[2*y*m.Stride:], m.Pix[(2*y+1)*m.Stride:]
		for x := range w {
			out.Pix[y*w+x] = byte((uint(a[2*x]) + uint(a[2*x+1]) + uint(b[2*x]) + uint(b[2*x+1]) + 2) / 4)
		}
	}
	return out
}

// smooth returns a picture in which each pixel is the mean of nine, except at the edge.
func smooth(m *image.Gray) *image.Gray {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	out := image.NewGray(m.Rect)
	copy(out.Pix, m.Pix)
	for y := 1; y < h-1; y++ {
		a, b, c := m.Pix[(y-1)*w:][:w], m.Pix[y*w:][:w], m.Pix[(y+1)*w:][:w]
		for x := 1; x < w-1; x++ {
			sum := uint(a[x-1]) + uint(a[x]) + uint(a[x+1]) + uint(b[x-1]) + uint(b[x]) + uint(b[x+1]) + uint(c[x-1]) + uint(c[x]) + uint(c[x+1])
			out.Pix[y*w+x] = byte((sum + 4) / 9)
		}
	}
	return out
}
