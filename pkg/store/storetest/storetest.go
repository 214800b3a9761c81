// Package storetest damages files for tests, and compares folders.
package storetest

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Harms are the ways in which a file can be damaged.
var Harms = map[string]func(path string, content []byte) error{
	"missing": func(path string, _ []byte) error { return os.Remove(path) },
	"empty":   func(path string, _ []byte) error { return os.Truncate(path, 0) },
	"short":   func(path string, b []byte) error { return os.Truncate(path, int64(len(b)/2)) },
	"long": func(path string, b []byte) error {
		return os.WriteFile(path, append(bytes.Clone(b), b...), 0o600)
	},
	"huge": func(path string, _ []byte) error { return os.Truncate(path, 1<<30) },
	"garbage": func(path string, b []byte) error {
		_, _ = rand.Read(b)
		return os.WriteFile(path, b, 0o600)
	},
	"a folder": func(path string, _ []byte) error {
		return errors.Join(os.Remove(path), os.MkdirAll(filepath.Join(path, "in it"), 0o700))
	},
	"a link to nothing": func(path string, _ []byte) error {
		return errors.Join(os.Remove(path), os.Symlink("nothing", path))
	},
	"a pipe": func(path string, _ []byte) error { return errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600)) },
}

// Tree lists what is below dir, with the content of small files.
func Tree(t *testing.T, dir string) string {
	t.Helper()
	var b bytes.Buffer
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		b.WriteString(path + " " + d.Type().String())
		if d.Type().IsRegular() && filepath.Ext(path) != ".db" {
			f, err := os.Open(path)
			if err != nil {
				return err
			}
			_, err = io.CopyN(&b, f, 64<<10) // some are made huge
			if err := errors.Join(f.Close(), err); err != nil && !errors.Is(err, io.EOF) {
				return err
			}
		}
		b.WriteByte('\n')
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// CheckModes fails the test for every file and folder below dir that group or others may
// reach.
func CheckModes(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Type() != os.ModeSymlink && info.Mode().Perm()&0o077 != 0 { // a link has none of its own
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
