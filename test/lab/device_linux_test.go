package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
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
RequiresMountsFor=/tmp /root /data

[Service]
ExecStart=/` + agentBin + ` under-init 10.9.0.2/24
StandardOutput=journal+console

[Install]
WantedBy=multi-user.target
`

// workshop makes versions of a whole device's image.
type workshop struct {
	t      *testing.T
	dir    string
	system string
	kernel *Kernel
	initrd string
	agent  []byte
	pki    string
	every  Version // what all versions have
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
	w.system, err = SystemPackages.Fetch(t.Context(), cache(), ARM64)
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
	maps.Copy(files, w.every.Files)
	maps.Copy(files, v.Files)
	v.Files, v.Enable, v.Anchors = files, append(v.Enable, "lab-agent.service"), w.every.Anchors
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
	dir     string          // of the boot that is under way
	console strings.Builder // of all boots that have ended
}

// diskSize is larger than the layout: data grows to the disk's end.
const diskSize = 1 << 30

// flash gives a device with a version in both slots; it is off.
func (w *workshop) flash(slot string) *device {
	w.t.Helper()
	out := filepath.Join(w.dir, "disk")
	must(w.t, tree.Disk(w.t.Context(), out, slot))
	d := &device{t: w.t, net: namespace(w.t), disk: Disk{Path: filepath.Join(out, "disk.img")}}
	must(w.t, os.Truncate(d.disk.Path, diskSize))
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
		d.dir = dir
		began := time.Now()
		g, err := Boot(d.t.Context(), Machine{Arch: ARM64, Firmware: firmware, Disks: []Disk{d.disk}, Net: d.net, Dir: dir})
		if err == nil {
			d.t.Logf("the device answers after %.1f s", time.Since(began).Seconds())
			d.Guest = g
			return
		}
		d.keep()
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
		d.Guest = nil
		d.keep()
	}
}

// keep keeps what the console said in the boot that has ended.
func (d *device) keep() {
	said, err := os.ReadFile(filepath.Join(d.dir, "console.log"))
	if err != nil {
		said = []byte(err.Error())
	}
	fmt.Fprintf(&d.console, "--- a boot\n%s\n", said)
	os.RemoveAll(d.dir) //nolint:errcheck // below TMPDIR
}

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

// grown checks that the data partition and its file system have all that the layout leaves
// of a larger disk.
func (d *device) grown() {
	d.t.Helper()
	var blocks, size int64
	if _, err := fmt.Sscan(d.run("stat", "-f", "-c", "%b %S", "/data"), &blocks, &size); err != nil || blocks*size < diskSize*3/10 {
		d.t.Errorf("the data partition's file system has %d blocks of %d bytes (%v), on a disk of %d bytes", blocks, size, err, diskSize)
	}
}

// slot is the slot that is booted.
func (d *device) slot() string {
	d.t.Helper()
	_, after, _ := strings.Cut(d.run("cat", "/proc/cmdline"), "rauc.slot=")
	slot, _, _ := strings.Cut(strings.TrimSpace(after), " ")
	return slot
}

// partition opens the disk and finds a partition of it.
func (d *device) partition(name string) (*os.File, image.Partition) {
	d.t.Helper()
	f, err := os.OpenFile(d.disk.Path, os.O_RDWR, 0)
	must(d.t, err)
	head := make([]byte, 64<<10)
	_, err = f.ReadAt(head, 0)
	must(d.t, err)
	parts, err := image.Partitions(head)
	must(d.t, err)
	for _, p := range parts {
		if p.Name == name {
			return f, p
		}
	}
	d.t.Fatalf("the disk has no partition %s", name)
	return nil, image.Partition{}
}

// holds reports whether a partition begins with an image, of which the first block counts.
func (d *device) holds(partition, file string) bool {
	d.t.Helper()
	f, p := d.partition(partition)
	defer f.Close() //nolint:errcheck // checked where it matters
	var want, got [4096]byte
	_, err := f.ReadAt(got[:], p.Start)
	must(d.t, err)
	copy(want[:], read(d.t, file))
	return got == want
}

// order is the order in which the boot loader tries slots, as the newer whole copy of its
// state says. Empty: there is none.
func (d *device) order() string {
	d.t.Helper()
	const size = 0x1000
	f, p := d.partition("bootstate")
	defer f.Close() //nolint:errcheck // only read
	order, newest := "", -1
	for _, at := range []int64{0, 0x80000} {
		var b [size]byte
		_, err := f.ReadAt(b[:], p.Start+at)
		must(d.t, err)
		if binary.LittleEndian.Uint32(b[:]) != crc32.ChecksumIEEE(b[5:]) || int(b[4]) < newest && newest-int(b[4]) < 128 {
			continue
		}
		newest = int(b[4])
		_, after, _ := strings.Cut(string(b[5:]), "BOOT_ORDER=")
		order, _, _ = strings.Cut(after, "\x00")
	}
	return order
}
