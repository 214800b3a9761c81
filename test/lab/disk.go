package lab

import (
	"context"
	"fmt"
	"os"
	"strconv"
)

// Disk is a virtio disk of a guest: /dev/vda is a machine's first.
type Disk struct {
	Path string // of the raw image on the host
	// Log is a file on the host that gets every write and flush of the guest, as
	// ParseWriteLog reads it; none if empty.
	Log string
}

// diskModules are what a guest with a disk needs besides the machine's own. ext4
// asks the crypto API for crc32c by name, which no dependency tells.
var diskModules = []string{"virtio_blk", "crc32c_generic", "ext4"}

// MakeDisk makes an image of so many MiB that holds an empty ext4 file system,
// finished: the guest's kernel has nothing left to initialise in it later.
func MakeDisk(ctx context.Context, path string, mebibytes int) (Disk, error) {
	program, err := lookPath("mke2fs")
	if err != nil {
		return Disk{}, err
	}
	_, err = output(ctx, ".", program, "-q", "-F", "-t", "ext4",
		"-E", "lazy_itable_init=0,lazy_journal_init=0", path, strconv.Itoa(mebibytes)+"M")
	if err != nil {
		return Disk{}, fmt.Errorf("make a file system: %w", err)
	}
	return Disk{Path: path}, nil
}

// arguments are QEMU's for disk number n. One queue keeps flushes one after
// another, and discards and zeroing stay out of the log: ext4 can do without. The
// guest's flushes end in QEMU: no image has to survive the host.
func (d Disk) arguments(n int) ([]string, error) {
	node := "disk" + strconv.Itoa(n)
	block := "driver=raw"
	if d.Log != "" {
		if err := os.WriteFile(d.Log, nil, 0o600); err != nil { // QEMU opens only what is there
			return nil, err
		}
		block = "driver=blklogwrites,log.driver=file,log.cache.no-flush=on,log.filename=" + d.Log
	}
	block += ",file.driver=file,file.cache.no-flush=on,file.filename=" + d.Path
	return []string{
		"-blockdev", block + ",node-name=" + node,
		"-device", "virtio-blk-pci,drive=" + node + ",num-queues=1,discard=off,write-zeroes=off",
	}, nil
}
