package attack

import (
	"encoding/binary"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/proto"
)

const setBackSentence = "was rolled back to an earlier state"

// look is what a person does who looks at the camera: the client compares.
func (h *house) look(c *client.Camera) {
	h.t.Helper()
	if _, err := c.Call(h.t.Context(), proto.OpStatus, "", nil); err != nil {
		h.t.Fatalf("a member can't look: %v", err)
	}
}

// follow counts the kinds of entries that a member is told of.
func (h *house) follow(c *client.Camera) func(accesslog.Kind) bool {
	h.t.Helper()
	notices, cancel, err := c.Notices(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(cancel)
	var told []accesslog.Kind
	return func(k accesslog.Kind) bool {
		for len(notices) > 0 {
			told = append(told, (<-notices).Entry.Kind)
		}
		return slices.Contains(told, k)
	}
}

// goesOn makes entries of the access log that change nothing.
func (h *house) goesOn(sessions int) {
	h.t.Helper()
	for i := range sessions {
		h.probe.Hello()
		h.probe.Do(h.probe.Request(proto.OpLive, string(rune('a'+i)), proto.LiveRequest{SDP: "none", Scopes: []proto.Scope{proto.ScopeView}}))
	}
}

// TestT15 gives the attacker the camera's storage, and time: the log is put back to an
// earlier state in various ways. One member knows more and says so; the other, who has
// looked at nothing, is told.
func TestT15LogThatIsNotWhatItWas(t *testing.T) {
	log := filepath.Join("store", "log.db")
	for name, attack := range map[string]struct {
		of    string // what of the state folder is put back
		more  int    // sessions that make it longer than it was
		alter func(t *testing.T, path string)
		alarm []string
	}{
		"rolled back with all the storage": {of: ".", alarm: []string{"rollback"}},
		"rolled back":                      {of: log, alarm: []string{"rollback"}},
		"forked, and as long":              {of: log, more: 3, alarm: []string{"fork", "proof"}},
		"forked, and longer":               {of: log, more: 8, alarm: []string{"proof"}},
		"truncated":                        {alter: truncate, alarm: []string{"rollback"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHome(t)
			dora := h.Invite(h.owner, proto.Grant{Name: "Dora", Role: proto.RoleOwner})
			h.look(dora)
			h.probe.Settle()
			known := h.probe.Cp
			h.stop()
			earlier := filepath.Join(t.TempDir(), "state")
			copyTo(t, earlier, h.State())
			h.again()
			h.goesOn(3)
			h.look(h.owner) // who now knows six entries more than what is put back
			h.stop()
			if attack.of != "" {
				putBack(t, filepath.Join(h.State(), attack.of), filepath.Join(earlier, attack.of))
			}
			if attack.alter != nil {
				attack.alter(t, filepath.Join(h.State(), log))
			}
			h.again()
			h.probe.Cp = known // what the owner's other client had seen by then
			h.goesOn(attack.more)
			told := h.follow(dora)
			h.noticed(attack.alarm, told)
		})
	}
}

// noticed has the owner look, and wants everyone to know then.
func (h *house) noticed(kinds []string, told func(accesslog.Kind) bool) {
	h.t.Helper()
	if h.owner.Alarm() != nil {
		h.t.Errorf("an alarm before there is a reason: %+v", h.owner.Alarm())
	}
	h.look(h.owner)
	if a := h.owner.Alarm(); a == nil || !slices.Contains(kinds, a.Kind) {
		h.t.Fatalf("who knows more has the alarm %+v, not %v", a, kinds)
	}
	if h.entered(accesslog.KindAlarm) != 1 || h.entered(accesslog.KindRollback) != 1 {
		h.t.Fatalf("the log has %d alarms and %d entries of a rollback", h.entered(accesslog.KindAlarm), h.entered(accesslog.KindRollback))
	}
	if c := h.Condition("auth"); c.State != "degraded" || !strings.Contains(c.Reason, setBackSentence) {
		h.t.Errorf("the camera's health says %+v", c)
	}
	h.Until("the other member is told", func() bool { return told(accesslog.KindAlarm) && told(accesslog.KindRollback) })
}

// truncate takes the last entries out of a log so that what is left fits together.
func truncate(t *testing.T, path string) {
	t.Helper()
	edit(t, path, func(tx *bolt.Tx) error {
		for _, name := range []string{"texts/1", "tree/1"} {
			for range 4 {
				c := tx.Bucket([]byte(name)).Cursor()
				c.Last()
				if err := c.Delete(); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// edit changes a database of a camera that does not run.
func edit(t *testing.T, path string, change func(*bolt.Tx) error) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, nil)
	if err == nil {
		err = db.Update(change)
	}
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// An entry that is rewritten in the middle keeps the tree as it was: it is found by
// who downloads the log and compares.
func TestT15EntryThatWasRewritten(t *testing.T) {
	h := newHome(t)
	h.goesOn(2)
	if _, err := h.owner.VerifyLog(t.Context()); err != nil || h.owner.Alarm() != nil {
		t.Fatalf("an untouched log: %v, %+v", err, h.owner.Alarm())
	}
	h.stop()
	edit(t, filepath.Join(h.State(), "store", "log.db"), func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte("texts/1"))
		k, v := b.Cursor().First()
		return b.Put(k, []byte(strings.Replace(string(v), "first start", "other start", 1)))
	})
	h.again()
	if _, err := h.owner.VerifyLog(t.Context()); err == nil || h.owner.Alarm() == nil || h.owner.Alarm().Kind != "texts" {
		t.Errorf("a rewritten entry is not found: %v, %+v", err, h.owner.Alarm())
	}
}

// What a camera forgets when its log is long hides nothing that is new: whoever has the
// storage and puts the hash of the first two entries into their place leaves a tree in
// which all fits, and is found by who downloads the log.
func TestT15EntriesThatWereForgotten(t *testing.T) {
	h := newHome(t)
	h.goesOn(2)
	h.look(h.owner)
	h.stop()
	edit(t, filepath.Join(h.State(), "store", "log.db"), func(tx *bolt.Tx) error {
		tree, texts := tx.Bucket([]byte("tree/1")), tx.Bucket([]byte("texts/1"))
		second := tree.Get(binary.BigEndian.AppendUint64(nil, 1)) // its leaf, and that of both
		err := tx.Bucket([]byte("state")).Put([]byte("front/1"), append(binary.BigEndian.AppendUint64(nil, 2), second[len(second)-32:]...))
		for n := range uint64(2) {
			k := binary.BigEndian.AppendUint64(nil, n)
			err = errors.Join(err, tree.Delete(k), texts.Delete(k))
		}
		return err
	})
	h.again()
	h.look(h.owner)
	if a := h.owner.Alarm(); a != nil {
		t.Fatalf("the tree does not fit: %+v", a)
	}
	if _, err := h.owner.VerifyLog(t.Context()); err == nil || h.owner.Alarm() == nil || h.owner.Alarm().Kind != "texts" {
		t.Errorf("entries that were hidden are not missed: %v, %+v", err, h.owner.Alarm())
	}
}

// The control: a camera that was stopped, started, and killed is no alarm.
func TestT15LogThatIsWhatItWas(t *testing.T) {
	h := newHome(t)
	dora := h.Invite(h.owner, proto.Grant{Name: "Dora", Role: proto.RoleOwner})
	h.goesOn(3)
	h.look(h.owner)
	h.stop()
	h.again()
	for _, c := range []*client.Camera{h.owner, dora} {
		if _, err := c.VerifyLog(t.Context()); err != nil || c.Alarm() != nil {
			t.Errorf("an honest log: %v, %+v", err, c.Alarm())
		}
	}
	if n := h.entered(accesslog.KindRollback); n != 0 || h.Condition("auth").State != "ok" {
		t.Errorf("%d rollbacks, health %+v", n, h.Condition("auth"))
	}
}
