package store

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// WriteFile writes a small file with mode 0600. After a power cut the file has the old or the
// new content, never a mix: WriteFile writes a temporary file, syncs it, renames it, and syncs
// the folder.
func WriteFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, Bare(err))
	}
	_, err = f.Write(data) // os.CreateTemp made it with mode 0600
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // a start ignores what is left
		return fmt.Errorf("write %s: %w", path, Bare(err))
	}
	return SyncDir(filepath.Dir(path))
}

// maxSmall bounds what ReadFile reads, in bytes.
const maxSmall = 4 << 20

// ReadFile reads a file that WriteFile wrote. The error is ErrMissing, ErrDamaged if it can't
// be such a file, for example a folder, or an error of the system, after which the state of
// the file is unknown.
func ReadFile(path string) ([]byte, error) {
	info, err := os.Stat(path) // first: a pipe would wait for its writer
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return nil, fmt.Errorf("read %s: %w", path, ErrMissing)
	case err != nil:
		return nil, fmt.Errorf("read file: %w", err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("read %s: %w: it is no regular file", path, ErrDamaged)
	case info.Size() > maxSmall:
		return nil, fmt.Errorf("read %s: %w: it has %d bytes", path, ErrDamaged, info.Size())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read file: %w", err)
	}
	return b, nil
}

// Bare returns an error of the system without the file's name, for temporary files.
func Bare(err error) error {
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

// SyncDir makes changes in a folder durable.
func SyncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("sync folder %s: %w", path, err)
	}
	return nil
}

// WriteDir creates the folder path, mode 0700, with all files (name to content) or not at
// all: it is filled under a temporary name and renamed. It fails if there is a folder that is
// not empty.
func WriteDir(path string, files map[string][]byte) error {
	tmp, err := os.MkdirTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write folder %s: %w", path, Bare(err))
	}
	for name, data := range files {
		if err := WriteFile(filepath.Join(tmp, name), data); err != nil {
			_ = os.RemoveAll(tmp)
			return fmt.Errorf("write %s: %w", filepath.Join(path, name), cmp.Or(errors.Unwrap(err), err))
		}
	}
	if err := os.Rename(tmp, path); err != nil {
		_ = os.RemoveAll(tmp)
		return fmt.Errorf("write folder %s: %w", path, Bare(err))
	}
	return SyncDir(filepath.Dir(path))
}
