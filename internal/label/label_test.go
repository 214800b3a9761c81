package label

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// example returns a label as long as real ones are.
func example(i int) Label {
	device := fmt.Sprintf("%026d", i)
	return Label{
		Code:  "CAMD:1?d=" + strings.Map(func(r rune) rune { return r - '0' + 'a' }, device) + "&s=" + strings.Repeat("z", 26) + "&k=" + strings.Repeat("Q", 43),
		Typed: "abcd-efgh-ijkl-mnop-qrst-uvwx-yz23-4567-abcd-ef",
		Name:  strings.Map(func(r rune) rune { return r - '0' + 'a' }, device), Title: "camera <5> & more",
	}
}

// zbar reads all codes of a picture with a decoder that is not of the encoder's making.
func zbar(t *testing.T, picture []byte) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "picture.png")
	if err := os.WriteFile(path, picture, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("zbarimg", "--quiet", "--raw", "-S*.enable=0", "-Sqrcode.enable=1", "--nodbus", path)
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("zbarimg is not installed (Debian package zbar-tools)")
	}
	if err != nil {
		t.Fatalf("zbarimg: %v %s", err, &errOut)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}

// print draws an SVG as a printer of so many dots an inch does.
func print(t *testing.T, svg []byte, dpi int) []byte {
	t.Helper()
	n := fmt.Sprint(dpi)
	cmd := exec.Command("rsvg-convert", "--dpi-x", n, "--dpi-y", n)
	cmd.Stdin = bytes.NewReader(svg)
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("rsvg-convert is not installed (Debian package librsvg2-bin)")
	}
	if err != nil {
		t.Fatalf("rsvg-convert: %v %s", err, &errOut)
	}
	return out
}

func decodePNG(t *testing.T, b []byte) image.Image {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func TestPNGIsRead(t *testing.T) {
	l := example(1)
	b, err := PNG(l.Code, 8)
	if err != nil {
		t.Fatal(err)
	}
	if got := zbar(t, b); !slices.Equal(got, []string{l.Code}) {
		t.Errorf("read %q, drew %q", got, l.Code)
	}
	img := decodePNG(t, b)
	code, err := encode(l.Code)
	if err != nil {
		t.Fatal(err)
	}
	if want := (code.Size + 2*quietZone) * 8; img.Bounds().Dx() != want || img.Bounds().Dy() != want {
		t.Errorf("the picture is %v, want %d", img.Bounds(), want)
	}
	quiet(t, img, image.Rect(0, 0, img.Bounds().Dx(), 4*8))
	quiet(t, img, image.Rect(0, 0, 4*8, img.Bounds().Dy()))
}

// quiet shows that nothing is drawn in an area.
func quiet(t *testing.T, img image.Image, area image.Rectangle) {
	t.Helper()
	for y := area.Min.Y; y < area.Max.Y; y++ {
		for x := area.Min.X; x < area.Max.X; x++ {
			if r, _, _, _ := img.At(x, y).RGBA(); r < 0xff00 {
				t.Fatalf("there is something at %d,%d in the quiet zone %v", x, y, area)
			}
		}
	}
}

// Each format has its size in millimetres, and what a printer of its resolution prints is
// read.
func TestEachFormatIsReadAsItIsPrinted(t *testing.T) {
	for _, f := range Formats {
		t.Run(f.Name, func(t *testing.T) {
			var labels []Label
			var want []string
			for i := range f.PerPage() {
				labels = append(labels, example(i))
				want = append(want, example(i).Code)
			}
			svg, err := f.SVG(labels...)
			if err != nil {
				t.Fatal(err)
			}
			dpi := int(math.Round(f.dots * 25.4))
			picture := print(t, svg, dpi)
			width, height := f.Width, f.Height
			if f.sheet != nil {
				width, height = 210, 297
			}
			img := decodePNG(t, picture)
			if w, h := float64(img.Bounds().Dx())/f.dots, float64(img.Bounds().Dy())/f.dots; math.Abs(w-width) > 0.2 || math.Abs(h-height) > 0.2 {
				t.Errorf("printed %.1fx%.1f mm, want %gx%g", w, h, width, height)
			}
			got := zbar(t, picture)
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("read %d codes, printed %d: %q", len(got), len(want), got)
			}
		})
	}
}

// Nothing of a label lies outside it, or in the code's quiet zone.
func TestTextStaysInItsPlace(t *testing.T) {
	for _, f := range Formats {
		svg, err := f.SVG(example(1))
		if err != nil {
			t.Fatal(err)
		}
		var texts []string
		for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", f.Name, err)
			}
			e, ok := token.(xml.StartElement)
			if !ok || e.Name.Local != "text" {
				continue
			}
			var x, y, width, size float64
			for _, a := range e.Attr {
				for name, into := range map[string]*float64{"x": &x, "y": &y, "textLength": &width, "font-size": &size} {
					if a.Name.Local == name {
						if _, err := fmt.Sscan(a.Value, into); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
			code, _ := encode(example(1).Code)
			if box := float64(code.Size+2*quietZone) * float64(f.module) / f.dots; x < box-0.01 || x+width > f.Width-margin+0.1 || y-size < 0 || y > f.Height-margin/2 {
				t.Errorf("%s: text at %g,%g of %gx%g mm on a label of %gx%g, whose code ends at %g", f.Name, x, y, width, size, f.Width, f.Height, box)
			}
			if size < 1.5 {
				t.Errorf("%s: text of %g mm can't be read", f.Name, size)
			}
			var text string
			if err := d.DecodeElement(&text, &e); err != nil {
				t.Fatal(err)
			}
			texts = append(texts, text)
		}
		l := example(1)
		if got, want := strings.Join(texts, ""), l.Title+l.Typed+l.Name; strings.ReplaceAll(got, "-", "") != strings.ReplaceAll(want, "-", "") {
			t.Errorf("%s: printed %q, want %q", f.Name, got, want)
		}
	}
}

func TestWhatDoesNotFit(t *testing.T) {
	l := example(1)
	l.Code = strings.Repeat("x", 1000)
	if _, err := Formats[0].SVG(l); err == nil || !strings.Contains(err.Error(), "does not fit a label of 62x29 mm") {
		t.Errorf("a large code: %v", err)
	}
	l.Code = strings.Repeat("x", 3000)
	if _, err := PNG(l.Code, 1); err == nil {
		t.Error("a code that can't be")
	}
	if _, err := Formats[0].SVG(example(1), example(2)); err == nil {
		t.Error("two labels on one")
	}
	if _, err := Find("a5"); err == nil || !strings.Contains(err.Error(), "there are 62x29, 90x29, 57x32, 2.25x1.25in, a4") {
		t.Errorf("an unknown format: %v", err)
	}
}
