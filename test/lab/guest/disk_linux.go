package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/camd-project/camd/test/lab/agent"
)

// Mount mounts a disk's ext4 file system.
func (g *Guest) Mount(m agent.Mount, _ *agent.Empty) error {
	if err := os.MkdirAll(m.At, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(m.Device, m.At, "ext4", 0, ""); err != nil {
		return fmt.Errorf("mount %s: %w", m.Device, err)
	}
	return nil
}

// Unmount unmounts it again.
func (g *Guest) Unmount(at string, _ *agent.Empty) error {
	if err := unix.Unmount(at, 0); err != nil {
		return fmt.Errorf("unmount %s: %w", at, err)
	}
	return nil
}

// Sync writes everything to the disks.
func (g *Guest) Sync(_ agent.Empty, _ *agent.Empty) error { //nolint:unparam // net/rpc wants it so
	unix.Sync()
	return nil
}
