//go:build !linux

package update

import "errors"

// freeSpace is Linux's.
func freeSpace(string) (uint64, error) { return 0, errors.New("not on this system") }
