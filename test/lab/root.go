package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/camd-project/camd/test/image"
)

// Version is what one version of a whole device's image is made of.
type Version struct {
	Number  string
	PKI     string   // as ota/pki.sh makes it: whose bundles the image takes
	Anchors string   // folder of who publishes releases, as camops release init makes it
	Files   Archive  // over Debian's and the image's own
	Enable  []string // units, besides those that the image's preset enables
	Panics  bool     // its kernel finds no root file system
}

// board is the board whose files the lab's image takes, and Compatible what its bundles are
// for.
const (
	board      = "qemu_aarch64"
	Compatible = "camd-qemu-aarch64"
)

// users and groups are those that the packages' scripts would make.
const (
	passwd = `root:x:0:0::/root:/bin/sh
messagebus:x:101:101::/:/bin/false
systemd-network:x:102:102::/:/bin/false
camd:x:900:900::/var/lib/camd:/bin/false
nobody:x:65534:65534::/:/bin/false
`
	groups = `root:x:0:
tty:x:5:
disk:x:6:
kmem:x:15:
video:x:44:camd
audio:x:29:camd
input:x:105:camd
render:x:106:
sgx:x:107:
kvm:x:108:
dialout:x:20:
cdrom:x:24:
tape:x:26:
lp:x:7:
messagebus:x:101:
systemd-network:x:102:
systemd-journal:x:103:
camd:x:900:
nogroup:x:65534:
`
)

// unwanted units are Debian's or need what the lab's kernel was not given.
var unwanted = strings.Fields(`dev-hugepages.mount dev-mqueue.mount e2scrub_all.timer e2scrub_reap.service
	fstrim.timer getty.target modprobe@.service nftables.service proc-sys-fs-binfmt_misc.automount
	sys-kernel-debug.mount sys-kernel-tracing.mount systemd-ask-password-console.path
	systemd-ask-password-wall.path systemd-journal-flush.service systemd-logind.service
	systemd-modules-load.service systemd-random-seed.service systemd-timesyncd.service
	systemd-tmpfiles-clean.timer systemd-update-utmp-runlevel.service systemd-update-utmp.service
	systemd-user-sessions.service`)

// coldplug keeps udev to the devices that somebody waits for.
const coldplug = `[Service]
ExecStart=
ExecStart=-udevadm trigger --type=all --action=add --prioritized-subsystem=block --subsystem-match=block --subsystem-match=net --subsystem-match=leds --subsystem-match=input
`

// MakeRoot makes the root file system of a version in the folder root, out of Debian's
// packages, the image's overlay and its own post-build script.
func MakeRoot(ctx context.Context, tree image.Tree, system, root string, v Version) error {
	overlay := filepath.Join(string(tree), "board", "common", "rootfs-overlay")
	for _, from := range []string{system, overlay} {
		// Hard links where that is possible: what is written below replaces files.
		if _, err := output(ctx, ".", "sh", "-c", `mkdir -p "$2" && { cp -a --link --remove-destination "$1/." "$2" 2>/dev/null || cp -a --remove-destination "$1/." "$2"; }`, "sh", from, root); err != nil {
			return err
		}
	}
	files := Archive{
		"etc/passwd":     {0o644, []byte(passwd)},
		"etc/group":      {0o644, []byte(groups)},
		"etc/machine-id": {0o444, nil}, // made for each boot: the root is read-only
		"etc/hostname":   {0o644, []byte("camd\n")},
		"etc/os-release": {0o644, []byte("ID=camd\nIMAGE_ID=" + Compatible + "\nIMAGE_VERSION=" + v.Number + "\n")},
		"etc/fstab":      {0o644, []byte("tmpfs /var tmpfs mode=0755,nosuid,nodev 0 0\ntmpfs /tmp tmpfs nosuid,nodev 0 0\ntmpfs /root tmpfs mode=0700,nosuid,nodev 0 0\n")},
	}
	// What costs an emulated machine a lot, and an image does without or has no use for here.
	for _, unit := range unwanted {
		files.Link("etc/systemd/system/"+unit, "/dev/null")
	}
	files.Add("etc/systemd/system/systemd-udev-trigger.service.d/lab.conf", 0o644, []byte(coldplug))
	for _, d := range []string{"dev", "proc", "sys", "run", "tmp", "root", "var", "data"} {
		files.Folder(d)
	}
	for name, f := range v.Files {
		files.Add(name, f.Mode, f.Data)
	}
	if err := files.unpack(root); err != nil {
		return err
	}
	if err := busybox(root); err != nil {
		return err
	}
	script := exec.CommandContext(ctx, filepath.Join(string(tree), "board", "common", "post-build.sh"), root, board)
	script.Env = append(os.Environ(), "CAMD_PKI="+v.PKI, "CAMD_ANCHORS="+v.Anchors)
	if out, err := script.CombinedOutput(); err != nil {
		return fmt.Errorf("post-build.sh: %w: %s", err, out)
	}
	return enable(root, v.Enable)
}

