package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

func publicKey(k keys) envelope.PublicKey {
	return envelope.PublicKey{Sig: &k.sig.PublicKey, Enc: k.enc.PublicKey()}
}

func entryCount(t *testing.T, a *Authority) uint64 {
	t.Helper()
	n, err := a.journal.log.Head()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func lastEntry(t *testing.T, a *Authority) accesslog.Entry {
	t.Helper()
	l, err := a.journal.log.Read(entryCount(t, a)-1, 1)
	if err != nil || len(l) != 1 {
		t.Fatal(l, err)
	}
	e, err := accesslog.Parse(l[0].Text)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestFirstStart(t *testing.T) {
	a := openAuthority(t, newState(t))
	if epoch, reason := a.Epoch(); epoch != 1 || reason != reasonFirst || a.Owned() {
		t.Errorf("epoch %d, %s", epoch, reason)
	}
	if e := lastEntry(t, a); e.Kind != accesslog.KindEpoch || e.Epoch != 1 || e.Reason != reasonFirst {
		t.Errorf("entry: %+v", e)
	}
	if s := a.journal.condition.Status(); s.State != health.OK || !strings.Contains(s.Reason, "camd pair") {
		t.Errorf("health: %+v", s)
	}
}

func TestRestartKeepsEverything(t *testing.T) {
	state := newState(t)
	a := openAuthority(t, state)
	anna := newKeys(t)
	enrol(t, a, anna, proto.ScopeView)
	trio := string(a.keys.trio)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	b := openAuthority(t, state)
	if epoch, _ := b.Epoch(); epoch != 1 || string(b.keys.trio) != trio || b.members.get(anna.id) == nil || entryCount(t, b) != 1 {
		t.Errorf("epoch %d, members %d, entries %d", epoch, b.members.count(), entryCount(t, b))
	}
}

// overwrite writes junk into a file from an offset on.
func overwrite(path string, from int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		junk := make([]byte, info.Size()-from)
		_, _ = rand.Read(junk)
		_, err = f.WriteAt(junk, from)
	}
	return errors.Join(err, f.Close())
}

// Damage never leaves anyone enrolled, never reopens the old epoch as unowned,
// and starts camd. T22.
func TestDamageBeginsANewEpoch(t *testing.T) {
	for name, c := range map[string]struct {
		harm   func(state string) error
		reason string
		bad    []string
	}{
		"trust.db": {func(s string) error { return overwrite(filepath.Join(s, storeFolder, fileTrust), 0) },
			"damaged", []string{fileTrust}},
		"trust.db's pages": {func(s string) error { return overwrite(filepath.Join(s, storeFolder, fileTrust), 8192) },
			"damaged", []string{fileTrust}},
		"log.db": {func(s string) error { return overwrite(filepath.Join(s, storeFolder, fileLogs), 0) },
			"damaged", []string{fileTrust, fileLogs}},
		"trust.db gone": {func(s string) error { return os.Remove(filepath.Join(s, storeFolder, fileTrust)) }, "missing", nil},
		"log.db gone":   {func(s string) error { return os.Remove(filepath.Join(s, storeFolder, fileLogs)) }, "missing", []string{fileTrust}},
		"both gone":     {func(s string) error { return os.RemoveAll(filepath.Join(s, storeFolder)) }, "missing", nil},
		"keys gone":     {func(s string) error { return os.RemoveAll(filepath.Join(s, householdFolder)) }, "another epoch", []string{fileTrust}},
		"a key": {func(s string) error {
			return os.WriteFile(filepath.Join(epochFolder(s, 1), fileEnc), []byte("x"), 0o600)
		}, "damaged", []string{fileTrust}},
		"a key gone":       {func(s string) error { return os.Remove(filepath.Join(epochFolder(s, 1), fileSig)) }, "damaged", []string{fileTrust}},
		"keys of elsewhen": {func(s string) error { return os.Rename(epochFolder(s, 1), epochFolder(s, 7)) }, "another epoch", []string{fileTrust}},
		"the sealing key":  {func(s string) error { return os.Remove(filepath.Join(s, storeFolder, fileSeal)) }, "damaged", []string{fileTrust}},
	} {
		t.Run(name, func(t *testing.T) {
			state := newState(t)
			a := openAuthority(t, state)
			anna := newKeys(t)
			enrol(t, a, anna, proto.OwnerScopes()...)
			old, oldTrio := a.keys.epoch, string(a.keys.trio)
			if err := errors.Join(a.Close(), c.harm(state)); err != nil {
				t.Fatal(err)
			}
			b := openAuthority(t, state)
			epoch, reason := b.Epoch()
			if epoch <= old || string(b.keys.trio) == oldTrio || b.Owned() || !strings.Contains(reason, c.reason) {
				t.Errorf("epoch %d after %d, owned %v, because %q", epoch, old, b.Owned(), reason)
			}
			if e := lastEntry(t, b); e.Kind != accesslog.KindEpoch || e.Epoch != epoch || e.Reason != reason {
				t.Errorf("entry: %+v", e)
			}
			if s := b.journal.condition.Status(); s.State != health.Degraded || !strings.Contains(s.Reason, "pair again") {
				t.Errorf("health: %+v", s)
			}
			for _, file := range c.bad {
				if _, err := os.Stat(filepath.Join(state, storeFolder, file+".bad")); err != nil {
					t.Errorf("not set aside: %v", err)
				}
			}
			if _, err := os.Stat(epochFolder(state, old)); err == nil && epoch != old {
				t.Error("the old epoch's keys are still there")
			}
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
			if c := openAuthority(t, state); c.keys.epoch != epoch || c.Owned() {
				t.Errorf("the start after: epoch %d, owned %v", c.keys.epoch, c.Owned())
			}
		})
	}
}

// A new epoch is owned again after pairing, and the log of the old one stays.
func TestPairingUnderANewEpoch(t *testing.T) {
	state := newState(t)
	a := openAuthority(t, state)
	if err := errors.Join(a.Close(), overwrite(filepath.Join(state, storeFolder, fileTrust), 0)); err != nil {
		t.Fatal(err)
	}
	b := openAuthority(t, state)
	if old, err := b.journal.log.ReadEpoch(1, 0, 2); err != nil || len(old) != 1 {
		t.Errorf("the old log: %d entries, %v", old, err)
	}
	openWindow(t, b, time.Minute)
	if client, device := pair(t, b, b.Identity().Label(), newKeys(t)); client != nil || device != nil {
		t.Error(client, device)
	}
	if s := b.journal.condition.Status(); s.State != health.OK {
		t.Errorf("health: %+v", s)
	}
}

// What can't be judged refuses everything and wipes nothing.
func TestNoJudgementChangesNothing(t *testing.T) {
	state := newState(t)
	a := openAuthority(t, state)
	anna := newKeys(t)
	enrol(t, a, anna, proto.ScopeView)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	for _, failing := range StoreFiles(state) {
		boom := errors.New("input/output error")
		_, err := Open(t.Context(), Config{State: state, Check: func(_ context.Context, path string) error {
			if path == failing {
				return boom
			}
			return store.ErrDamaged // the other one is damaged, which must not count now
		}}, log, health.NewBoard(log))
		if !errors.Is(err, boom) {
			t.Errorf("%s: %v", failing, err)
		}
	}
	b := openAuthority(t, state)
	if epoch, _ := b.Epoch(); epoch != 1 || b.members.get(anna.id) == nil {
		t.Errorf("epoch %d, members %d", epoch, b.members.count())
	}
	if _, err := tryOpen(t, state); !errors.Is(err, store.ErrLocked) { // b holds it
		t.Errorf("a second camd: %v", err)
	}
}

// A power cut at any step of a new epoch leaves a state from which the next
// start goes on to an epoch in which nobody of the old one is enrolled.
func TestPowerCutWhileAnEpochBegins(t *testing.T) {
	state := newState(t)
	a := openAuthority(t, state)
	enrol(t, a, newKeys(t), proto.OwnerScopes()...)
	id := a.Identity()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := makeHouseholdKeys(state, id, 2, "test"); err != nil { // and cut
		t.Fatal(err)
	}
	b := openAuthority(t, state)
	if epoch, _ := b.Epoch(); epoch != 3 || b.Owned() {
		t.Errorf("epoch %d, owned %v", epoch, b.Owned())
	}
}

// A power cut after the new store is there and before the old keys are gone.
func TestPowerCutLeavesNoOlderKeys(t *testing.T) {
	state := newState(t)
	a := openAuthority(t, state)
	id := a.Identity()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := makeHouseholdKeys(state, id, 2, "test"); err != nil {
		t.Fatal(err)
	}
	openAuthority(t, state).Close() //nolint:errcheck // epoch 3
	if _, err := makeHouseholdKeys(state, id, 2, "left"); err != nil {
		t.Fatal(err)
	}
	openAuthority(t, state)
	if left, err := filepath.Glob(filepath.Join(state, householdFolder, "*")); err != nil || len(left) != 1 {
		t.Errorf("households %v, %v", left, err)
	}
}
