package auth

import (
	"errors"
	"fmt"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

// actor is who changes something: a member, or nil for someone at the device.
type actor struct{ member *member }

var atDevice = actor{}

// entry begins the log's entry of what the actor does.
func (by actor) entry(k accesslog.Kind) accesslog.Entry {
	if by.member == nil {
		return accesslog.Entry{Kind: k, Network: accesslog.NetLocal}
	}
	return accesslog.Entry{Kind: k, Client: by.member.id, Name: by.member.Name, Network: accesslog.NetMQTT}
}

// keyApplied holds how many entries of the log trust.db knows of: one more than the
// index of the last change that it holds.
const keyApplied = "applied"

// change begins a change of the household and returns what ends it. One that was
// interrupted is dealt with before, so that the decision is made about what is in force.
func (a *Authority) change() (end func()) {
	a.changes.Lock()
	if err := a.finish(); err != nil { // until that succeeds, commit refuses
		a.log.Error("an interrupted change can't be dealt with", "error", err)
	}
	return a.changes.Unlock
}

// commit makes one change: the log first, then trust.db, whose transaction names the
// log's entry, then what reads it. entries[0] is the change; others tell its details.
// Authority.changes is held. docs/protocol.md 11.6.
func (a *Authority) commit(put putFunc, change changeFunc, entries ...accesslog.Entry) (uint64, error) {
	switch {
	case a.over:
		return 0, proto.Refuse(proto.CodeRevoked)
	case a.cut != nil:
		return 0, proto.Refuse(proto.CodeStorage)
	}
	first, err := a.journal.Append(entries...)
	if err != nil {
		return 0, errors.Join(proto.Refuse(proto.CodeStorage), err)
	}
	if err := a.apply(first, put, change); err != nil {
		a.cut = &first
		err = errors.Join(err, a.sayNotApplied(first, entries[0]))
		a.log.Error("a change can't be stored", "kind", string(entries[0].Kind), "error", err)
		return 0, errors.Join(proto.Refuse(proto.CodeStorage), err)
	}
	return first, nil
}

// What a change does under the index of its entry: to trust.db beside the members,
// and to the members. Either may be nil.
type (
	putFunc    func(tx *store.Tx, index uint64) error
	changeFunc func(all *roll, index uint64)
)

func (a *Authority) apply(entry uint64, put putFunc, change changeFunc) error {
	return a.members.update(func(all *roll) {
		if change != nil {
			change(all, entry)
		}
	}, func(tx *store.Tx) error {
		if put != nil {
			if err := put(tx, entry); err != nil {
				return err
			}
		}
		return meta.PutNumber(tx, keyApplied, entry+1)
	})
}

// narrows tells of a change that takes something away. After an interruption it is made
// yet: whoever asked for it wanted less to be possible, and so no older copy of trust.db
// brings back what the newest change took.
func narrows(e accesslog.Entry) bool {
	return e.Kind == accesslog.KindRevoke || e.Kind == accesslog.KindPrivacy && e.Reason == accesslog.PrivacyOn
}

// sayNotApplied says of a change that was logged that it did not happen.
func (a *Authority) sayNotApplied(index uint64, e accesslog.Entry) error {
	if narrows(e) {
		return nil
	}
	_, err := a.journal.Append(accesslog.Entry{Kind: accesslog.KindEnd, Client: e.Client, Name: e.Name,
		Network: e.Network, Start: index, Reason: accesslog.ReasonNotApplied})
	return err
}

var errSetBack = fmt.Errorf("%w: it was set back to an earlier state", store.ErrDamaged)

// compare looks at the start whether trust.db and log fit each other. Changes come one
// at a time, so a power cut can leave one that was logged and not made: its entry is
// returned. More than one, or a change that the log does not know, mean that one of the
// two files is an older copy.
func compare(trust *store.DB, log *accesslog.Log) (cut *uint64, err error) {
	var applied uint64
	err = trust.View(func(tx *store.Tx) error {
		applied, err = meta.Number(tx, keyApplied)
		return err
	})
	if err != nil {
		return nil, err
	}
	c, err := log.Changes()
	switch {
	case err != nil:
		return nil, err
	case applied == c.Last:
		return nil, nil
	case applied > c.Last:
		return nil, fmt.Errorf("%s: %w", fileLogs, errSetBack)
	case applied != c.Previous:
		return nil, fmt.Errorf("%s: %w", fileTrust, errSetBack)
	}
	index := c.Last - 1
	return &index, nil
}

// finish deals with a change that was logged and not made, because of a power cut or
// a storage that failed. One that narrows is made now, any other is said not to have
// happened. Until that is durable no other change begins.
func (a *Authority) finish() error {
	if a.cut == nil {
		return nil
	}
	index := *a.cut
	e, said, err := a.interrupted(index)
	if err != nil {
		return err
	}
	if !said {
		if err := a.sayNotApplied(index, e); err != nil {
			return err
		}
	}
	next := *a.policy.chosen.Load()
	next.Privacy = next.Privacy || e.Kind == accesslog.KindPrivacy && narrows(e)
	var change changeFunc
	if m := a.members.get(e.Subject); e.Kind == accesslog.KindRevoke && m != nil {
		change = removal(m, a.members.get(e.Client), e.Keep)
	}
	if err := a.apply(index, func(tx *store.Tx, _ uint64) error { return next.put(tx) }, change); err != nil {
		return err
	}
	a.policy.chosen.Store(&next)
	if next.Privacy {
		a.policy.privacy.Store(true)
	}
	a.cut = nil
	a.policy.leaving.Clear()
	if a.gate != nil { // else nobody has been heard yet
		a.gate.dismiss()
	}
	return nil
}

// retry deals with an interrupted change now and then, unless one is under way.
func (a *Authority) retry() {
	if a.changes.TryLock() {
		defer a.changes.Unlock()
		if err := a.finish(); err != nil {
			a.log.Warn("an interrupted change can't be dealt with yet", "error", err)
		}
	}
}

// interrupted reads the entry of a change, and whether one of those that follow says
// that it did not happen.
func (a *Authority) interrupted(index uint64) (e accesslog.Entry, said bool, err error) {
	l, err := a.journal.log.Read(index, accesslog.MaxRead)
	if err != nil {
		return e, false, err
	}
	if len(l) == 0 || l[0].Index != index {
		return e, false, fmt.Errorf("%s: %w", fileLogs, store.ErrDamaged)
	}
	if e, err = accesslog.Parse(l[0].Text); err != nil {
		return e, false, fmt.Errorf("%s: %w: %w", fileLogs, store.ErrDamaged, err)
	}
	for _, r := range l[1:] {
		after, err := accesslog.Parse(r.Text)
		said = said || err == nil && after.Start == index && after.Reason == accesslog.ReasonNotApplied
	}
	return e, said, nil
}
