package command

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"strings"

	"rsc.io/qr"
)

// quietZone is the margin, in modules, that ISO/IEC 18004 asks for.
const quietZone = 4

// PrintQR draws text as a QR code, two modules per character, so that it keeps its shape in a
// terminal. It draws the light modules: most terminals are dark, and readers can read the
// inverse too. If the window is too narrow, it says so instead.
func PrintQR(out io.Writer, text string) error {
	code, err := encodeQR(text)
	if err != nil {
		return err
	}
	if columns, _, ok := Size(out); ok && columns < width(code) {
		if code, err = qr.Encode(text, qr.L); err != nil { // smaller, and a screen has no scratches
			return fmt.Errorf("draw the QR code: %w", err)
		}
		if need := width(code); columns < need {
			_, err = fmt.Fprintf(out, "The QR code of this needs a window of %d columns, and this one has %d: make it wider to see the code.\n\n", need, columns)
			return err
		}
	}
	var b strings.Builder
	for _, line := range halfBlocks(code, func(black bool) bool { return !black }) {
		b.WriteString(line + "\n")
	}
	_, err = io.WriteString(out, b.String())
	return err
}

// QRLines returns the lines of PrintQR, but with dark modules drawn, for programs that set the
// colours.
func QRLines(text string) ([]string, error) {
	code, err := encodeQR(text)
	if err != nil {
		return nil, err
	}
	return halfBlocks(code, func(black bool) bool { return black }), nil
}

// pngScale is the width of a module in pixels.
const pngScale = 12

// WriteQR writes text as a QR code in a PNG file.
func WriteQR(out io.Writer, text string) error {
	code, err := encodeQR(text)
	if err != nil {
		return err
	}
	side := width(code) * pngScale
	m := image.NewPaletted(image.Rect(0, 0, side, side), color.Palette{color.White, color.Black})
	for i := range m.Pix {
		if code.Black(i%side/pngScale-quietZone, i/side/pngScale-quietZone) {
			m.Pix[i] = 1
		}
	}
	return png.Encode(out, m)
}

func encodeQR(text string) (*qr.Code, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return nil, fmt.Errorf("draw the QR code: %w", err)
	}
	return code, nil
}

// width returns the number of columns of a code.
func width(code *qr.Code) int { return code.Size + 2*quietZone }

// halfBlocks draws the modules for which ink is true.
func halfBlocks(code *qr.Code, ink func(black bool) bool) (lines []string) {
	drawn := func(x, y int) int {
		if ink(code.Black(x, y)) {
			return 1
		}
		return 0
	}
	for y := -quietZone; y < code.Size+quietZone; y += 2 {
		var b strings.Builder
		for x := -quietZone; x < code.Size+quietZone; x++ {
			b.WriteRune([]rune(" ▀▄█")[drawn(x, y)+2*drawn(x, y+1)])
		}
		lines = append(lines, b.String())
	}
	return lines
}
