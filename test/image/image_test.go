package image

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// top is the repository, or a copy of what a mutant changes in it (test/attack).
var top = cmp.Or(os.Getenv("CAMD_MUTANT"), "../..")

var tree = Tree(filepath.Join(top, "buildroot"))

// need skips the test if a command is missing.
func need(t *testing.T, commands ...string) {
	t.Helper()
	for _, c := range commands {
		if _, err := exec.LookPath(c); err == nil {
			continue
		}
		if _, err := exec.LookPath("/usr/sbin/" + c); err != nil {
			t.Skipf("this machine lacks a command: %v (make setup-test installs it)", err)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	return b
}

// slot makes the images of a slot of a small file system and of a kernel that is none.
func slot(t *testing.T, s Slot) (dir string) {
	t.Helper()
	need(t, "mksquashfs", "veritysetup", "mkimage", "dtc")
	dir = t.TempDir()
	files := filepath.Join(dir, "files")
	must(t, os.Mkdir(files, 0o755))
	program := make([]byte, 100_000)                 // that can't be compressed: RAUC wants more than a block
	_, _ = rand.NewChaCha8([32]byte{}).Read(program) // never an error
	must(t, os.WriteFile(filepath.Join(files, "program"), program, 0o600))
	s.Squashfs, s.Kernel, s.Load, s.Arguments = filepath.Join(dir, "squashfs"), filepath.Join(dir, "kernel"), "0x40400000", "console=ttyAMA0"
	_, err := run(t.Context(), "mksquashfs", files, s.Squashfs, "-quiet", "-no-progress", "-all-root", "-mkfs-time", "0", "-all-time", "0")
	must(t, err)
	must(t, os.WriteFile(s.Kernel, []byte("a kernel"), 0o600))
	must(t, tree.Slot(t.Context(), filepath.Join(dir, "out"), s))
	return filepath.Join(dir, "out")
}

// The same files give the same slot, or nobody could compare an image with its sources.
func TestSlotIsReproducible(t *testing.T) {
	t.Parallel()
	first, second := slot(t, Slot{}), slot(t, Slot{})
	for _, name := range []string{"kernel.img", "rootfs.img"} {
		if !bytes.Equal(read(t, filepath.Join(first, name)), read(t, filepath.Join(second, name))) {
			t.Errorf("%s differs from run to run", name)
		}
	}
}

// The kernel's arguments hold what dm-verity needs to refuse a changed root file system.
func TestSlotCarriesTheRootHash(t *testing.T) {
	t.Parallel()
	dir := slot(t, Slot{})
	table := regexp.MustCompile(`dm-mod\.create=\\"root,,,ro,0 (\d+) verity 1 PARTUUID=\$\{root\} PARTUUID=\$\{root\} 4096 4096 (\d+) (\d+) sha256 ([0-9a-f]{64}) ([0-9a-f]{64})\\"`)
	kernel := read(t, filepath.Join(dir, "kernel.img"))
	m := table.FindSubmatch(kernel)
	if m == nil {
		t.Fatalf("no table for the root file system in %q", printable(kernel))
	}
	var sectors, blocks int64
	_, err := fmt.Sscan(string(m[1])+" "+string(m[2]), &sectors, &blocks)
	must(t, err)
	if sectors*512 != blocks*4096 || string(m[2]) != string(m[3]) {
		t.Errorf("a table of %s sectors, %s blocks, with its tree at %s", m[1], m[2], m[3])
	}
	root := filepath.Join(dir, "rootfs.img")
	verify := func() error {
		_, err := run(t.Context(), "veritysetup", "verify", root, root, string(m[4]), "--no-superblock", "--hash=sha256", "--salt="+string(m[5]),
			"--data-block-size=4096", "--hash-block-size=4096", "--data-blocks="+string(m[2]), fmt.Sprintf("--hash-offset=%d", blocks*4096))
		return err
	}
	must(t, verify())
	changed := read(t, root)
	changed[5000] ^= 1
	must(t, os.WriteFile(root, changed, 0o600))
	if verify() == nil {
		t.Error("a changed root file system is taken for the one that was made")
	}
}

// printable is what of some bytes can be shown.
func printable(b []byte) []byte { return regexp.MustCompile(`[^ -~]+`).ReplaceAll(b, []byte(" ")) }

func TestSlotHasAConfigurationForEachBoard(t *testing.T) {
	t.Parallel()
	need(t, "dumpimage")
	blob := filepath.Join(t.TempDir(), "board-1.dtb")
	must(t, os.WriteFile(blob, []byte("a device tree"), 0o600))
	dir := slot(t, Slot{Trees: []string{blob}, Initrd: blob})
	image := filepath.Join(dir, "kernel.img")
	out, err := run(t.Context(), "dumpimage", "-l", image)
	must(t, err)
	for _, want := range []string{"Default Configuration: 'board-1.dtb'", "FDT:          fdt-board-1.dtb", "Init Ramdisk: ramdisk"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if !bytes.Contains(read(t, image), []byte(`setenv image "${fit}#board-1.dtb"`)) {
		t.Error("the slot's script does not name the board's configuration")
	}
}

func TestDiskLayout(t *testing.T) {
	t.Parallel()
	need(t, "genimage", "mke2fs", "mkdosfs", "mcopy", "fw_setenv", "fw_printenv")
	dir := slot(t, Slot{})
	must(t, tree.Disk(t.Context(), dir, dir))
	path := filepath.Join(dir, "disk.img")
	disk := read(t, path)
	parts, err := Partitions(disk)
	must(t, err)
	var got []string
	at := map[string]Partition{}
	for _, p := range parts {
		got = append(got, fmt.Sprintf("%s %s %d", p.Name, p.UUID, (p.End-p.Start)>>20))
		at[p.Name] = p
	}
	want := []string{
		"boot 63616d64-0000-4000-8000-000000000001 32",
		"bootstate 63616d64-0000-4000-8000-000000000002 1",
		"kernel-a 63616d64-0000-4000-8000-00000000000a 64",
		"rootfs-a 63616d64-0000-4000-8000-0000000000aa 256",
		"kernel-b 63616d64-0000-4000-8000-00000000000b 64",
		"rootfs-b 63616d64-0000-4000-8000-0000000000bb 256",
		"data 63616d64-0000-4000-8000-0000000000da 64",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the disk has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	// The boot ROM's own table has the boot partition only: type 0x0c, FAT by LBA.
	if record := disk[446:462]; record[4] != 0x0c || int64(record[8])|int64(record[9])<<8|int64(record[10])<<16 != at["boot"].Start/blockSize {
		t.Errorf("the MBR begins with % x, want the boot partition", record)
	}
	for name, file := range map[string]string{"kernel-a": "kernel.img", "kernel-b": "kernel.img", "rootfs-a": "rootfs.img", "rootfs-b": "rootfs.img"} {
		if !bytes.HasPrefix(disk[at[name].Start:at[name].End], read(t, filepath.Join(dir, file))) {
			t.Errorf("%s does not begin with %s", name, file)
		}
	}
	keepsState(t, path, at["bootstate"])
}

// keepsState checks that fw_setenv, as RAUC calls it, writes its two copies within the
// partition, at the places that boot.cmd reads.
func keepsState(t *testing.T, disk string, part Partition) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "fw_env.config")
	must(t, os.WriteFile(file, moved(t, disk, part), 0o600))
	none := filepath.Join(dir, "none")
	must(t, os.WriteFile(none, []byte("BOOT_ORDER=A B\n"), 0o600))
	for _, tries := range []string{"2", "1"} { // each goes to the other copy
		_, err := run(t.Context(), "fw_setenv", "-c", file, "-f", none, "BOOT_A_LEFT", tries)
		must(t, err)
	}
	state := read(t, disk)[part.Start:part.End]
	for at, tries := range map[int]string{0x80000: "2", 0: "1"} {
		if want := "BOOT_A_LEFT=" + tries + "\x00"; !bytes.HasPrefix(state[at+5:], []byte(want)) {
			t.Errorf("at %#x of bootstate is %q, want %q behind five bytes", at, state[at:at+40], want)
		}
	}
}

// moved is the image's fw_env.config for a disk in a file.
func moved(t *testing.T, disk string, part Partition) []byte {
	t.Helper()
	var b bytes.Buffer
	for line := range strings.Lines(string(read(t, string(tree)+"/board/common/fw_env.config"))) {
		var offset, size int64
		if _, err := fmt.Sscanf(line, "/dev/disk/by-partlabel/bootstate %v %v", &offset, &size); err == nil {
			fmt.Fprintf(&b, "%s %#x %#x\n", disk, part.Start+offset, size)
		}
	}
	return b.Bytes()
}

func TestSystemConfiguration(t *testing.T) {
	t.Parallel()
	values := []string{"COMPATIBLE=camd-test", "BOOTLOADER=uboot", "MINIMUM=1.2.3", "KEYRING=/etc/rauc/keyring.pem", "HANDLERS=",
		"KERNEL_A=/dev/1", "ROOTFS_A=/dev/2", "KERNEL_B=/dev/3", "ROOTFS_B=/dev/4"}
	for version, minimum := range map[string]bool{"1.8": false, "1.11.3": false, "1.12": true, "1.15.2": true} {
		conf, err := tree.Render(t.Context(), "system.conf.in", version, values...)
		must(t, err)
		if got := strings.Contains(conf, "\nmin-bundle-version=1.2.3\n"); got != minimum {
			t.Errorf("for RAUC %s: min-bundle-version is in it: %t", version, got)
		}
		for _, want := range []string{"\ncompatible=camd-test\n", "\nbundle-formats=-plain\n", "\nuse-bundle-signing-time=true\n", "\ndevice=/dev/4\ntype=raw\nbootname=B\n"} {
			if !strings.Contains(conf, want) {
				t.Errorf("for RAUC %s: no %q in\n%s", version, want, conf)
			}
		}
	}
	if conf, err := tree.Render(t.Context(), "system.conf.in", "1.8", values[1:]...); err == nil || !strings.Contains(err.Error(), "COMPATIBLE") {
		t.Errorf("without a value: %v\n%s", err, conf)
	}
}
