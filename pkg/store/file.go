package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// WriteFile writes a small file of mode 0600 so that a power cut leaves the old
// content or the new, never a mix: a temporary file beside it, fsync, rename,
// fsync of the folder.
func WriteFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := fillFile(f, data); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(f.Name()))
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return errors.Join(fmt.Errorf("write file: %w", err), os.Remove(f.Name()))
	}
	return SyncDir(filepath.Dir(path))
}

// fillFile writes, syncs and closes f. os.CreateTemp made it with mode 0600.
func fillFile(f *os.File, data []byte) error {
	_, err := f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// SyncDir makes what was renamed, made or removed in a folder durable.
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

// WriteDir makes folder path, mode 0700, with all of files (name to content) or
// not at all: it is filled under a temporary name and renamed. An existing
// folder that is not empty makes it fail.
func WriteDir(path string, files map[string][]byte) error {
	tmp, err := os.MkdirTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write folder %s: %w", path, err)
	}
	for name, data := range files {
		if err := WriteFile(filepath.Join(tmp, name), data); err != nil {
			return errors.Join(err, os.RemoveAll(tmp))
		}
	}
	if err := os.Rename(tmp, path); err != nil {
		return errors.Join(fmt.Errorf("write folder: %w", err), os.RemoveAll(tmp))
	}
	return SyncDir(filepath.Dir(path))
}
