//go:build unix

package publish

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lock waits until nobody else changes the folder, and keeps others waiting until unlock.
func (f *Folder) lock() (unlock func(), err error) {
	file, err := os.Open(f.dir)
	if err != nil {
		return nil, fmt.Errorf("open the folder of releases: %w", err)
	}
	for err = syscall.EINTR; errors.Is(err, syscall.EINTR); {
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock the folder of releases: %w", err), file.Close())
	}
	return func() { _ = file.Close() }, nil // which unlocks
}
