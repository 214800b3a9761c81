package image

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const firmware = "/usr/lib/u-boot/qemu_arm64/u-boot.bin"

// bench is a machine with U-Boot and the image's disk, whose slots say that they were
// chosen, and end the machine.
type bench struct {
	t     *testing.T
	disk  string
	parts map[string]Partition
	env   string // fw_setenv's configuration, for the state in the disk's image
	none  string // what fw_setenv takes for a state where there is none
}

func newBench(t *testing.T) *bench {
	t.Helper()
	need(t, "qemu-system-aarch64", "genimage", "mke2fs", "mkdosfs", "mcopy", "mkimage", "dtc", "fw_setenv", "fw_printenv")
	if _, err := os.Stat(firmware); err != nil {
		t.Skipf("this machine lacks U-Boot for QEMU: %v (make setup-test installs it)", err)
	}
	dir := t.TempDir()
	script, its := filepath.Join(dir, "slot.cmd"), filepath.Join(dir, "slot.its")
	must(t, os.WriteFile(script, []byte("echo \"chosen: ${slot} ${root}\"\nreset\n"), 0o600))
	must(t, os.WriteFile(its, fmt.Appendf(nil, `/dts-v1/; / { description = "slot"; #address-cells = <1>; images { slot {
		data = /incbin/("%s"); type = "script"; compression = "none"; hash-1 { algo = "sha256"; }; }; }; };`, script), 0o600))
	_, err := run(t.Context(), "mkimage", "-q", "-f", its, filepath.Join(dir, "kernel.img"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "rootfs.img"), []byte("a root file system"), 0o600))
	must(t, tree.Disk(t.Context(), dir, dir))
	b := &bench{t: t, disk: filepath.Join(dir, "disk.img"), parts: map[string]Partition{}, env: filepath.Join(dir, "fw_env.config"), none: filepath.Join(dir, "none")}
	parts, err := Partitions(read(t, b.disk))
	must(t, err)
	for _, p := range parts {
		b.parts[p.Name] = p
	}
	must(t, os.WriteFile(b.env, moved(t, b.disk, b.parts["bootstate"]), 0o600))
	must(t, os.WriteFile(b.none, nil, 0o600))
	return b
}

// boot runs the machine until it ends, and tells which slots it chose.
func (b *bench) boot() (chosen string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 3*time.Minute)
	defer cancel()
	console, err := run(ctx, "qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a53", "-m", "512", "-display", "none", "-monitor", "none",
		"-serial", "stdio", "-no-reboot", "-nic", "none", "-bios", firmware,
		"-drive", "if=none,format=raw,id=disk,file="+b.disk, "-device", "virtio-blk-pci,drive=disk")
	must(b.t, err)
	var all []string
	for line := range strings.Lines(console) {
		if _, choice, ok := strings.Cut(line, "chosen: "); ok {
			slot, uuid, _ := strings.Cut(strings.TrimSpace(choice), " ")
			if want := b.parts["rootfs-"+strings.ToLower(slot)].UUID; uuid != want {
				b.t.Errorf("slot %s gets the root %s, want %s", slot, uuid, want)
			}
			all = append(all, slot)
		}
		if slot, ok := strings.CutSuffix(strings.TrimSpace(line), " does not load"); ok {
			all = append(all, "not "+strings.TrimPrefix(slot, "Slot "))
		}
	}
	if len(all) == 0 {
		b.t.Errorf("the boot loader chose nothing:\n%s", console)
	}
	return strings.Join(all, ", ")
}

// set writes the boot loader's state as RAUC does.
func (b *bench) set(variables ...string) {
	b.t.Helper()
	for _, v := range variables {
		name, value, _ := strings.Cut(v, "=")
		_, err := run(b.t.Context(), "fw_setenv", "-c", b.env, "-f", b.none, name, value)
		must(b.t, err)
	}
}

