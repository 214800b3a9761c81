package capture

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
)

// rawFile writes pictures of 64x48, each of one value, and returns the configuration.
func rawFile(t *testing.T, head string, values ...byte) Config {
	t.Helper()
	var b bytes.Buffer
	b.WriteString(head)
	for _, v := range values {
		b.WriteString("FRAME\n")
		b.Write(bytes.Repeat([]byte{v}, 64*48*3/2))
	}
	cfg := testConfig()
	cfg.Source, cfg.File, cfg.Rate = SourceFile, filepath.Join(t.TempDir(), "raw.y4m"), 10
	if err := os.WriteFile(cfg.File, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestRawPicturesPlayInALoop(t *testing.T) {
	cfg := rawFile(t, "YUV4MPEG2 W64 H48 F15:1 Ip A1:1 C420jpeg XYSCSS=420JPEG\n", 1, 2, 3)
	synctest.Test(t, func(t *testing.T) {
		s, err := fileSource{cfg}.open()
		if err != nil {
			t.Fatal(err)
		}
		if sh := s.shape(); sh.coded || sh.rate != 10 || sh.raw.Width != 64 || sh.raw.Height != 48 {
			t.Errorf("the shape is %+v", sh)
		}
		var got []byte
		for range 7 {
			p, err := s.grab()
			if err != nil || len(p.data) != 64*48*3/2 {
				t.Fatal(len(p.data), err)
			}
			got = append(got, p.data[0])
		}
		if want := []byte{1, 2, 3, 1, 2, 3, 1}; !bytes.Equal(got, want) {
			t.Errorf("the pictures are %v, want %v", got, want)
		}
		s.interrupt()
		if _, err := s.grab(); !errors.Is(err, errInterrupted) {
			t.Errorf("after interrupt: %v", err)
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
}

func TestRawPicturesThatCantBeRead(t *testing.T) {
	for name, cfg := range map[string]Config{
		"a head without end": rawFile(t, "YUV4MPEG2 W64 H48 C420 "+strings.Repeat("x", 400)),
		"another layout":     rawFile(t, "YUV4MPEG2 W64 H48 C444\n", 1),
		"an odd size":        rawFile(t, "YUV4MPEG2 W63 H48 C420\n", 1),
		"no size":            rawFile(t, "YUV4MPEG2 C420\n", 1),
		"a huge size":        rawFile(t, "YUV4MPEG2 W64000 H48000\n", 1),
		"no picture":         rawFile(t, "YUV4MPEG2 W64 H48\n"),
		"half a picture":     rawFile(t, "YUV4MPEG2 W64 H480\n", 1),
	} {
		if _, err := (fileSource{cfg}).open(); !errors.Is(err, errY4M) || !strings.Contains(err.Error(), "YUV4MPEG2 with 8 bits and 4:2:0 is needed") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
