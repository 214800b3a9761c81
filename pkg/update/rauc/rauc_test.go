package rauc_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/update"
	"github.com/camd-project/camd/pkg/update/release"
	"github.com/camd-project/camd/pkg/update/updatetest"
)

// The real RAUC and the machine that stands in for it elsewhere keep one contract.
func TestRAUCKeepsTheContract(t *testing.T) {
	needRAUC(t)
	ours, other := newMaker(t), newMaker(t)
	image := strings.Repeat("version 1.2.0\n", 1000)
	good := ours.bundle(t, spec{"1.2.0", compatible, "plain", true, image})
	alien := ours.bundle(t, spec{"1.2.0", "camd-other", "plain", true, image})
	forged := other.bundle(t, spec{"1.2.0", compatible, "plain", true, image})
	updatetest.Contract(t, func(t *testing.T) updatetest.Rig {
		s := newSandbox(t, ours, "1.0.0")
		return updatetest.Rig{
			Slots: s.driver, Bundles: s.driver, Forged: forged,
			Good:  update.Bundle{Path: good, Compatible: compatible, Version: "1.2.0"},
			Alien: update.Bundle{Path: alien, Compatible: "camd-other", Version: "1.2.0"},
		}
	})
}

func TestAGoodBundleIsWrittenIntoTheOtherSlot(t *testing.T) {
	needRAUC(t)
	m := newMaker(t)
	s := newSandbox(t, m, "1.0.0")
	image := strings.Repeat("version 1.2.0\n", 1000)
	path := m.bundle(t, spec{"1.2.0", compatible, "plain", true, image})
	if err := s.driver.Install(t.Context(), update.Bundle{Path: path, Version: "1.2.0"}, func(int) {}); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(s.read("b.img"), image) || strings.Trim(s.read("a.img"), "\x00") != "" {
		t.Error("the image is not in slot B alone")
	}
	if got := s.environment("BOOT_ORDER"); strings.TrimSpace(got) != "B A" {
		t.Errorf("BOOT_ORDER is %q", got)
	}
}

// What RAUC refuses it refuses before it writes, and in words that a person can read.
func TestRAUCRefuses(t *testing.T) {
	needRAUC(t)
	ours, other := newMaker(t), newMaker(t)
	image := strings.Repeat("version\n", 1000)
	for name, c := range map[string]struct {
		bundle func(t *testing.T) string
		want   string
	}{
		"another authority": {func(t *testing.T) string {
			return other.bundle(t, spec{"1.2.0", compatible, "plain", true, image})
		}, "signature"},
		"another kind of camera": {func(t *testing.T) string {
			return ours.bundle(t, spec{"1.2.0", "camd-other", "plain", true, image})
		}, "This update is for camd-other, and this camera is a camd-test."},
		"another kind without a hook": {func(t *testing.T) string {
			return ours.bundle(t, spec{"1.2.0", "camd-other", "plain", false, image})
		}, "ompatible"},
		"tampered with": {func(t *testing.T) string {
			path := ours.bundle(t, spec{"1.2.0", compatible, "plain", true, image})
			flip(t, path, 200)
			return path
		}, "signature"},
		"its end cut off": {func(t *testing.T) string {
			path := ours.bundle(t, spec{"1.2.0", compatible, "plain", true, image})
			if err := os.Truncate(path, 3000); err != nil {
				t.Fatal(err)
			}
			return path
		}, ""},
		"older than the lowest version": {func(t *testing.T) string {
			return ours.bundle(t, spec{"1.0.9", compatible, "plain", true, image})
		}, "Version 1.0.9 is older than 1.1.0, the lowest that this camera still takes."},
		"a prerelease of the lowest version": {func(t *testing.T) string {
			return ours.bundle(t, spec{"1.1.0-rc.2", compatible, "plain", true, image})
		}, "Version 1.1.0-rc.2 is older than 1.1.0"},
		"no version": {func(t *testing.T) string {
			return ours.bundle(t, spec{"latest", compatible, "plain", true, image})
		}, "can't be read"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSandbox(t, ours, "1.1.0")
			path := c.bundle(t)
			err := s.driver.Install(t.Context(), update.Bundle{Path: path}, func(int) {})
			if !errors.Is(err, update.ErrRefused) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Install() = %v, want a refusal with %q", err, c.want)
			}
			if strings.Trim(s.read("b.img"), "\x00") != "" || strings.TrimSpace(s.environment("BOOT_ORDER")) != "A B" || strings.TrimSpace(s.environment("BOOT_B_LEFT")) != "3" {
				t.Error("the other slot was touched")
			}
		})
	}
}

