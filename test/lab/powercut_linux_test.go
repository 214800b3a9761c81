package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/camd-project/camd/test/lab/agent"
)

// silent is a camera of which only the household matters.
const silent = "[audio]\nsource = \"off\"\n"

// disk makes the disk of a story: small, and large enough for camd's databases.
func disk(t *testing.T) Disk {
	t.Helper()
	need(t, "mke2fs")
	d, err := MakeDisk(t.Context(), filepath.Join(t.TempDir(), "disk"), 24)
	must(t, err)
	return d
}

// cutDisk is a disk whose writes are kept, so that its power can be cut afterwards
// at each of them.
type cutDisk struct {
	Disk
	t     *testing.T
	blank []byte // the image before the first write

	stages []stage
}

func newCutDisk(t *testing.T) *cutDisk {
	t.Helper()
	d := disk(t)
	d.Log = d.Path + ".log"
	return &cutDisk{Disk: d, t: t, blank: read(t, d.Path)}
}

// written is how many writes there were until the last flush.
func (d *cutDisk) written() int {
	d.t.Helper()
	n, err := LoggedWrites(read(d.t, d.Log))
	must(d.t, err)
	return n
}

// stage is what the household was from some moment on, at which someone was told so.
type stage struct {
	members []string // sorted
	writes  int      // that the disk had seen
	entries uint64   // of the access log that someone knew of
}

// TestPowerCutAtEveryWrite: T16. Wherever the power is cut while the household
// changes, the next start finds it as before the change or as after it, and as after
// it once a client was told so. No entry of the access log that a client has seen is
// ever lost, or it would take the camera for a copy of an earlier one.
func TestPowerCutAtEveryWrite(t *testing.T) {
	d := newCutDisk(t)
	h := settle(t, ARM64, []Disk{d.Disk}, silent)
	must(t, h.Sync(patient(t)))
	d.reached(h)
	h.pair()
	d.reached(h, "Anna")
	ben := h.invite("Ben", "--role", "adult")
	d.reached(h, "Anna", "Ben")
	cleo := ben.invite("Cleo")
	d.reached(cleo, "Anna", "Ben", "Cleo")
	h.call("revoke", "Ben") // and Cleo with him, at once
	d.reached(h, "Anna")
	h.stop()
	must(t, h.Unmount(patient(t), statePath))
	must(t, h.PowerOff(patient(t)))
	d.cut()
}

// reached notes that the members are these and that a client has been told so.
func (d *cutDisk) reached(h *household, members ...string) {
	d.t.Helper()
	d.stages = append(d.stages, stage{members, d.written(), h.seen()})
}

// seen is how many entries of the access log a member has seen a checkpoint of; its
// second line is that number (docs/protocol.md 6).
func (h *household) seen() uint64 {
	h.t.Helper()
	files, err := filepath.Glob(filepath.Join(h.home, "*", "*.cp"))
	must(h.t, err)
	var n uint64
	for _, f := range files {
		_, err := fmt.Sscan(strings.Split(string(read(h.t, f)), "\n")[1], &n)
		must(h.t, err)
	}
	return n
}

// cut boots a guest that opens, one after another, what each power cut leaves.
func (d *cutDisk) cut() {
	d.t.Helper()
	log, err := ParseWriteLog(read(d.t, d.Log))
	must(d.t, err)
	for i, s := range d.stages {
		d.stages[i].writes = log.Durable(s.writes)
	}
	left := Disk{Path: d.Path + ".cut"}
	must(d.t, os.WriteFile(left.Path, d.blank, 0o600))
	g := boot(d.t, ARM64, namespace(d.t), Archive{"bin/peek": {0o755, read(d.t, program(d.t, ARM64, "./peek"))}}, []Disk{left})
	began := time.Now()
	seen := make([]int, len(d.stages))
	for n := d.stages[0].writes; n <= len(log); n++ {
		image := slices.Clone(d.blank)
		must(d.t, log[:n].Apply(image))
		must(d.t, overwrite(left.Path, image))
		seen[d.check(n, open(d.t, g))]++
	}
	d.t.Logf("%d cuts, %.1f s; by stage: %v", len(log)-d.stages[0].writes+1, time.Since(began).Seconds(), seen)
	if slices.Contains(seen, 0) {
		d.t.Errorf("one of the stages %v was never found: this shows nothing", d.stages)
	}
}

// check tells at which stage the household is after a cut. None but the last that was
// told of, or the next, is right.
func (d *cutDisk) check(n int, found agent.Found) int {
	d.t.Helper()
	told := 0
	for told+1 < len(d.stages) && d.stages[told+1].writes <= n {
		told++
	}
	if found.Epoch != 1 || found.Entries < d.stages[told].entries {
		d.t.Errorf("after %d writes the epoch is %d (%s) with %d entries in the log; %d were seen already", n,
			found.Epoch, found.Reason, found.Entries, d.stages[told].entries)
	}
	for at := told; at <= told+1 && at < len(d.stages); at++ {
		if slices.Equal(found.Members, d.stages[at].members) {
			return at
		}
	}
	d.t.Errorf("after %d writes the members are %q; someone was told already that they are %q", n, found.Members, d.stages[told].members)
	return told
}

// open opens the state on the guest's disk, which nothing else uses, as camd does.
func open(t *testing.T, g *Guest) (found agent.Found) {
	t.Helper()
	must(t, g.Mount(patient(t), firstDisk, statePath))
	r, err := g.Run(patient(t), "/bin/peek", statePath)
	must(t, err)
	if r.Exit != 0 || json.Unmarshal(r.Stdout, &found) != nil {
		t.Fatalf("peek: exit %d\n%s%s", r.Exit, r.Stdout, r.Stderr)
	}
	must(t, g.Unmount(patient(t), statePath))
	return found
}

// overwrite changes a file in place: QEMU has it open.
func overwrite(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, 0)
	return errors.Join(err, f.Close())
}
