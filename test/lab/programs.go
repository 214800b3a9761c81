package lab

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io/fs"
	"os"
)

// AddPrograms adds programs of an unpacked root file system, at their paths there, and the
// libraries that they need.
func (a Archive) AddPrograms(root string, paths ...string) error {
	r, err := os.OpenRoot(root) // a link there to /bin is none to the host's
	if err != nil {
		return err
	}
	defer r.Close() //nolint:errcheck // only read
	for _, p := range paths {
		if err := a.addELF(r, p); err != nil {
			return fmt.Errorf("add program %s: %w", p, err)
		}
	}
	return nil
}

func (a Archive) addELF(root *os.Root, path string) error {
	if _, there := a[path]; there {
		return nil
	}
	data, err := root.ReadFile(path)
	if err != nil {
		return err
	}
	a.Add(path, 0o755, data)
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return err
	}
	libraries, err := f.ImportedLibraries()
	if err != nil {
		return err
	}
	for _, l := range libraries {
		path, err := library(root, l)
		if err != nil {
			return err
		}
		if err := a.addELF(root, path); err != nil {
			return fmt.Errorf("library %s: %w", l, err)
		}
	}
	return nil
}

// library finds a library where Debian has it; the dynamic linker lies where the kernel looks
// for it.
func library(root *os.Root, soname string) (path string, err error) {
	for _, pattern := range []string{"lib/" + soname, "lib/*-linux-gnu*/" + soname} {
		found, err := fs.Glob(root.FS(), pattern)
		if err != nil {
			return "", err
		}
		if len(found) > 0 {
			return found[0], nil
		}
	}
	return "", fmt.Errorf("library %s: %w", soname, fs.ErrNotExist)
}
