package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Tree is the folder of the image's sources, and makes disks and bundles by its scripts.
type Tree string

// Slot is what one version is made of.
type Slot struct {
	Squashfs  string
	Kernel    string
	Load      string   // address to which the kernel is copied
	Arguments string   // of the kernel
	Initrd    string   // none if empty
	Trees     []string // the device trees; without one, the firmware's is used
}

// Slot makes kernel.img and rootfs.img in the folder out.
func (t Tree) Slot(ctx context.Context, out string, s Slot) error {
	initrd := s.Initrd
	if initrd == "" {
		initrd = "-"
	}
	_, err := run(ctx, t.path("board/common/slot.sh"),
		append([]string{out, s.Squashfs, s.Kernel, s.Load, s.Arguments, initrd}, s.Trees...)...)
	return err
}

// BootScript compiles the script that U-Boot runs.
func (t Tree) BootScript(ctx context.Context, out string) error {
	_, err := run(ctx, "mkimage", "-q", "-T", "script", "-C", "none", "-A", "arm64", "-d", t.path("board/common/boot.cmd"), out)
	return err
}

// Disk makes disk.img in the folder out, with the images of the folder slot in both slots.
func (t Tree) Disk(ctx context.Context, out, slot string) error {
	work, err := os.MkdirTemp("", "disk")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work) //nolint:errcheck // below TMPDIR
	boot := filepath.Join(work, "root", "boot")
	if err := os.MkdirAll(boot, 0o755); err != nil {
		return err
	}
	if err := t.BootScript(ctx, filepath.Join(boot, "boot.scr")); err != nil {
		return err
	}
	_, err = run(ctx, "genimage", "--config", t.path("board/common/genimage.cfg"),
		"--rootpath", filepath.Join(work, "root"), "--inputpath", slot, "--outputpath", out, "--tmppath", filepath.Join(work, "tmp"))
	return err
}

// PKI makes keys for bundles in a folder.
func (t Tree) PKI(ctx context.Context, dir string) error {
	_, err := run(ctx, t.path("ota/pki.sh"), dir)
	return err
}

// Bundle makes a signed bundle of the images of a folder.
func (t Tree) Bundle(ctx context.Context, out, compatible, version, slot, pki string) error {
	_, err := run(ctx, t.path("ota/bundle.sh"), out, compatible, version, slot, pki)
	return err
}

// Render fills in a template of ota for a version of RAUC; values are NAME=VALUE.
func (t Tree) Render(ctx context.Context, template, rauc string, values ...string) (string, error) {
	return run(ctx, t.path("ota/render.sh"), append([]string{t.path("ota/" + template), rauc}, values...)...)
}

func (t Tree) path(name string) string { return filepath.Join(string(t), filepath.FromSlash(name)) }

// run runs a command, and gives what it printed. Its error holds what the command complained
// of. The administrator's programs are found by everybody.
func run(ctx context.Context, command string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, command, args...)
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	if path, err := exec.LookPath("/usr/sbin/" + command); cmd.Err != nil && err == nil {
		cmd.Path, cmd.Err = path, nil
	}
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return "", fmt.Errorf("%s: %w: %s", filepath.Base(command), err, strings.TrimSpace(string(exit.Stderr)))
	}
	return string(out), err
}
