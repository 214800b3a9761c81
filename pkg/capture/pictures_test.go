package capture

import (
	"errors"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
)

// writeGrey writes a picture of one grey.
func writeGrey(t *testing.T, path string, w, h int, y byte) {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, w, h))
	paint(m.Pix, y)
	m.Set(0, 0, color.Black)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(png.Encode(f, m), f.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestPicturesAreShownInTurn(t *testing.T) {
	dir := t.TempDir()
	cfg := testConfig()
	cfg.Source, cfg.File, cfg.Width, cfg.Height, cfg.Rate = SourcePictures, dir, 64, 48, 10
	synctest.Test(t, func(t *testing.T) {
		s, err := picturesSource{cfg}.open()
		if err != nil {
			t.Fatal(err)
		}
		// what is in the middle of the pictures of one second, and at their left edge
		second := func() (middle, edge []byte) {
			for range 8 {
				p, err := s.grab()
				if err != nil || len(p.data) != 64*48*3/2 {
					t.Fatal(len(p.data), err)
				}
				middle, edge = append(middle, p.data[24*64+32]), append(edge, p.data[24*64])
			}
			return middle, edge
		}
		if m, _ := second(); string(m) != strings.Repeat("\x64", 8) {
			t.Errorf("an empty folder shows %d", m)
		}
		writeGrey(t, filepath.Join(dir, "1.png"), 24, 24, 0)
		writeGrey(t, filepath.Join(dir, "2.png"), 480, 480, 255)
		if err := os.WriteFile(filepath.Join(dir, "3.png"), []byte("half written"), 0o600); err != nil {
			t.Fatal(err)
		}
		all, edge := second()
		more, _ := second()
		all = append(all, more...)
		if string(all[:12]) != strings.Repeat("\x10", 4)+strings.Repeat("\xeb", 4)+strings.Repeat("\x64", 4) || all[12] != 16 {
			t.Errorf("shown: %d", all)
		}
		if edge[0] != wall {
			t.Errorf("beside a square there is %d", edge[0])
		}
		s.interrupt()
		if _, err := s.grab(); !errors.Is(err, errInterrupted) {
			t.Error(err)
		}
	})
	cfg.File = filepath.Join(dir, "none")
	if _, err := (picturesSource{cfg}).open(); err == nil || !strings.Contains(explain(err), "can't be read") {
		t.Error(err)
	}
	cfg.File = ""
	if err := cfg.check(); err == nil {
		t.Error("a source of pictures needs no folder")
	}
}