// state is the boot loader's state as RAUC reads it.
func (b *bench) state() string {
	b.t.Helper()
	out, err := run(b.t.Context(), "fw_printenv", "-c", b.env)
	must(b.t, err)
	values := map[string]string{}
	for line := range strings.Lines(out) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		values[name] = value
	}
	found := maps.Clone(values)
	for _, name := range []string{"BOOT_ORDER", "BOOT_A_LEFT", "BOOT_B_LEFT"} {
		delete(found, name)
	}
	if len(found) > 0 {
		b.t.Errorf("the state also holds %v", found)
	}
	return values["BOOT_ORDER"] + "; " + values["BOOT_A_LEFT"] + " " + values["BOOT_B_LEFT"]
}

// damage changes a byte of the disk.
func (b *bench) damage(partition string, at int64) {
	b.t.Helper()
	f, err := os.OpenFile(b.disk, os.O_RDWR, 0)
	must(b.t, err)
	defer f.Close() //nolint:errcheck // checked by what follows
	var c [1]byte
	_, err = f.ReadAt(c[:], b.parts[partition].Start+at)
	must(b.t, err)
	c[0] ^= 0x55
	_, err = f.WriteAt(c[:], b.parts[partition].Start+at)
	must(b.t, err)
}

// TestBootScript: U-Boot chooses the slot by what RAUC wrote, spends the try before it
// begins, and is never left without a slot to try. RAUC reads what it wrote.
func TestBootScript(t *testing.T) {
	t.Parallel()
	const (
		first, second = 5, 0x80000 + 5 // of the state's two copies
		inScript      = 0xa0           // of the slot's FIT image
	)
	for name, c := range map[string]struct {
		set    []string
		damage map[string][]int64
		want   string // slots in the order in which they were tried
		state  string // order; tries of A and B
	}{
		"never written":      {want: "A", state: "A B; 2 3"},
		"after an update":    {set: []string{"BOOT_A_LEFT=3", "BOOT_B_LEFT=3", "BOOT_ORDER=A B", "BOOT_ORDER=B A"}, want: "B", state: "B A; 3 2"},
		"last try":           {set: []string{"BOOT_A_LEFT=3", "BOOT_B_LEFT=1", "BOOT_ORDER=B A"}, want: "B", state: "B A; 3 0"},
		"no try left":        {set: []string{"BOOT_A_LEFT=3", "BOOT_B_LEFT=0", "BOOT_ORDER=B A"}, want: "A", state: "B A; 2 0"},
		"both at zero":       {set: []string{"BOOT_A_LEFT=0", "BOOT_B_LEFT=0", "BOOT_ORDER=B A"}, want: "A", state: "A B; 2 3"},
		"one marked bad":     {set: []string{"BOOT_A_LEFT=0", "BOOT_B_LEFT=0", "BOOT_ORDER=A"}, want: "A", state: "A; 2 3"},
		"no count":           {set: []string{"BOOT_ORDER=B A"}, want: "B", state: "B A; 3 2"},
		"nonsense":           {set: []string{"BOOT_A_LEFT=0", "BOOT_ORDER=C"}, want: "A", state: "A B; 2 3"},
		"newer copy damaged": {set: []string{"BOOT_A_LEFT=3", "BOOT_ORDER=B A", "BOOT_B_LEFT=1", "BOOT_ORDER=A B"}, damage: map[string][]int64{"bootstate": {first}}, want: "B", state: "B A; 3 0"},
		"both copies damaged": {set: []string{"BOOT_A_LEFT=3", "BOOT_B_LEFT=1", "BOOT_ORDER=B A"}, damage: map[string][]int64{"bootstate": {first, second}},
			want: "A", state: "A B; 2 3"},
		"kernel is no image": {damage: map[string][]int64{"kernel-a": {0}}, want: "not A, B", state: "A B; 2 2"},
		"kernel is damaged":  {damage: map[string][]int64{"kernel-a": {inScript}}, want: "not A, B", state: "A B; 2 2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.set(c.set...)
			for partition, at := range c.damage {
				for _, a := range at {
					b.damage(partition, a)
				}
			}
			if got := b.boot(); got != c.want {
				t.Errorf("tried %s, want %s", got, c.want)
			}
			if got := b.state(); got != c.state {
				t.Errorf("the state is %q, want %q", got, c.state)
			}
		})
	}
}
