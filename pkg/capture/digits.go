package capture

import (
	"image"
	"time"
)

// segments are the seven segments of each digit: top, upper right, lower right, bottom,
// lower left, upper left, middle, from the lowest bit on.
var segments = [10]byte{0x3f, 0x06, 0x5b, 0x4f, 0x66, 0x6d, 0x7d, 0x07, 0x7f, 0x6f}

// digits draws a clock, HH:MM:SS.mmm, on black in the middle.
func (d *drawing) digits(t time.Time) {
	unit := max(d.cfg.Width/80&^1, 2) // a segment's thickness
	wide, tall := 5*unit, 8*unit
	at := image.Pt((d.cfg.Width-12*wide)/2&^1, (d.cfg.Height-tall)/2&^1)
	d.box(image.Rectangle{at, at.Add(image.Pt(12*wide, tall))}.Inset(-unit), [3]byte{16, 128, 128})
	for _, c := range clockText(t) {
		d.glyph(at, unit, c)
		at.X += wide
	}
}

// clockText is t.Format("15:04:05.000") without an allocation.
func clockText(t time.Time) (s [12]byte) {
	h, m, sec := t.Clock()
	ms := t.Nanosecond() / 1e6
	for i, v := range [12]int{h / 10, h % 10, -1, m / 10, m % 10, -1, sec / 10, sec % 10, -2, ms / 100, ms / 10 % 10, ms % 10} {
		switch v {
		case -1:
			s[i] = ':'
		case -2:
			s[i] = '.'
		default:
			s[i] = byte('0' + v) //nolint:gosec // a digit
		}
	}
	return s
}

func (d *drawing) glyph(at image.Point, u int, c byte) {
	bar := func(x, y, w, h int) {
		d.box(image.Rect(x*u, y*u, (x+w)*u, (y+h)*u).Add(at), [3]byte{235, 128, 128})
	}
	switch c {
	case ':':
		bar(2, 2, 1, 1)
		bar(2, 5, 1, 1)
		return
	case '.':
		bar(2, 7, 1, 1)
		return
	}
	for i, r := range [7][4]int{{0, 0, 4, 1}, {3, 0, 1, 4}, {3, 4, 1, 4}, {0, 7, 4, 1}, {0, 4, 1, 4}, {0, 0, 1, 4}, {0, 3, 4, 1}} {
		if segments[c-'0']>>i&1 == 1 {
			bar(r[0], r[1], r[2], r[3])
		}
	}
}
