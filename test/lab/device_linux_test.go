package lab

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/camd-project/camd/test/image"
)

const (
	tree     image.Tree = root + "/buildroot"
	firmware            = "/usr/lib/u-boot/qemu_arm64/u-boot.bin"
	agentBin            = "usr/lib/lab/agent"
)

// agentUnit has the lab's agent run under systemd.
const agentUnit = `[Unit]
Description=The lab's agent
RequiresMountsFor=/tmp /data

[Service]
ExecStart=/` + agentBin + ` under-init 10.9.0.2/24
StandardOutput=journal+console

[Install]
WantedBy=multi-user.target
`

// workshop makes versions of the full tier's image.
type workshop struct {
	t      *testing.T
	dir    string
	system string
	kernel *Kernel
	initrd string
	agent  []byte
	pki    string
}

func newWorkshop(t *testing.T) *workshop {
	t.Helper()
	need(t, "mksquashfs", "genimage", "mkimage", "dtc", "veritysetup", "rauc", "openssl", "mke2fs", "mcopy")
	if _, err := os.Stat(firmware); err != nil {
		t.Skipf("this machine lacks U-Boot for QEMU: %v (make setup-test installs it)", err)
	}
	w := &workshop{t: t, dir: t.TempDir(), kernel: kernel(t, ARM64), initrd: program(t, ARM64, "./initrd")}
	w.agent = read(t, program(t, ARM64, "./guest"))
	making.Lock()
	defer making.Unlock()
	var err error
	w.system, err = FetchSystem(t.Context(), cache(), ARM64)
	if errors.Is(err, ErrNoKernel) {
		t.Skip(err)
	}
	must(t, err)
	w.pki = filepath.Join(w.dir, "pki")
	must(t, tree.PKI(t.Context(), w.pki))
	return w
}

// version makes the images of a slot, and gives their folder.
func (w *workshop) version(v Version) string {
	w.t.Helper()
	v.PKI = w.pki
	files := Archive{
		agentBin: {0o755, w.agent},
		"usr/lib/systemd/system/lab-agent.service": {0o644, []byte(agentUnit)},
	}
	for name, f := range v.Files {
		files[name] = f
	}
	v.Files, v.Enable = files, append(v.Enable, "lab-agent.service")
	root, out := filepath.Join(w.dir, "root-"+v.Number), filepath.Join(w.dir, "slot-"+v.Number)
	must(w.t, MakeRoot(w.t.Context(), tree, w.system, root, v))
	must(w.t, MakeSlot(w.t.Context(), tree, out, root, w.kernel, w.initrd, v))
	must(w.t, os.RemoveAll(root))
	return out
}

// device is a virtual camera with a disk of the image's layout.
type device struct {
	*Guest
	t       *testing.T
	net     *Namespace
	disk    Disk
	console strings.Builder // of all boots that have ended
}

// flash gives a device with a version in both slots; it is off.
func (w *workshop) flash(slot string) *device {
	w.t.Helper()
	out := filepath.Join(w.dir, "disk")
	must(w.t, tree.Disk(w.t.Context(), out, slot))
	d := &device{t: w.t, net: namespace(w.t), disk: Disk{Path: filepath.Join(out, "disk.img")}}
	w.t.Cleanup(func() {
		d.off()
		if w.t.Failed() {
			w.t.Logf("the console, boot by boot:\n%s", d.console.String())
		}
	})
	return d
}

// up switches the device on and waits until its agent answers. As on a board, a kernel that
// panics starts the device again, up to so many times.
func (d *device) up(boots int) {
	d.t.Helper()
	d.off()
	for range boots {
		dir, err := os.MkdirTemp("", "lab") // t.TempDir's path may be too long for a socket
		must(d.t, err)
		d.t.Cleanup(func() { os.RemoveAll(dir) })
		began := time.Now()
		g, err := Boot(d.t.Context(), Machine{Arch: ARM64, Firmware: firmware, Disks: []Disk{d.disk}, Net: d.net, Dir: dir})
		if err == nil {
			d.t.Logf("the device answers after %.1f s", time.Since(began).Seconds())
			d.Guest = g
			return
		}
		said, _ := os.ReadFile(filepath.Join(dir, "console.log"))
		d.keep(string(said))
		if !errors.Is(err, ErrEnded) {
			d.t.Fatal(err)
		}
		d.t.Logf("the device starts again after %.1f s", time.Since(began).Seconds())
	}
	d.t.Fatalf("the device did not come up in %d boots", boots)
}

// off cuts the power.
func (d *device) off() {
	if d.Guest != nil {
		d.Kill()
		d.keep(d.Log())
		d.Guest = nil
	}
}

func (d *device) keep(console string) { d.console.WriteString("--- a boot\n" + console) }

// run runs a command in the guest that must succeed, and gives what it printed.
func (d *device) run(args ...string) string {
	d.t.Helper()
	r, err := d.Run(patient(d.t), args...)
	must(d.t, err)
	if r.Exit != 0 {
		d.t.Fatalf("%s in the guest: exit %d\n%s%s", strings.Join(args, " "), r.Exit, r.Stdout, r.Stderr)
	}
	return string(r.Stdout)
}

// slot is the slot that is booted.
func (d *device) slot() string {
	d.t.Helper()
	_, after, _ := strings.Cut(d.run("cat", "/proc/cmdline"), "rauc.slot=")
	slot, _, _ := strings.Cut(strings.TrimSpace(after), " ")
	return slot
}

// write puts an image onto a partition while the device is off.
func (d *device) write(partition, file string) {
	d.t.Helper()
	f, err := os.OpenFile(d.disk.Path, os.O_RDWR, 0)
	must(d.t, err)
	defer f.Close() //nolint:errcheck // checked below
	head := make([]byte, 64<<10)
	_, err = f.ReadAt(head, 0)
	must(d.t, err)
	parts, err := image.Partitions(head)
	must(d.t, err)
	for _, p := range parts {
		if p.Name == partition {
			_, err := f.WriteAt(read(d.t, file), p.Start)
			must(d.t, err)
			must(d.t, f.Sync())
			return
		}
	}
	d.t.Fatalf("the disk has no partition %s", partition)
}

// TestBootFallsBack: the image's disk boots by U-Boot to systemd, its root behind dm-verity;
// and a slot whose kernel panics gives way to the other one after its tries.
func TestBootFallsBack(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t)
	d := w.flash(w.version(Version{Number: "1.0.0"}))
	d.up(1)
	if s := d.slot(); s != "A" {
		t.Errorf("slot %s is booted first, want A", s)
	}
	if mounts := d.run("cat", "/proc/mounts"); !strings.Contains(mounts, "/dev/dm-0 / squashfs ro,") || !strings.Contains(mounts, " /data ext4 rw,") {
		t.Errorf("mounted are\n%s", mounts)
	}
	if status := d.run("rauc", "status"); !strings.Contains(status, "Booted from: rootfs.0 (A)") {
		t.Errorf("RAUC says\n%s", status)
	}
	d.off()
	d.write("kernel-a", filepath.Join(w.version(Version{Number: "4.0.0", Panics: true}), "kernel.img"))
	d.up(3)
	if s := d.slot(); s != "B" {
		t.Errorf("slot %s is booted, want B: A panics", s)
	}
}