// unpack writes an archive's files below a folder. A file is never written through: it may
// be a link into the cache.
func (a Archive) unpack(dir string) error {
	for name, f := range a {
		path := filepath.Join(dir, name)
		if f.Mode.IsDir() {
			if err := os.MkdirAll(path, 0o755); err != nil {
				return err
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if f.Mode&fs.ModeSymlink != 0 {
			if err := os.Symlink(string(f.Data), path); err != nil {
				return err
			}
			continue
		}
		if err := os.WriteFile(path, f.Data, f.Mode.Perm()); err != nil {
			return err
		}
	}
	return nil
}

// tools are what scripts in the image use of busybox.
var tools = strings.Fields("sh ash awk cat chgrp chmod chown cp cut date dd echo env false grep head id kill ln logger ls mkdir mktemp mv pidof printf ps readlink realpath rm rmdir sed sha256sum sleep sort stat sync tail test touch tr true uname wc")

// busybox makes links for the tools that no package brought.
func busybox(root string) error {
	for _, t := range tools {
		if err := os.Symlink("busybox", filepath.Join(root, "usr", "bin", t)); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// enable makes the links of the units that the image's preset enables, and of more, as
// systemctl preset-all does in Buildroot.
func enable(root string, more []string) error {
	units := more
	presets, err := filepath.Glob(filepath.Join(root, "usr/lib/systemd/system-preset/*-camd.preset"))
	if err != nil {
		return err
	}
	for _, p := range presets {
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(text)) {
			if unit, ok := strings.CutPrefix(line, "enable "); ok {
				units = append(units, strings.TrimSpace(unit))
			}
		}
	}
	for _, u := range units {
		if err := enableUnit(root, u); err != nil {
			return err
		}
	}
	return nil
}

// enableUnit makes the links that the section [Install] of a unit asks for; a unit that
// the image does not have is no loss.
func enableUnit(root, unit string) error {
	f, err := os.Open(filepath.Join(root, "usr/lib/systemd/system", unit))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	for lines := bufio.NewScanner(f); lines.Scan(); {
		target, ok := strings.CutPrefix(lines.Text(), "WantedBy=")
		if !ok {
			continue
		}
		dir := filepath.Join(root, "etc/systemd/system", target+".wants")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := os.Symlink("/usr/lib/systemd/system/"+unit, filepath.Join(dir, unit)); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// MakeSlot makes the images of a version's slot in the folder out: the root file system,
// and the kernel with a first process that stands in for what Debian's has as modules.
func MakeSlot(ctx context.Context, tree image.Tree, out, root string, k *Kernel, init string, v Version) error {
	squashfs, initrd := root+".squashfs", root+".initrd"
	if _, err := output(ctx, ".", "mksquashfs", root, squashfs, "-quiet", "-no-progress", "-noappend", "-all-root", "-comp", "zstd", "-Xcompression-level", "3", "-no-xattrs"); err != nil {
		return err
	}
	if err := writeInitrd(initrd, k, init, Archive{"root": {Mode: fs.ModeDir | 0o755}}, fullModules); err != nil {
		return err
	}
	s := image.Slot{Squashfs: squashfs, Kernel: k.Image, Load: "0x40400000", Arguments: "console=ttyAMA0 quiet net.ifnames=0 systemd.show_status=0", Initrd: initrd}
	if v.Panics {
		s.Initrd = ""
	}
	return tree.Slot(ctx, out, s)
}

// fullModules are what the image's own kernel has built in.
var fullModules = []string{"virtio_pci", "virtio_blk", "virtio_net", "virtio_console", "squashfs", "dm_verity", "loop", "ext4", "crc32c_generic"}
