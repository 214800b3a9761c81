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
	p := pending{Reset: reset, Epoch: a.keys.epoch}
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
		msg, err := a.keys.sealNotice(n, m)
		if err != nil {
			a.log.Warn("no final notice", "client", string(m.id), "error", err)
			continue
		}
		l = append(l, finalNotice{m.id, msg})
	}
	return l
}
