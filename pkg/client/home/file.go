package home

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"unicode"

	"github.com/camd-project/camd/pkg/auth/envelope"
)

// maxFile bounds the size of a file, in bytes.
const maxFile = 256 << 10

// replaceFile writes a file with mode 0600. A reader, or the next start after a power cut,
// finds either the old file or the new one.
func replaceFile(path string, data []byte) error {
	tmp, err := writeTemp(path, data)
	if err != nil {
		return WithoutPath(err)
	}
	if err := os.Rename(tmp, path); err != nil {
		_ = os.Remove(tmp)
		return WithoutPath(err)
	}
	return syncDir(filepath.Dir(path))
}

// createFile is like replaceFile, but if there is a file already, it leaves it as it is and
// returns fs.ErrExist.
func createFile(path string, data []byte) error {
	tmp, err := writeTemp(path, data)
	if err != nil {
		return WithoutPath(err)
	}
	defer func() { _ = os.Remove(tmp) }()
	if err := os.Link(tmp, path); err != nil {
		return WithoutPath(err)
	}
	return syncDir(filepath.Dir(path))
}

// WithoutPath returns an error of the system without the file's name: the sentence that
// it becomes part of has the name already, or it is a temporary one that nobody knows.
func WithoutPath(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}

func writeTemp(path string, data []byte) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) { // some file systems can't
		err = nil
	}
	return errors.Join(err, d.Close())
}

// readVersioned reads a JSON file whose member "version" must be want.
func readVersioned(path string, want int, into any) error {
	data, err := readBounded(path)
	if err != nil {
		return err
	}
	return parseVersioned(path, data, want, into)
}

func readBounded(path string) ([]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() || st.Size() > maxFile {
		return nil, NewProblem(fs.ErrInvalid, "%s is not a file of camctl: it is no regular file or far too large.", path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return data, nil
}

func parseVersioned(path string, data []byte, want int, into any) error {
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(data, &head); err != nil || head.Version < 1 {
		return broken(path, err)
	}
	if head.Version > want {
		return NewProblem(ErrNewer, "%s was written by a newer version of camctl (format %d, this one knows %d). Update camctl; nothing was changed.",
			path, head.Version, want)
	}
	if err := envelope.Decode(data, into); err != nil {
		return broken(path, err)
	}
	return nil
}

// broken returns an error that says that a file can't be used. Such a file is neither
// repaired nor removed: it may be all that is left of a key.
func broken(path string, cause error) error {
	return NewProblem(cause, "%s is damaged and was left as it is. Restore it from a backup, or move it away and pair again.", path)
}

const maxPrintable = 200 // bytes

// Printable returns at most 200 bytes of s, with a blank for each character that is not
// printable, so that what others wrote can't act on a terminal.
func Printable(s string) string {
	out := make([]rune, 0, len(s))
	for _, r := range s[:min(len(s), maxPrintable)] {
		if !unicode.IsPrint(r) { // no control of any kind, of the direction of writing neither
			r = ' '
		}
		out = append(out, r)
	}
	return string(out)
}
