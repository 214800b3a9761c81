package audio

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
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

// Sound is not written into what somebody else made.
func TestRecorderLeavesOthersFilesAlone(t *testing.T) {
	dir := t.TempDir()
	other := filepath.Join(dir, "other")
	if err := os.WriteFile(other, []byte("other"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, put := range map[string]func(path string) error{
		"another file": func(path string) error { return os.WriteFile(path, []byte("x"), 0o644) },
		"a link":       func(path string) error { return os.Symlink(other, path) },
		"another name": func(path string) error { return os.Link(other, path) },
		"a pipe":       func(path string) error { return syscall.Mkfifo(path, 0o600) },
	} {
		path := filepath.Join(dir, name)
		if err := put(path); err != nil {
			t.Fatal(err)
		}
		if r, err := openRecorder(path); err == nil {
			t.Errorf("%s is taken: %v", name, r.Close())
		}
		if CheckSpeakerFile(path) == nil {
			t.Errorf("%s is taken for a speaker's file", name)
		}
	}
	own := filepath.Join(dir, "own")
	for range 2 { // not there yet, and made
		if err := CheckSpeakerFile(own); err != nil {
			t.Error(err)
		}
		if r, err := openRecorder(own); err != nil || r.Close() != nil {
			t.Error(err)
		}
	}
	if got, err := os.ReadFile(other); err != nil || string(got) != "other" {
		t.Errorf("%q, %v", got, err)
	}
}
