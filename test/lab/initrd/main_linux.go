// Command initrd is the first process of a guest that is a whole device. It does what the image's own
// kernel does without help: Debian's has disks, squashfs and dm-verity as modules, and so
// can't make the root device that dm-mod.create= names. It makes that device from the same
// kernel argument, mounts it read-only, and becomes the init that lies there. Whatever fails
// ends it, which panics the kernel.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/camd-project/camd/test/lab/agent"
	"github.com/camd-project/camd/test/lab/kmod"
)

const newRoot = "/root"

func main() {
	fmt.Println("initrd: ends:", run()) // and the kernel panics
}

func run() error {
	for _, m := range []struct{ kind, at string }{{"devtmpfs", "/dev"}, {"proc", "/proc"}, {"sysfs", "/sys"}} {
		if err := unix.Mount(m.kind, m.at, m.kind, 0, ""); err != nil && err != unix.EBUSY {
			return fmt.Errorf("mount %s: %w", m.at, err)
		}
	}
	if err := kmod.Load("/" + agent.ModuleList); err != nil {
		return err
	}
	line, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return err
	}
	name, sectors, kind, table, err := device(string(line))
	if err != nil {
		return err
	}
	if err := patiently(func() error { return makeDevice(name, sectors, kind, table) }); err != nil {
		return fmt.Errorf("make the root device: %w", err)
	}
	if err := patiently(func() error { return unix.Mount("/dev/dm-0", newRoot, "squashfs", unix.MS_RDONLY, "") }); err != nil {
		return fmt.Errorf("mount the root: %w", err)
	}
	return become(newRoot, "/sbin/init")
}

// device reads dm-mod.create="NAME,,,ro,START SECTORS KIND TABLE", the kernel's own argument
// (Documentation/admin-guide/device-mapper/dm-init.rst), for one device with one target.
func device(line string) (name string, sectors uint64, kind, table string, err error) {
	_, rest, ok := strings.Cut(line, `dm-mod.create="`)
	value, _, closed := strings.Cut(rest, `"`)
	f := strings.SplitN(value, ",", 5)
	if !ok || !closed || len(f) != 5 || f[3] != "ro" {
		return "", 0, "", "", errors.New("no read-only device in dm-mod.create=")
	}
	words := strings.SplitN(f[4], " ", 4)
	if len(words) != 4 || words[0] != "0" {
		return "", 0, "", "", fmt.Errorf("no table in %q", f[4])
	}
	if _, err := fmt.Sscan(words[1], &sectors); err != nil {
		return "", 0, "", "", err
	}
	return f[0], sectors, words[2], words[3], nil
}

// patiently tries again while a disk is still being found.
func patiently(try func() error) error {
	var err error
	for range 300 {
		if err = try(); err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return err
}

// become moves the mounts to the root file system and runs its init.
func become(root, program string) error {
	for _, m := range []string{"/dev", "/proc", "/sys"} {
		if err := unix.Mount(m, root+m, "", unix.MS_MOVE, ""); err != nil {
			return fmt.Errorf("move %s: %w", m, err)
		}
	}
	if err := unix.Chdir(root); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move the root: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return err
	}
	err := unix.Exec(program, []string{program}, []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"})
	return fmt.Errorf("run %s: %w", program, err)
}
