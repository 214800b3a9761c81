package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Arch is a Debian architecture that the lab can boot.
type Arch struct {
	Debian   string   // Debian's name
	Package  string   // depends on the kernel of the day
	GOARCH   string   // Go's name
	Release  string   // suffix of the release binaries
	Compiler string   // prefix of the cross compilers
	QEMU     []string // command and machine
}

// The two architectures that camd is released for. cortex-a53 boots fastest;
// without highmem=off a 32-bit kernel finds no PCI device.
var (
	ARM64 = Arch{"arm64", "linux-image-arm64", "arm64", "linux-arm64", "aarch64-linux-gnu",
		[]string{"qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a53"}}
	ARMv7 = Arch{"armhf", "linux-image-armmp", "arm", "linux-armv7", "arm-linux-gnueabihf",
		[]string{"qemu-system-arm", "-M", "virt,highmem=off", "-cpu", "cortex-a7"}}
)

// Kernel is an unpacked Debian kernel package.
type Kernel struct {
	Image   string            // path of the kernel image
	Modules map[string]string // paths of the modules by name, dashes as underscores
}

// freshFor is how long the answer to "which kernel does Debian have now" holds.
const freshFor = 24 * time.Hour

// ErrNoKernel means that no kernel is cached and none can be fetched.
var ErrNoKernel = errors.New("no kernel is cached and none can be fetched")

// FetchKernel gives the kernel that Debian has now, from the folder cache if it
// is there. Without a network an older one that is cached serves as well.
func FetchKernel(ctx context.Context, cache string, a Arch) (*Kernel, error) {
	cache, err := filepath.Abs(cache)
	if err != nil {
		return nil, err
	}
	p := newApt(filepath.Join(cache, a.Debian), a.Debian)
	current := filepath.Join(p.dir, "current") // holds "package=version"
	if s, err := os.Stat(current); err != nil || time.Since(s.ModTime()) > freshFor {
		if err := refresh(ctx, p, a.Package, current); err != nil {
			if _, missing := os.Stat(current); missing != nil {
				return nil, fmt.Errorf("%w: %w", ErrNoKernel, err)
			}
		}
	}
	want, err := os.ReadFile(current)
	if err != nil {
		return nil, fmt.Errorf("read which kernel is current: %w", err)
	}
	root, err := p.unpacked(ctx, string(want))
	if err != nil {
		return nil, err
	}
	return findKernel(root)
}

// refresh asks apt for the kernel of the day, fetches it, and notes it in the
// file current.
func refresh(ctx context.Context, p *apt, meta, current string) error {
	if err := p.prepare(); err != nil {
		return err
	}
	// A list that fails its check (the armhf security list at times) is no loss:
	// what the others name is fetched all the same.
	_, updateErr := p.run(ctx, "apt-get", "update")
	out, err := p.run(ctx, "apt-cache", "show", meta)
	if err != nil {
		return errors.Join(updateErr, err)
	}
	want, err := dependency(out)
	if err != nil {
		return fmt.Errorf("package %s: %w", meta, err)
	}
	root, err := p.unpacked(ctx, want)
	if err != nil {
		return err
	}
	if err := os.WriteFile(current, []byte(want), 0o644); err != nil {
		return err
	}
	return p.forget(root)
}

// dependency reads "package=version" out of the first, newest, stanza that
// apt-cache shows of a package with one versioned dependency.
func dependency(stanzas string) (string, error) {
	for line := range strings.Lines(stanzas) {
		if list, ok := strings.CutPrefix(line, "Depends: "); ok {
			first, _, _ := strings.Cut(list, ",")
			f := strings.Fields(strings.NewReplacer("(=", "", ")", "").Replace(first))
			if len(f) != 2 {
				return "", fmt.Errorf("depends on %q, not on one version of a kernel", strings.TrimSpace(list))
			}
			return f[0] + "=" + f[1], nil
		}
	}
	return "", errors.New("depends on no kernel")
}

func findKernel(root string) (*Kernel, error) {
	images, err := filepath.Glob(filepath.Join(root, "boot", "vmlinuz-*"))
	if err != nil || len(images) != 1 {
		return nil, fmt.Errorf("%d kernel images in %s, want 1", len(images), root)
	}
	k := &Kernel{Image: images[0], Modules: map[string]string{}}
	err = filepath.WalkDir(filepath.Join(root, "lib", "modules"), func(path string, _ os.DirEntry, err error) error {
		if name, ok := strings.CutSuffix(filepath.Base(path), ".ko"); ok {
			k.Modules[moduleName(name)] = path
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list modules: %w", err)
	}
	return k, nil
}

// Present tells which of the named commands is missing, if any.
func Present(commands ...string) error {
	for _, c := range commands {
		if _, err := lookPath(c); err != nil {
			return err
		}
	}
	return nil
}

// lookPath finds a command, one of the administrator's too, which the path of others
// often lacks.
func lookPath(command string) (string, error) {
	path, err := exec.LookPath(command)
	if err != nil {
		if path, there := exec.LookPath("/usr/sbin/" + command); there == nil {
			return path, nil
		}
	}
	return path, err
}
