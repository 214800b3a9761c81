package update

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// freeSpace returns how many bytes this user may still write below path. statfs(2).
func freeSpace(path string) (uint64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, fmt.Errorf("look at the storage: %w", err)
	}
	return s.Bavail * uint64(s.Bsize), nil //nolint:gosec,unconvert // a block has a size; its type differs
}
