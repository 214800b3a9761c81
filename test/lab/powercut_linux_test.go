package lab

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/proto"
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

// stage is what the household was from some moment on.
type stage struct {
	members      []string
	acknowledged int // writes when that was told to a client
}

// TestPowerCutAtEveryWrite: T16. Wherever the power is cut while the household
// changes, the next start finds it as before the change or as after it, and as
// after it once a client was told so.
func TestPowerCutAtEveryWrite(t *testing.T) {
	d := newCutDisk(t)
	h := settle(t, ARM64, []Disk{d.Disk}, silent)
	must(t, h.Sync(patient(t)))
	d.reached()
	h.pair()
	d.reached("Anna")
	h.stop()
	must(t, h.Unmount(patient(t), statePath))
	must(t, h.PowerOff(patient(t)))
	d.cut(h.anna)
}

// reached notes that a client was told of a change, and of these members it made.
func (d *cutDisk) reached(members ...string) {
	d.stages = append(d.stages, stage{members, d.written()})
}

// cut boots a guest that opens, one after another, what each power cut leaves.
func (d *cutDisk) cut(clients ...proto.ClientID) {
	d.t.Helper()
	log, err := ParseWriteLog(read(d.t, d.Log))
	must(d.t, err)
	for i, s := range d.stages {
		d.stages[i].acknowledged = log.Durable(s.acknowledged)
	}
	left := Disk{Path: d.Path + ".cut"}
	must(d.t, os.WriteFile(left.Path, d.blank, 0o600))
	g := boot(d.t, ARM64, namespace(d.t), Archive{"bin/peek": {0o755, read(d.t, program(d.t, ARM64, "./peek"))}}, []Disk{left})
	began := time.Now()
	seen := make([]int, len(d.stages))
	for n := d.stages[0].acknowledged; n <= len(log); n++ {
		image := slices.Clone(d.blank)
		must(d.t, log[:n].Apply(image))
		must(d.t, overwrite(left.Path, image))
		seen[d.check(n, open(d.t, g, clients))]++
	}
	d.t.Logf("%d cuts, %.1f s; by stage: %v", len(log)-d.stages[0].acknowledged+1, time.Since(began).Seconds(), seen)
	if slices.Contains(seen, 0) {
		d.t.Errorf("one of the stages %v was never found: this shows nothing", d.stages)
	}
}

// check tells at which stage the household is after a cut; none but the last that
// was told of or the next is right.
func (d *cutDisk) check(n int, found agent.Found) int {
	d.t.Helper()
	told := 0
	for told+1 < len(d.stages) && d.stages[told+1].acknowledged <= n {
		told++
	}
	for at := told; at <= told+1 && at < len(d.stages); at++ {
		if slices.Equal(found.Members, d.stages[at].members) && found.Epoch == 1 {
			return at
		}
	}
	d.t.Errorf("after %d writes epoch %d (%s) has the members %q; %q was told already", n, found.Epoch, found.Reason,
		found.Members, d.stages[told].members)
	return told
}

// open opens the state on the guest's disk, which nothing else uses, as camd does.
func open(t *testing.T, g *Guest, clients []proto.ClientID) (found agent.Found) {
	t.Helper()
	must(t, g.Mount(patient(t), firstDisk, statePath))
	args := []string{"/bin/peek", statePath}
	for _, c := range clients {
		args = append(args, string(c))
	}
	r, err := g.Run(patient(t), args...)
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
