package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

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
	evicted bool     // and nothing else counts
	members []string // sorted
	entries uint64   // of the access log that someone knew of
	writes  int      // that the disk had seen
}

// is tells whether this is what was found. After an eviction the epoch is a new one; a
// cut while it begins makes yet another one (docs/protocol.md 11.5).
func (s stage) is(found agent.Found) bool {
	if s.evicted {
		return found.Epoch > 1 && len(found.Members) == 0 && strings.Contains(found.Reason, "removed by someone at the camera")
	}
	return found.Epoch == 1 && slices.Equal(found.Members, s.members)
}

// TestPowerCutAtEveryWrite: T16. Wherever the power is cut while the household
// changes, the next start finds it as before the change or as after it, and as after
// it once someone was told so. No entry of the access log that a client has seen is
// ever lost, or it would take the camera for a copy of an earlier one; and nothing
// that a cut leaves of an eviction passes for damage.
func TestPowerCutAtEveryWrite(t *testing.T) {
	t.Parallel()
	d := newCutDisk(t)
	h := settle(t, ARM64, []Disk{d.Disk}, silent)
	must(t, h.Sync(patient(t)))
	d.reached(h)
	h.pair()
	d.reached(h, "Anna")
	ben := h.invite("Ben", "--role", "adult")
	d.reached(h, "Anna", "Ben")
	ben.invite("Cleo")
	d.reached(ben, "Anna", "Ben", "Cleo")
	h.call("revoke", "Ben") // and Cleo with him, at once
	d.reached(h, "Anna")
	h.run("/bin/camd", "evict", "--config", configPath, "--yes")
	d.stages = append(d.stages, stage{evicted: true, writes: d.written()})
	h.condition("auth", "degraded")
	h.stop()
	must(t, h.Unmount(patient(t), statePath))
	must(t, h.PowerOff(patient(t)))
	d.cut()
}

// reached notes that these are the members, and that one of them has been told so.
func (d *cutDisk) reached(h *household, members ...string) {
	d.t.Helper()
	d.stages = append(d.stages, stage{members: members, entries: h.seen(), writes: d.written()})
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

// cut opens what each power cut leaves, in two guests that share the work.
func (d *cutDisk) cut() {
	d.t.Helper()
	log, err := ParseWriteLog(read(d.t, d.Log))
	must(d.t, err)
	for i, s := range d.stages {
		d.stages[i].writes = log.Durable(s.writes)
	}
	var cuts []int
	for n := d.stages[0].writes; n <= len(log); n++ {
		// Of an eviction, which writes a lot, what the flushes bound is enough.
		if !d.stages[d.told(n)].evicted || log.Durable(n) == n {
			cuts = append(cuts, n)
		}
	}
	seen := make([]atomic.Int64, len(d.stages))
	d.t.Run("replay", func(t *testing.T) {
		for part := range slices.Chunk(cuts, (len(cuts)+1)/2) {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				d.replay(t, log, part, seen)
			})
		}
	})
	d.t.Logf("%d writes, %d cuts", len(log), len(cuts))
	for i := range seen {
		d.t.Logf("%d times %+v", seen[i].Load(), d.stages[i])
		if seen[i].Load() == 0 {
			d.t.Error("a stage that was never found: this shows nothing")
		}
	}
}

// replay boots a guest that opens, one after another, what some of the cuts leave.
func (d *cutDisk) replay(t *testing.T, log WriteLog, cuts []int, seen []atomic.Int64) {
	left := Disk{Path: filepath.Join(t.TempDir(), "disk")}
	must(t, os.WriteFile(left.Path, d.blank, 0o600))
	g := boot(t, ARM64, namespace(t), Archive{"bin/peek": {0o755, read(t, program(t, ARM64, "./peek"))}}, []Disk{left})
	for _, n := range cuts {
		image := slices.Clone(d.blank)
		must(t, log[:n].Apply(image))
		must(t, overwrite(left.Path, image))
		found := open(t, g)
		at, ok := d.at(n, found)
		if !ok {
			t.Errorf("after %d writes the household is %+v; someone was told already that it is %+v", n, found, d.stages[d.told(n)])
			continue
		}
		seen[at].Add(1)
	}
}

// told is the last stage that someone had been told of after so many writes.
func (d *cutDisk) told(n int) int {
	told := 0
	for told+1 < len(d.stages) && d.stages[told+1].writes <= n {
		told++
	}
	return told
}

// at is the stage at which the household is after a cut. None but the last that was
// told of, or the next, is right.
func (d *cutDisk) at(n int, found agent.Found) (stage int, ok bool) {
	told := d.told(n)
	for at := told; at <= told+1 && at < len(d.stages); at++ {
		if s := d.stages[at]; s.is(found) && (s.evicted || found.Entries >= d.stages[told].entries) {
			return at, true
		}
	}
	return 0, false
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
