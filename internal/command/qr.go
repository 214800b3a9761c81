package command

import (
	"fmt"
	"io"
	"strings"

	"rsc.io/qr"
)

// quietZone is the margin, in modules, that ISO/IEC 18004 asks for.
const quietZone = 4

// PrintQR draws text as a QR code, two modules a character, so that it keeps its
// shape in a terminal. Light modules are drawn, dark ones left: most terminals
// are dark, and readers take the inverse too.
func PrintQR(out io.Writer, text string) error {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return fmt.Errorf("draw the QR code: %w", err)
	}
	light := func(x, y int) int {
		if code.Black(x, y) {
			return 0
		}
		return 1
	}
	var b strings.Builder
	for y := -quietZone; y < code.Size+quietZone; y += 2 {
		for x := -quietZone; x < code.Size+quietZone; x++ {
			b.WriteRune([]rune(" ▀▄█")[light(x, y)+2*light(x, y+1)])
		}
		b.WriteByte('\n')
	}
	_, err = io.WriteString(out, b.String())
	return err
}
