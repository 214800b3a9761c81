package lab

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Packages are some of Debian's, which are unpacked over one another with what they depend on.
type Packages struct {
	Name  string // of their folder in the cache
	Names []string
}

// SystemPackages make the root file system of a whole device. The shell and its tools are
// busybox's, as in an image. Out of RadioPackages come the programs of a guest with radios.
var (
	SystemPackages = Packages{"system", []string{"systemd", "systemd-sysv", "udev", "dbus", "rauc", "rauc-service", "libubootenv-tool", "e2fsprogs", "fdisk", "util-linux", "busybox-static"}}
	RadioPackages  = Packages{"radios", []string{"dbus-daemon", "bluez", "bluez-test-tools", "wpasupplicant", "hostapd", "iw", "iproute2", "busybox-static"}}
)

// unneeded are packages that only the installation on a Debian machine needs, which nobody
// does here: their files are unpacked, no script of theirs runs.
var unneeded = regexp.MustCompile(`^(perl.*|libperl.*|lib.*-perl|libgdbm.*|usrmerge|debconf|adduser|dpkg|tar|passwd|libsem.*|init-system-helpers|gcc-12-base|libdb5.3|libsasl2-modules-db|dbus-session-bus-common|dmsetup)$`)

// Fetch gives the folder with the files of packages as Debian has them now, from the folder
// cache if they are there; an older one that is cached serves without a network.
func (k Packages) Fetch(ctx context.Context, cache string, a Arch) (string, error) {
	cache, err := filepath.Abs(cache)
	if err != nil {
		return "", err
	}
	p := newApt(filepath.Join(cache, a.Debian+"-"+k.Name), a.Debian)
	current := filepath.Join(p.dir, "current-"+hash(k.Names)) // holds the folder's name
	if s, err := os.Stat(current); err != nil || time.Since(s.ModTime()) > freshFor {
		if err := k.refresh(ctx, p, current); err != nil {
			if _, missing := os.Stat(current); missing != nil {
				return "", fmt.Errorf("%w: %w", ErrNoKernel, err)
			}
		}
	}
	name, err := os.ReadFile(current)
	return filepath.Join(p.dir, string(name)), err
}

var toInstall = regexp.MustCompile(`(?m)^Inst (\S+) \((\S+) `)

func (k Packages) refresh(ctx context.Context, p *apt, current string) error {
	if err := p.prepare(); err != nil {
		return err
	}
	_, updateErr := p.run(ctx, "apt-get", "update")
	plan, err := p.run(ctx, "apt-get", append([]string{"install", "--simulate", "--no-install-recommends"}, k.Names...)...)
	if err != nil {
		return errors.Join(updateErr, err)
	}
	var want []string
	for _, m := range toInstall.FindAllStringSubmatch(plan, -1) {
		if !unneeded.MatchString(m[1]) {
			want = append(want, m[1]+"="+m[2])
		}
	}
	slices.Sort(want)
	name := "root-" + hash(want)
	if _, err := os.Stat(filepath.Join(p.dir, name)); err != nil {
		if err := p.unpack(ctx, want, filepath.Join(p.dir, name)); err != nil {
			return err
		}
	}
	if err := os.WriteFile(current, []byte(name), 0o644); err != nil {
		return err
	}
	roots, err := filepath.Glob(filepath.Join(p.dir, "root-*"))
	for _, r := range roots {
		if filepath.Base(r) != name {
			err = errors.Join(err, os.RemoveAll(r))
		}
	}
	return err
}

// hash names a list of packages.
func hash(names []string) string {
	sum := sha256.Sum256([]byte(strings.Join(names, "\n")))
	return hex.EncodeToString(sum[:8])
}

// needless is what of the packages nobody in the image reads.
var needless = []string{"usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/lintian", "usr/share/bash-completion",
	"usr/lib/udev/hwdb.d", "usr/lib/udev/hwdb.bin", "usr/lib/aarch64-linux-gnu/gconv", "usr/lib/aarch64-linux-gnu/security"}

// unpack fetches packages and unpacks them over one another into a folder.
func (p *apt) unpack(ctx context.Context, want []string, root string) error {
	tmp, err := os.MkdirTemp(p.dir, "unpack-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp) //nolint:errcheck // what is left is only litter in a cache
	if _, err := output(ctx, tmp, "apt-get", append(append(slices.Clone(p.options), "download"), want...)...); err != nil {
		return err
	}
	files := filepath.Join(tmp, "files")
	// Debian's merged /usr, before packages bring folders of these names.
	for _, d := range []string{"bin", "sbin", "lib"} {
		if err := os.MkdirAll(filepath.Join(files, "usr", d), 0o755); err != nil {
			return err
		}
		if err := os.Symlink("usr/"+d, filepath.Join(files, d)); err != nil {
			return err
		}
	}
	debs, err := filepath.Glob(filepath.Join(tmp, "*.deb"))
	if err != nil || len(debs) != len(want) {
		return fmt.Errorf("apt-get download left %d packages, want %d", len(debs), len(want))
	}
	for _, deb := range debs {
		// dpkg-deb -x would put folders in the place of the links above.
		if _, err := output(ctx, tmp, "sh", "-c", `dpkg-deb --fsys-tarfile "$1" | tar -x --keep-directory-symlink --no-same-owner -C "$2"`, "sh", deb, files); err != nil {
			return err
		}
	}
	for _, d := range needless {
		if err := os.RemoveAll(filepath.Join(files, d)); err != nil {
			return err
		}
	}
	if err := os.Rename(files, root); err != nil {
		if _, there := os.Stat(root); there != nil {
			return err
		} // another run was faster
	}
	return nil
}
