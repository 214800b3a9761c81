package store

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// What a file held is overwritten where it lies, and the file is gone.
func TestShred(t *testing.T) {
	for name, size := range map[string]int{"a key": 32, "nothing": 0, "more than one buffer": 100_001} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			if err := os.WriteFile(path, bytes.Repeat([]byte("secret "), size/7+1)[:size], 0o400); err != nil {
				t.Fatal(err)
			}
			open, err := os.Open(path) // sees the blocks, whatever becomes of the name
			if err != nil {
				t.Fatal(err)
			}
			defer open.Close() //nolint:errcheck // only read
			if err := os.Chmod(path, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := Shred(path); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Lstat(path); !os.IsNotExist(err) {
				t.Errorf("it is still there: %v", err)
			}
			if b, err := io.ReadAll(open); err != nil || !bytes.Equal(b, make([]byte, size)) {
				t.Errorf("its blocks hold %d bytes, %q…, %v", len(b), b[:min(20, len(b))], err)
			}
		})
	}
}

// Nothing but a file that is meant is touched.
func TestShredLeavesAlone(t *testing.T) {
	dir := t.TempDir()
	kept := filepath.Join(dir, "kept")
	if err := os.WriteFile(kept, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	link, folder := filepath.Join(dir, "link"), filepath.Join(dir, "folder")
	if err := os.Symlink(kept, link); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{link, folder, filepath.Join(dir, "not there"), filepath.Join(dir, "nor", "its folder")} {
		if err := Shred(path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if b, err := os.ReadFile(kept); err != nil || string(b) != "content" {
		t.Errorf("behind the link: %q, %v", b, err)
	}
	if _, err := os.Stat(folder); err != nil {
		t.Error(err)
	}
}
