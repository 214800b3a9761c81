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

// commit makes one change: the log first, then trust.db, whose transaction names the
// log's entry, then what reads it. entries[0] is the change; others tell its details.
// Authority.changes is held. docs/protocol.md 9.5.
func (a *Authority) commit(put putFunc, change changeFunc, entries ...accesslog.Entry) (uint64, error) {
	if a.over {
		return 0, proto.Refuse(proto.CodeRevoked)
	}
	first, err := a.journal.Append(entries...)
	if err != nil {
		return 0, errors.Join(proto.Refuse(proto.CodeStorage), err)
	}
	if err := a.apply(first, put, change); err != nil {
		return 0, errors.Join(proto.Refuse(proto.CodeStorage), err, a.notApplied(first, entries[0]))
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
		return putNumber(tx, keyApplied, entry+1)
	})
}

// notApplied says of a change that was logged that it did not happen.
func (a *Authority) notApplied(index uint64, e accesslog.Entry) error {
	_, err := a.journal.Append(accesslog.Entry{Kind: accesslog.KindEnd, Client: e.Client, Name: e.Name,
		Network: e.Network, Start: index, Reason: reasonNotApplied})
	return err
}

const reasonNotApplied = "not applied"

var errSetBack = fmt.Errorf("%w: it was set back to an earlier state", store.ErrDamaged)

// compare looks at the start whether trust.db and log fit each other. Changes come one
// at a time, so a power cut can leave one that was logged and not made: its entry is
// returned. More than one, or a change that the log does not know, mean that one of the
// two files is an older copy.
func compare(trust *store.DB, log *accesslog.Log) (cut *uint64, err error) {
	var applied uint64
	err = trust.View(func(tx *store.Tx) error {
		applied, _, err = getNumber(tx, keyApplied)
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

// finish deals with the one change that was cut. A revocation is made now: an older
// copy of trust.db never brings back whom the newest change removed. Any other is said
// not to have happened.
func (a *Authority) finish(index uint64) error {
	l, err := a.journal.log.Read(index, 1)
	if err != nil {
		return err
	}
	if len(l) != 1 || l[0].Index != index {
		return fmt.Errorf("%s: %w", fileLogs, store.ErrDamaged)
	}
	e, err := accesslog.Parse(l[0].Text)
	if err != nil {
		return fmt.Errorf("%s: %w: %w", fileLogs, store.ErrDamaged, err)
	}
	if e.Kind == accesslog.KindRevoke {
		if m := a.members.get(e.Subject); m != nil {
			return a.apply(index, nil, removal(m, a.members.get(e.Client), e.Keep))
		}
		return a.apply(index, nil, nil)
	}
	if err := a.notApplied(index, e); err != nil {
		return err
	}
	return a.apply(index, nil, nil)
}
