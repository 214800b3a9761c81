package image

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// boards are those that there is a configuration for.
func boards(t *testing.T) []string {
	t.Helper()
	files, err := os.ReadDir(tree.path("configs"))
	must(t, err)
	var l []string
	for _, f := range files {
		l = append(l, strings.TrimSuffix(strings.TrimPrefix(f.Name(), "camd_"), "_defconfig"))
	}
	if len(l) < 4 {
		t.Fatalf("too few boards: %v", l)
	}
	return l
}

// TestCheck is make -C buildroot check, for what needs no Buildroot.
func TestCheck(t *testing.T) {
	t.Parallel()
	need(t, "mksquashfs", "veritysetup", "mkimage", "dtc", "genimage", "mkfs.vfat", "mcopy", "mke2fs", "rauc", "openssl", "partx", "shellcheck")
	what := [][]string{{"scripts"}}
	for _, b := range boards(t) {
		what = append(what, []string{"images", b})
	}
	for _, args := range what {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			out, err := run(t.Context(), tree.path("check.sh"), args...)
			must(t, err)
			t.Log(strings.TrimSpace(out))
		})
	}
}

// What keeps others out is in every board's configuration.
func TestEveryBoardIsClosed(t *testing.T) {
	t.Parallel()
	for _, board := range boards(t) {
		lines := "\n" + string(read(t, tree.path("configs/camd_"+board+"_defconfig")))
		for _, want := range []string{
			"# BR2_TARGET_ENABLE_ROOT_LOGIN is not set", "# BR2_TARGET_GENERIC_GETTY is not set", "# BR2_TARGET_GENERIC_REMOUNT_ROOTFS_RW is not set",
			"BR2_DOWNLOAD_FORCE_CHECK_HASHES=y", "BR2_REPRODUCIBLE=y", "BR2_PACKAGE_NFTABLES=y", "BR2_PACKAGE_LIBSECCOMP=y", "BR2_PACKAGE_RAUC_DBUS=y", "BR2_TARGET_ROOTFS_SQUASHFS4_ZSTD=y",
		} {
			if !strings.Contains(lines, "\n"+want+"\n") {
				t.Errorf("%s lacks %s", board, want)
			}
		}
	}
}

// A line that Kconfig dropped from a kernel's configuration stops the build.
func TestFragmentsThatTookNoEffect(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config, fragment := dir+"/config", dir+"/fragment"
	must(t, os.WriteFile(fragment, []byte("# A comment\nCONFIG_A=y\nCONFIG_B=m\n# CONFIG_C is not set\nCONFIG_D=5\n"), 0o600))
	for text, want := range map[string]string{
		"CONFIG_A=y\nCONFIG_B=m\n# CONFIG_C is not set\nCONFIG_D=5\n": "",
		"CONFIG_A=y\nCONFIG_B=y\nCONFIG_D=5\n":                        "", // more than a module; not there at all
		"CONFIG_A=m\nCONFIG_B=m\nCONFIG_D=5\n":                        "CONFIG_A=y",
		"CONFIG_A=y\nCONFIG_D=5\n":                                    "CONFIG_B=m",
		"CONFIG_A=y\nCONFIG_B=m\nCONFIG_C=y\nCONFIG_D=5\n":            "CONFIG_C is not set",
		"CONFIG_A=y\nCONFIG_B=m\nCONFIG_D=55\n":                       "CONFIG_D=5",
	} {
		must(t, os.WriteFile(config, []byte(text), 0o600))
		_, err := run(t.Context(), tree.path("board/common/check-fragments.sh"), config, fragment)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want+" is not in")) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// Keys and anchors are found by paths from where make image is typed, though Buildroot runs
// its scripts elsewhere.
func TestImageTakesPathsFromHere(t *testing.T) {
	t.Parallel()
	need(t, "make", "openssl")
	here, buildroot := t.TempDir(), t.TempDir()
	source, err := filepath.Abs(string(tree))
	must(t, err)
	must(t, os.Symlink(source, filepath.Join(here, "buildroot")))
	for path, text := range map[string]string{
		filepath.Join(here, "scripts/image.sh"):                  string(read(t, "../../scripts/image.sh")),
		filepath.Join(here, "release/anchors/root.json"):         "{}",
		filepath.Join(buildroot, "support/scripts/br2-external"): "",
		filepath.Join(buildroot, "Makefile"):                     "%_defconfig:\n\tmkdir -p $(O)\n\tcp build.mk $(O)/Makefile\n",
		filepath.Join(buildroot, "build.mk"):                     "all:\n\ttest -e $(CAMD_ANCHORS)/root.json && test -e $(CAMD_PKI)/ca.cert.pem\n\tmkdir images\n\ttouch $(addprefix images/camd-rpi4_64-" + strings.TrimSpace(string(read(t, tree.path("VERSION")))) + ".,img raucb)\n",
	} {
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(text), 0o755))
	}
	build := func(anchors string) error {
		_, err := run(t.Context(), "env", "BOARD=rpi4_64", "BUILDROOT_DIR="+buildroot, "PKI=keys", "ANCHORS="+anchors, filepath.Join(here, "scripts/image.sh"))
		return err
	}
	if err := build("release"); err == nil || !strings.Contains(err.Error(), "there are no anchors in release") {
		t.Errorf("a folder without anchors: %v", err)
	}
	must(t, build("release/anchors"))
	if files, err := filepath.Glob(filepath.Join(here, "dist/camd-rpi4_64-*")); err != nil || len(files) != 2 {
		t.Errorf("made were %q, %v", files, err)
	}
}

// make image says in a sentence what it was not told.
func TestImageSaysWhatLacks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ board, buildroot, want string }{
		{"", "", "say for which board: make image BOARD=… with one of: beagley_ai qemu_aarch64 rpi4_64 rpizero2w_64"},
		{"rpi9", "", "say for which board"},
		{"rpi4_64", "", "say where Buildroot 2026.02 is unpacked"},
		{"rpi4_64", t.TempDir(), "say where Buildroot 2026.02 is unpacked"},
	} {
		_, err := run(t.Context(), "env", "BOARD="+c.board, "BUILDROOT_DIR="+c.buildroot, "../../scripts/image.sh")
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Count(err.Error(), "\n") > 0 {
			t.Errorf("%q, %q: %v, want %q", c.board, c.buildroot, err, c.want)
		}
	}
}

// What the image runs is what make release makes and the tests have run: the same tags and
// flags, in Buildroot's words.
func TestPackageBuildsAsTheRelease(t *testing.T) {
	t.Parallel()
	release, pkg := string(read(t, "../../scripts/release.sh")), string(read(t, tree.path("package/camd/camd.mk")))
	for ours, theirs := range map[string]string{
		"tags=${TAGS:-netgo,osusergo,nomicrophone}":     "CAMD_TAGS = netgo,osusergo,nomicrophone\n",
		`"-s -w -buildid= -X main.version=$version -X `: "CAMD_LDFLAGS = -s -w -buildid= -X main.version=$(CAMD_VERSION) -X ",
		"main.built=$built -linkmode external -extldfl": "main.built=$(CAMD_BUILT) -linkmode external\n",
		"-extldflags -static":                           "CAMD_EXTLDFLAGS = -static\n",
	} {
		if !strings.Contains(release, ours) || !strings.Contains(pkg, theirs) {
			t.Errorf("%q in release.sh, and %q in camd.mk: one of them is gone", ours, theirs)
		}
	}
}
