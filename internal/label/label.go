// Package label draws what is printed on a camera: a QR code and the text for people who
// type, as SVG with real millimetres for label printers and sheets, and the code alone as
// PNG.
package label

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"strings"

	"rsc.io/qr"
)

// Label is the content of one label.
type Label struct {
	Code  string // what the QR code holds
	Typed string // the same for people who type, in groups joined by hyphens
	Name  string // below it in small print: what tells this label from another
	Title string // above it; may be empty
}

// quietZone is the margin, in modules, that ISO/IEC 18004 asks for.
const quietZone = 4

// Format is what a label is printed on. Lengths are in millimetres.
type Format struct {
	Name, For     string
	Width, Height float64
	dots          float64 // the printer's, for each millimetre
	module        int     // dots for each module of the code, so that none is blurred
	sheet         *sheet  // nil for a roll: each label is a page
}

// sheet is a page with several labels.
type sheet struct {
	width, height  float64
	columns, rows  int
	left, top      float64 // where the first label begins
	across, beyond float64 // from one label to the next
}

const (
	dpi203 = 203 / 25.4
	dpi300 = 300 / 25.4
)

// Formats are those that can be chosen, the first one unless another is named.
var Formats = []Format{
	{Name: "62x29", For: "Brother, 62 mm, continuous or die cut", Width: 62, Height: 29, dots: dpi300, module: 6},
	{Name: "90x29", For: "Brother, 29x90 mm, across", Width: 90, Height: 29, dots: dpi300, module: 6},
	{Name: "57x32", For: "Dymo, 57x32 mm", Width: 57, Height: 32, dots: dpi300, module: 6},
	{Name: "2.25x1.25in", For: "Zebra, 2.25x1.25 inches, 203 dpi", Width: 57.15, Height: 31.75, dots: dpi203, module: 4},
	{Name: "a4", For: "a sheet A4 of 21 labels, 63.5x38.1 mm", Width: 63.5, Height: 38.1, dots: dpi300, module: 6,
		sheet: &sheet{width: 210, height: 297, columns: 3, rows: 7, left: 7.25, top: 15.15, across: 66, beyond: 38.1}},
}

// Find returns the format of a name.
func Find(name string) (Format, error) {
	var names []string
	for _, f := range Formats {
		if f.Name == name {
			return f, nil
		}
		names = append(names, f.Name)
	}
	return Format{}, fmt.Errorf("%.40q is no format of a label; there are %s", name, strings.Join(names, ", "))
}

// PerPage returns how many labels one page of the format holds.
func (f Format) PerPage() int {
	if f.sheet == nil {
		return 1
	}
	return f.sheet.columns * f.sheet.rows
}

// encode makes the code. Level M mends 15 % of what is scratched.
func encode(text string) (*qr.Code, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return nil, fmt.Errorf("draw the QR code: %w", err)
	}
	return code, nil
}

// PNG draws the code alone, with its quiet zone; each module is a square of size pixels.
func PNG(text string, size int) ([]byte, error) {
	code, err := encode(text)
	if err != nil {
		return nil, err
	}
	side := (code.Size + 2*quietZone) * size
	img := image.NewPaletted(image.Rect(0, 0, side, side), color.Palette{color.White, color.Black})
	for y := range side {
		for x := range side {
			if code.Black(x/size-quietZone, y/size-quietZone) {
				img.SetColorIndex(x, y, 1)
			}
		}
	}
	var b bytes.Buffer
	err = png.Encode(&b, img)
	return b.Bytes(), err
}

// SVG draws one page with as many labels as it holds at most.
func (f Format) SVG(labels ...Label) ([]byte, error) {
	if len(labels) > f.PerPage() {
		return nil, fmt.Errorf("%d labels on a page for %d", len(labels), f.PerPage())
	}
	width, height := f.Width, f.Height
	if f.sheet != nil {
		width, height = f.sheet.width, f.sheet.height
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%gmm" height="%gmm" viewBox="0 0 %g %g">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, `<rect width="%g" height="%g" fill="#fff"/>`+"\n", width, height)
	for i, l := range labels {
		x, y := 0.0, 0.0
		if s := f.sheet; s != nil {
			x, y = s.left+float64(i%s.columns)*s.across, s.top+float64(i/s.columns)*s.beyond
		}
		fmt.Fprintf(&b, `<g transform="translate(%.2f %.2f)">`+"\n", x, y)
		if err := f.draw(&b, l); err != nil {
			return nil, err
		}
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>\n")
	return b.Bytes(), nil
}

// draw draws one label: the code at the left, with its quiet zone, and the text beside it.
func (f Format) draw(b *bytes.Buffer, l Label) error {
	code, err := encode(l.Code)
	if err != nil {
		return err
	}
	module := float64(f.module) / f.dots
	box := float64(code.Size+2*quietZone) * module
	if box > f.Height || box > f.Width/2 {
		return fmt.Errorf("the code of %.1f mm does not fit a label of %gx%g mm", box, f.Width, f.Height)
	}
	fmt.Fprintf(b, `<path transform="translate(%.3f %.3f) scale(%.5f)" shape-rendering="crispEdges" d="`,
		quietZone*module, (f.Height-box)/2+quietZone*module, module)
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			from := x
			for code.Black(x, y) {
				x++
			}
			if x > from {
				fmt.Fprintf(b, "M%d %dh%dv1h-%dz", from, y, x-from, x-from)
			}
		}
	}
	b.WriteString(`"/>` + "\n")
	f.write(b, l, box)
	return nil
}

// margin is what is left free at the edges, since printers don't reach them.
const margin = 2.0

// line is one line of text. All characters of it have the same width.
type line struct {
	text string
	size float64 // height of the font, in millimetres
}

// write writes the text at the right of the code's box, in the middle of the height.
func (f Format) write(b *bytes.Buffer, l Label, box float64) {
	room := f.Width - box - margin
	var lines []line
	if l.Title != "" {
		lines = append(lines, fit(l.Title, room, 3))
	}
	perLine := max(2, int(room/12))
	for groups := strings.Split(l.Typed, "-"); len(groups) > 0; {
		n := min(perLine, len(groups))
		lines = append(lines, fit(strings.Join(groups[:n], "-"), room, 3.4))
		groups = groups[n:]
	}
	lines = append(lines, fit(l.Name, room, 2))
	height := 0.0
	for _, t := range lines {
		height += t.size * leading
	}
	y := (f.Height - height) / 2
	for _, t := range lines {
		y += t.size * leading
		fmt.Fprintf(b, `<text x="%.2f" y="%.2f" font-family="monospace" font-size="%.2f" textLength="%.2f" lengthAdjust="spacingAndGlyphs">`,
			box, y-t.size*(leading-1), t.size, t.width())
		_ = xml.EscapeText(b, []byte(t.text)) // a buffer takes everything
		b.WriteString("</text>\n")
	}
}

const (
	leading = 1.25 // height of a line, for each height of its font
	advance = 0.6  // width of a character of a monospaced font, for each height
)

// fit makes a line that is as high as most at most, and no wider than room.
func fit(text string, room, most float64) line {
	n := max(1, float64(len([]rune(text))))
	return line{text, min(most, room/n/advance)}
}

// width is said to whoever draws it: other fonts are wider.
func (t line) width() float64 { return float64(len([]rune(t.text))) * t.size * advance }