// noise returns an image: what squashes to less than a page RAUC makes no verity bundle of.
func noise() string {
	var b strings.Builder
	for b.Len() < 20_000 {
		b.WriteString(rand.Text())
	}
	return b.String()
}

func flip(t *testing.T, path string, at int) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		text[at] ^= 1
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A verity bundle holds its manifest in its signature: that is what the release log names.
func TestTheManifestOfAVerityBundle(t *testing.T) {
	needRAUC(t)
	ours, other := newMaker(t), newMaker(t)
	s := newSandbox(t, ours, "1.0.0")
	image := noise()
	path := ours.bundle(t, spec{"1.2.0", compatible, "verity", true, image})
	b, err := s.driver.Inspect(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	// openssl reads the same bytes out of the signature.
	want := sha256.Sum256(signed(t, path))
	if b.Manifest != hex.EncodeToString(want[:]) || b.Compatible != compatible || b.Version != "1.2.0" {
		t.Errorf("the bundle is %+v, want manifest %x", b, want)
	}
	if _, err := s.driver.Inspect(t.Context(), other.bundle(t, spec{"1.2.0", compatible, "verity", true, image})); !errors.Is(err, update.ErrRefused) {
		t.Errorf("another authority's bundle: %v", err)
	}
	flip(t, path, int(size(t, path))-700) // in the signature
	if _, err := s.driver.Inspect(t.Context(), path); !errors.Is(err, update.ErrRefused) {
		t.Errorf("with a signature that was changed: %v", err)
	}
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// signed has openssl take the content out of a bundle's signature.
func signed(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, b := range text[len(text)-8:] {
		n = n<<8 | int(b)
	}
	cms := t.TempDir() + "/cms"
	if err := os.WriteFile(cms, text[len(text)-8-n:len(text)-8], 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("openssl", "cms", "-verify", "-noverify", "-inform", "DER", "-in", cms).Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestNoRAUC(t *testing.T) {
	needRAUC(t)
	s := newSandbox(t, newMaker(t), "1.0.0")
	s.stop("unshare")
	if _, err := s.driver.Status(context.Background()); err == nil || !strings.Contains(err.Error(), "RAUC does not run") {
		t.Errorf("without RAUC: %v", err)
	}
	s.stop("dbus-daemon")
	if _, err := s.driver.Status(context.Background()); err == nil || !strings.Contains(err.Error(), "system bus") {
		t.Errorf("without a bus: %v", err)
	}
}

// The hook and the Updater must order versions alike, also by busybox, which is what the
// image has.
func TestTheHookComparesVersionsAsTheReleasesDo(t *testing.T) {
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("this machine lacks busybox: scripts/setup.sh test installs it")
	}
	small := t.TempDir()
	for _, tool := range []string{"sh", "awk", "head"} {
		if err := os.Symlink(busybox, filepath.Join(small, tool)); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("here", func(t *testing.T) { compareVersions(t, os.Getenv("PATH"), "sh") })
	t.Run("busybox", func(t *testing.T) { compareVersions(t, small, filepath.Join(small, "sh")) })
}

func compareVersions(t *testing.T, path, sh string) {
	dir := t.TempDir()
	versions := []string{"0.9.0", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0-rc-1", "1.0.0", "1.0.1", "1.2.0", "1.10.0", "2.0.0", "10.0.0", "99999999999999999999.0.0", "100000000000000000000.0.0", "99999999999999999998.0.0", "1.0", "v1.0.0", "1.0.0+x", "", "01.0.0", "1.0.0-"}
	for _, lowest := range versions {
		if err := os.WriteFile(dir+"/lowest", []byte(lowest+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, v := range versions {
			cmd := exec.Command(sh, installCheck, "install-check")
			cmd.Env = []string{"PATH=" + path, "RAUC_MF_COMPATIBLE=a", "RAUC_SYSTEM_COMPATIBLE=a", "RAUC_MF_VERSION=" + v, "CAMD_LOWEST=" + dir + "/lowest"}
			err := cmd.Run()
			want := release.ValidVersion(v) && release.ValidVersion(lowest) && release.Compare(v, lowest) >= 0
			if (err == nil) != want {
				t.Errorf("version %q, lowest %q: taken %v, want %v", v, lowest, err == nil, want)
			}
			var exit *exec.ExitError
			if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 10) {
				t.Errorf("version %q, lowest %q: %v", v, lowest, err)
			}
		}
	}
}
