package auth

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/identity"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
	"github.com/camd-project/camd/pkg/store/storetest"
)

// unreadable makes a file that can't be read, by root neither: a link to itself.
func unreadable(path string) error {
	return errors.Join(os.Remove(path), os.Symlink(filepath.Base(path), path))
}

// homes are two state folders with an owner: as they are, and with an eviction that is
// decided. They are copied for each case, in memory where the system has a place for that.
type homes struct {
	dir  string
	made [2]string
}

func newHomes(t *testing.T) *homes {
	t.Helper()
	h := &homes{dir: t.TempDir()}
	if dir, err := os.MkdirTemp("/dev/shm", "camd-damage-"); err == nil {
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		h.dir = dir
	}
	for i := range h.made {
		h.made[i] = newState(t)
		a := openAuthority(t, h.made[i])
		enrol(t, a, newKeys(t), proto.OwnerScopes()...)
		if i == 1 {
			if err := a.writePending(false); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// owned returns a copy.
func (h *homes) owned(t *testing.T, evicted bool) (state string) {
	t.Helper()
	state, from := filepath.Join(h.dir, "state"), h.made[0]
	if evicted {
		from = h.made[1]
	}
	err := os.RemoveAll(state)
	if err == nil {
		err = exec.Command("cp", "-a", from, state).Run()
	}
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func open(t *testing.T, state string) (*Authority, error) {
	t.Helper()
	a, err := tryOpen(t, state)
	if err == nil {
		t.Cleanup(func() { _ = a.Close() }) // a second Close does no harm
	}
	return a, err
}

func stateFiles(evicted bool) []string {
	l := []string{"store/seal.key", "store/trust.db", "store/log.db", "household/1/sig.key", "household/1/enc.key", "household/1/log.key",
		"household/1/trio", "household/1/reason"}
	if evicted {
		l = append(l, filePending)
	}
	return l
}

// Whatever becomes of a file, camd starts: as it was, or in a new epoch with nobody in
// it, and never without members in an epoch that had some. The start after is the same.
func TestDamageOfEachFile(t *testing.T) {
	h := newHomes(t)
	for _, evicted := range []bool{false, true} {
		for _, file := range stateFiles(evicted) {
			name := file
			if evicted {
				name += " of an eviction"
			}
			t.Run(name, func(t *testing.T) { h.damaged(t, evicted, file) })
		}
	}
}

// damaged starts camd after each harm to one of its files.
func (h *homes) damaged(t *testing.T, evicted bool, file string) {
	t.Helper()
	for harm, do := range storetest.Harms {
		state := h.owned(t, evicted)
		path := filepath.Join(state, file)
		content, err := os.ReadFile(path)
		if err == nil {
			err = do(path, content)
		}
		if err != nil {
			t.Fatal(err)
		}
		name := file + ", " + harm
		a, err := open(t, state)
		if err != nil {
			t.Errorf("%s: camd does not start: %v", name, err)
			continue
		}
		epoch, reason := a.Epoch()
		asItWas := epoch == 1 && a.Owned() && (!evicted || file == filePending && (harm == "missing" || harm == "a link to nothing"))
		if anew := epoch > 1 && !a.Owned() && reason != ""; !anew && !asItWas {
			t.Errorf("%s: epoch %d, owned %v, because %q", name, epoch, a.Owned(), reason)
		}
		before := a.Owned()
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		a, err = open(t, state)
		if err != nil {
			t.Errorf("%s: the start after: %v", name, err)
			continue
		}
		if again, _ := a.Epoch(); again != epoch || a.Owned() != before {
			t.Errorf("%s: the start after is in epoch %d after %d, owned %v after %v", name, again, epoch, a.Owned(), before)
		}
	}
}

// A number of another size within a database is damage, too, and found at the start.
func TestDamageOfEachNumber(t *testing.T) {
	h := newHomes(t)
	for _, c := range []struct{ file, bucket, key string }{
		{fileLogs, "state", "pruned"}, {fileLogs, "state", "noticed/1"}, {fileLogs, "state", "changes/1"}, {fileLogs, "state", "front/1"},
		{fileLogs, "meta", keyEpoch}, {fileTrust, "meta", keyEpoch}, {fileTrust, "meta", keyApplied},
		{fileTrust, "meta", "timefloor"}, {fileTrust, "meta", "ownerseen"}, {fileTrust, "meta", "alone"}, {fileTrust, "meta", "doubt"},
	} {
		name := c.file + ", " + c.bucket + ", " + c.key
		state := h.owned(t, false)
		db, err := store.Open(t.Context(), store.Config{Path: filepath.Join(state, storeFolder, c.file), MaxBytes: maxLogs, Check: checkHere})
		if err == nil {
			err = db.Update(func(tx *store.Tx) error { return store.Plain(c.bucket).Put(tx, c.key, []byte("x")) })
			err = errors.Join(err, db.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // and the start after
			a, err := open(t, state)
			if err != nil {
				t.Errorf("%s: camd does not start: %v", name, err)
				break
			}
			if epoch, reason := a.Epoch(); epoch != 2 || a.Owned() || reason != reasonDamaged {
				t.Errorf("%s: epoch %d, owned %v, because %q", name, epoch, a.Owned(), reason)
			}
			if _, err := a.journal.Append(accesslog.Entry{Kind: accesslog.KindRing, Network: accesslog.NetLocal}); err != nil {
				t.Errorf("%s: nothing is logged: %v", name, err)
			}
			if err := a.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Folders in whose place a file is.
func TestAFileInAFoldersPlace(t *testing.T) {
	h := newHomes(t)
	for _, folder := range []string{"store", "household", "household/1", "household/2"} {
		state := h.owned(t, false)
		path := filepath.Join(state, folder)
		if err := errors.Join(os.RemoveAll(path), os.WriteFile(path, []byte("x"), 0o600)); err != nil {
			t.Fatal(err)
		}
		a, err := open(t, state)
		if err != nil {
			t.Errorf("%s: camd does not start: %v", folder, err)
			continue
		}
		if epoch, _ := a.Epoch(); epoch < 2 || a.Owned() {
			t.Errorf("%s: epoch %d, owned %v", folder, epoch, a.Owned())
		}
	}
}

// What can't be read is not judged: camd says so, and changes nothing.
func TestWhatCantBeReadIsNoDamage(t *testing.T) {
	h := newHomes(t)
	files := append(stateFiles(true), "identity/device-id", "identity/identity.key", "identity/identity.crt", "identity/label")
	for _, file := range files {
		state := h.owned(t, true)
		if err := unreadable(filepath.Join(state, file)); err != nil {
			t.Fatal(err)
		}
		before := storetest.Tree(t, state)
		_, err := open(t, state)
		if !errors.Is(err, syscall.ELOOP) {
			t.Errorf("%s: camd starts, or says %v", file, err)
		}
		if file == "household/1/sig.key" || filepath.Dir(file) == "household/1" {
			continue // the databases were opened by then
		}
		if after := storetest.Tree(t, state); after != before {
			t.Errorf("%s: it changed\n%s\nto\n%s", file, before, after)
		}
	}
}

// An identity that is damaged is no dead end. Where the key is whole, nobody has to pair
// again; where it is not, the camera is another one, and never the old one without members.
func TestDamageOfTheIdentity(t *testing.T) {
	h := newHomes(t)
	for file, lost := range map[string]struct{ device, label bool }{
		"device-id": {false, false}, "identity.key": {true, true}, "identity.crt": {false, false}, "label": {false, true},
	} {
		for harm, do := range storetest.Harms {
			state := h.owned(t, false)
			old, err := identity.Load(state, "")
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(state, "identity", file)
			content, err := os.ReadFile(path)
			if err == nil {
				err = do(path, content)
			}
			if err != nil {
				t.Fatal(err)
			}
			name := file + ", " + harm
			before := storetest.Tree(t, state)
			if _, err := open(t, state); err == nil && (file == "identity.key" || file == "identity.crt") && harm == "long" {
				continue // PEM may be followed by more
			} else if !errors.Is(err, identity.ErrDamaged) {
				t.Errorf("%s: camd starts, or says %v", name, err)
				continue
			}
			if _, err := identity.Init(state, identity.TPM{Use: identity.TPMOff}); !errors.Is(err, identity.ErrDamaged) {
				t.Errorf("%s: factory init says %v", name, err)
			}
			r, err := identity.PlanRepair(state, identity.TPM{Use: identity.TPMOff})
			if err != nil || r.NewDevice != lost.device || r.NewLabel != lost.label || len(r.Damage) == 0 {
				t.Errorf("%s: the plan is %+v, %v", name, r, err)
				continue
			}
			if after := storetest.Tree(t, state); after != before {
				t.Errorf("%s: the plan changed something", name)
			}
			id, err := r.Do()
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if (id.DeviceID() == old.DeviceID()) == lost.device || (id.Label().Text() == old.Label().Text()) == lost.label {
				t.Errorf("%s: the device was %s and is %s", name, old.DeviceID(), id.DeviceID())
			}
			storetest.CheckModes(t, filepath.Join(state, "identity"))
			a, err := open(t, state)
			if err != nil {
				t.Errorf("%s: after the repair: %v", name, err)
				continue
			}
			if epoch, _ := a.Epoch(); a.Owned() == lost.device || (epoch > 1) != lost.device {
				t.Errorf("%s: after the repair: epoch %d, owned %v", name, epoch, a.Owned())
			}
			if r, err := identity.PlanRepair(state, identity.TPM{Use: identity.TPMOff}); err != nil || len(r.Damage) > 0 {
				t.Errorf("%s: after the repair: %+v, %v", name, r, err)
			}
		}
	}
}
