package audio

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
)

func TestRecorderKeepsWhatWasPlayed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "played.raw")
	for _, want := range []string{"\x01\x00\xfe\xff\x00\x80", "\x01\x00\xfe\xff\x00\x80\x01\x00\xfe\xff\x00\x80"} { // it appends
		synctest.Test(t, func(t *testing.T) {
			r, err := openRecorder(path)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := r.Write([]int16{1, -2, -32768}); n != 3 || err != nil {
				t.Errorf("Write: %d, %v", n, err)
			}
			if err := r.Drain(t.Context()); err != nil {
				t.Error(err)
			}
			for range 2 {
				if err := r.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			}
		})
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, []byte(want)) {
			t.Errorf("the file holds %x, %v, want %x", got, err, want)
		}
	}
	if _, err := openRecorder(t.TempDir()); err == nil {
		t.Error("a folder is no file")
	}
}
