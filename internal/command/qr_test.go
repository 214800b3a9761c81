package command

import (
	"bytes"
	"image/png"
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

func TestQRLinesDrawWhatPrintQRLeaves(t *testing.T) {
	const text = "CAMDC1:AA"
	var b strings.Builder
	if err := PrintQR(&b, text); err != nil {
		t.Fatal(err)
	}
	lines, err := QRLines(text)
	if err != nil {
		t.Fatal(err)
	}
	inverse := strings.NewReplacer(" ", "█", "█", " ", "▀", "▄", "▄", "▀")
	if got := inverse.Replace(strings.Join(lines, "\n") + "\n"); got != b.String() {
		t.Errorf("drawn\n%s\nwant\n%s", got, b.String())
	}
}

func TestWriteQR(t *testing.T) {
	const text = "CAMDC1:AA"
	var b bytes.Buffer
	if err := WriteQR(&b, text); err != nil {
		t.Fatal(err)
	}
	m, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		t.Fatal(err)
	}
	if side := (code.Size + 2*quietZone) * pngScale; m.Bounds().Dx() != side || m.Bounds().Dy() != side {
		t.Fatalf("%v", m.Bounds())
	}
	for y := -quietZone; y < code.Size+quietZone; y++ {
		for x := -quietZone; x < code.Size+quietZone; x++ {
			r, _, _, _ := m.At((x+quietZone)*pngScale+pngScale/2, (y+quietZone)*pngScale+pngScale/2).RGBA()
			if (r == 0) != code.Black(x, y) {
				t.Fatalf("module %d, %d", x, y)
			}
		}
	}
}
