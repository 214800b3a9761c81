package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

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

// finalNotices holds the final notices of the epoch before, by receiver, until the broker has
// them. They are sealed already, with keys that are gone.
var finalNotices = store.Plain("farewell")

// sendFinalNotices sends the final notices of the epoch before, and deletes each one when the
// broker has it. What can't be sent stays for the next time.
func sendFinalNotices(trust *store.DB, sender Sender, log *slog.Logger) error {
	var l []finalNotice
	err := trust.View(func(tx *store.Tx) error {
		return finalNotices.ForEach(tx, "", func(key string, value []byte) error {
			l = append(l, finalNotice{proto.ClientID(key), value})
			return nil
		})
	})
	if err != nil {
		return err
	}
	for _, f := range l {
		err := sender.Notify(f.To, f.Message, func(err error) {
			if err == nil {
				err = trust.Update(func(tx *store.Tx) error { return finalNotices.Delete(tx, string(f.To)) })
			}
			if err != nil {
				log.Debug("final notice not sent", "client", string(f.To), "error", err)
			}
		})
		if err != nil {
			return fmt.Errorf("send a final notice: %w", err)
		}
	}
	return nil
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

// put stores what is kept in the next epoch's trust.db.
func (p *pending) put(tx *store.Tx) error {
	if p.Reset {
		return nil
	}
	if err := p.Settings.put(tx); err != nil {
		return err
	}
	for _, f := range p.FinalNotices {
		if err := finalNotices.Put(tx, string(f.To), f.Message); err != nil {
			return err
		}
	}
	return nil
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
