// Package kmod loads kernel modules in the lab's guests.
package kmod

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Load loads the modules that a file lists: a path and parameters on each line, in order.
// Parts of the kernel itself may be named too.
func Load(list string) error {
	text, err := os.ReadFile(list)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		path, parameters, _ := strings.Cut(strings.TrimSpace(line), " ")
		if err := load(path, parameters); err != nil {
			return fmt.Errorf("load %s: %w", path, err)
		}
	}
	return nil
}

func load(path, parameters string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	if err := unix.FinitModule(int(f.Fd()), parameters, 0); err != nil && err != unix.EEXIST {
		return err
	}
	return nil
}
