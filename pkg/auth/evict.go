package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

// filePending, in the state folder, says that the epoch ends. It is there from the decision
// to evict or reset until that is done, whatever power cuts come between.
// docs/protocol.md 5.10.
const filePending = "pending"

// pending is what the file holds. docs/protocol.md 11.1.
type pending struct {
	Reset        bool          `json:"reset,omitempty"`
	Epoch        uint64        `json:"ep"`       // the epoch that ends
	Settings     choices       `json:"settings"` // kept, unless Reset
	FinalNotices []finalNotice `json:"farewell,omitempty"`

	damaged bool // the file was there, and its content is lost
}

// finalNotice is the last notice to a member, sealed under the epoch that ends. docs/protocol.md 11.1.
type finalNotice struct {
	To      proto.ClientID `json:"to"`
	Message []byte         `json:"msg"`
}

// Why an epoch begins; members of the one before get to know it.
const (
	reasonEvicted = "everyone was removed by someone at the camera"
	reasonReset   = "the camera was reset by someone at the camera"
)

// Evict removes everyone: the epoch ends. The broker and the settings stay, and the old log
// stays readable at the device. When Evict returns nil, nobody sees or hears any more, and
// every member has a final notice. The next epoch begins at the next start of camd.
func (a *Authority) Evict() error { return a.end(false) }

// Reset is like Evict, and at the next start all that the household ever stored is wiped.
func (a *Authority) Reset() error { return a.end(true) }

// end makes the end of the epoch durable before it waits for anything, under no lock that a
// change may hold: it must not be held up by members.
func (a *Authority) end(reset bool) error {
	a.ending.Lock()
	defer a.ending.Unlock()
	ending := a.sessions.bar(proto.CodeRevoked)
	a.CloseWindow()
	err := a.writePending(reset)
	if err != nil { // a full disk, say; without members the next start begins an epoch too
		a.log.Error("the end of the epoch can't be written down: removing the members' file instead", "error", err)
		err = errors.Join(os.Remove(a.trust.Path()), store.SyncDir(filepath.Dir(a.trust.Path())))
	}
	if err != nil {
		return fmt.Errorf("end the epoch: %w", err)
	}
	a.changes.mu.Lock()
	defer a.changes.mu.Unlock()
	a.changes.over = true
	a.sessions.wait(ending)
	return nil
}

func (a *Authority) writePending(reset bool) error {
	if p, err := readPending(a.cfg.State); err == nil && p != nil && p.Reset {
		return nil // a reset that is decided stays one
	}
	p := pending{Reset: reset, Epoch: a.household.epoch}
	if last := a.finalNotices(reset); !reset { // of a reset household nothing stays
		p.Settings, p.FinalNotices = *a.policy.chosen.Load(), last
		p.Settings.Privacy = a.policy.privacy.Load()
	}
	text, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("write %s: %w", filePending, err)
	}
	return store.WriteFile(filepath.Join(a.cfg.State, filePending), text)
}

// finalNotices logs the end of the epoch and seals a notice of it for every member. If the
// log can't be written, the epoch ends all the same.
func (a *Authority) finalNotices(reset bool) (l []finalNotice) {
	kind := accesslog.KindEvict
	if reset {
		kind = accesslog.KindReset
	}
	index, err := a.journal.Append(atDevice.entry(kind))
	if err != nil {
		a.log.Warn("no final notice", "error", err)
		return nil
	}
	records, err := a.journal.log.Read(index, 1)
	if err != nil || len(records) != 1 {
		a.log.Warn("no final notice", "error", err)
		return nil
	}
	n := notice{index, index, string(records[0].Text)}
	for _, m := range a.members.current.Load().members {
		msg, err := a.household.sealNotice(n, m)
		if err != nil {
			a.log.Warn("no final notice", "client", string(m.id), "error", err)
			continue
		}
		l = append(l, finalNotice{m.id, msg})
	}
	return l
}

// readPending returns nil if no end of an epoch is under way. The file is written whole or
// not at all; if it is damaged, all that is known is that everyone was removed.
func readPending(state string) (*pending, error) {
	text, err := store.ReadFile(filepath.Join(state, filePending))
	var p pending
	switch {
	case errors.Is(err, store.ErrMissing):
		return nil, nil
	case errors.Is(err, store.ErrDamaged), err == nil && (json.Unmarshal(text, &p) != nil || p.Epoch == 0):
		return &pending{damaged: true}, nil //nolint:nilerr // the damage is the answer
	case err != nil:
		return nil, err
	}
	return &p, nil
}

// removePending removes the file when the epoch has ended. It holds settings, so it is
// overwritten, but under another name: half overwritten it could not be read again.
func removePending(state string) error {
	path := filepath.Join(state, filePending)
	if err := os.Rename(path, filepath.Join(state, "."+filePending+".done")); err != nil {
		return fmt.Errorf("remove %s: %w", filePending, err)
	}
	if err := store.SyncDir(state); err != nil {
		return err
	}
	return shredPending(state)
}

// shredPending removes what a power cut left when the file was written or removed.
func shredPending(state string) error {
	return shredAll(state, "."+filePending+".*")
}

// wipe overwrites and removes all that a household stored. The sealing key comes first:
// without it the rest of trust.db can't be read.
func wipe(state string) error {
	patterns := []string{
		filepath.Join(storeFolder, fileSeal), filepath.Join(storeFolder, "*"), filepath.Join(storeFolder, ".*"),
		filepath.Join(householdFolder, "*", "*"), filepath.Join(householdFolder, ".*", "*"),
	}
	return shredAll(state, patterns...)
}

// shredAll shreds the files below a folder that match one of the patterns.
func shredAll(folder string, patterns ...string) error {
	for _, pattern := range patterns {
		paths, err := filepath.Glob(filepath.Join(folder, pattern))
		if err != nil {
			return fmt.Errorf("look for what to wipe: %w", err)
		}
		for _, path := range paths {
			if err := store.Shred(path); err != nil {
				return err
			}
			if err := os.RemoveAll(path); err != nil { // a folder that is in a file's place
				return fmt.Errorf("wipe: %w", err)
			}
		}
	}
	return nil
}
