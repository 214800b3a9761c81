package capture

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// mapping is a file in memory.
type mapping struct{ data []byte }

func mapFile(path string) (mapping, error) {
	f, err := os.Open(path) //nolint:gosec // the operator's configuration names it
	if err != nil {
		return mapping{}, err
	}
	defer func() { _ = f.Close() }() // only read; the mapping stays
	info, err := f.Stat()
	if err != nil {
		return mapping{}, fmt.Errorf("look at %s: %w", path, err)
	}
	size := int(info.Size())
	if !info.Mode().IsRegular() || size == 0 || int64(size) != info.Size() {
		return mapping{}, fmt.Errorf("map %s of %d bytes: %w", path, info.Size(), os.ErrInvalid)
	}
	b, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return mapping{}, fmt.Errorf("map %s: %w", path, err)
	}
	return mapping{b}, nil
}

func (m mapping) close() error { return unix.Munmap(m.data) }
