package lens

import (
	"image"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
)

// MaxText is the longest text that is passed on, in bytes: QR codes hold up to 4296
// characters (ISO/IEC 18004), codes for cameras 122.
const MaxText = 1024

// MaxPixels is the largest picture that is looked at. A larger one is made smaller first.
const MaxPixels = 1 << 21

// views are the ways to look at a picture. Which of them shows a code depends on the
// light and on how large the code is in it: noise makes patterns of its own where a
// module has many pixels, and smoothing blurs modules that have few.
var views = []func(*image.Gray) *image.Gray{same, smooth, half, invert}

// Reader reads QR codes. It is for one goroutine.
type Reader struct {
	good int  // the view that showed the last code
	next int  // the one to try beside it
	down bool // whether the picture is looked at upside down
}

// Read returns the text of a QR code in a picture; "" if it finds none. It looks at the
// picture in two ways: as it last found a code, and in one of the others in turn. Where it
// finds none the next picture is turned upside down: what is in a code may look like one of
// the marks by which codes are found, so that one of two hundred would never be read, and
// then the library comes upon the marks in another order.
//
// The library may panic on a picture that it wasn't made for, so Read is called in a
// process of its own, by Serve.
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

// half makes a picture of half the size, each pixel the mean of four.
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

// smooth makes each pixel the mean of nine. The edge stays as it is.
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
