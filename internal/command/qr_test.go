package command

import (
	"strings"
	"testing"
	"unicode/utf8"

	"rsc.io/qr"
)

func TestPrintQRDrawsEveryModule(t *testing.T) {
	const text = "CAMD:1?d=aaaaaaaaaaaaaaaaaaaaaaaaaa"
	var b strings.Builder
	if err := PrintQR(&b, text); err != nil {
		t.Fatal(err)
	}
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		t.Fatal(err)
	}
	rows := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	side := code.Size + 2*quietZone
	if len(rows) != (side+1)/2 {
		t.Fatalf("%d rows, want %d", len(rows), (side+1)/2)
	}
	for i, row := range rows {
		if n := utf8.RuneCountInString(row); n != side {
			t.Fatalf("row %d has %d modules, want %d", i, n, side)
		}
		for x, r := range []rune(row) {
			top := r == '▀' || r == '█'
			bottom := r == '▄' || r == '█'
			if top == code.Black(x-quietZone, 2*i-quietZone) || bottom == code.Black(x-quietZone, 2*i+1-quietZone) {
				t.Fatalf("module %d of row %d is drawn %q", x, i, r)
			}
		}
	}
}
