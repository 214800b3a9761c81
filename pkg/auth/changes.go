package auth

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

// actor is who makes a change: a member, or nil for someone at the device.
type actor struct{ member *member }

var atDevice = actor{}

// entry returns a log entry of this kind, with what it says of the actor.
func (by actor) entry(k accesslog.Kind) accesslog.Entry {
	if by.member == nil {
		return accesslog.Entry{Kind: k, Network: accesslog.NetLocal}
	}
	return accesslog.Entry{Kind: k, Client: by.member.id, Name: by.member.Name, Network: accesslog.NetMQTT}
}

// changes makes changes of members, settings and privacy mode, one at a time.
// docs/protocol.md 11.6.
type changes struct {
	members *members
	policy  *policy
	journal *journal
	queues  *queues
	log     *slog.Logger

	mu          sync.Mutex // from the decision about a change to its effect
	over        bool       // the epoch ends: nothing changes any more
	interrupted *uint64    // entry of a change that was logged and not made
}

// begin begins a change and returns the function that ends it. An interrupted change is
// dealt with before, so that the decision is about what is in force.
func (c *changes) begin() (end func()) {
	c.mu.Lock()
	if err := c.finish(); err != nil { // until that succeeds, commit refuses
		c.log.Error("an interrupted change can't be dealt with", "error", err)
	}
	return c.mu.Unlock
}

// commit makes one change: the log first, then trust.db, whose transaction names the
// log's entry, then what reads it. entries[0] is the change, the others are its details.
// It is called between begin and its end.
func (c *changes) commit(put putFunc, change changeFunc, entries ...accesslog.Entry) (uint64, error) {
	switch {
	case c.over:
		return 0, proto.Refuse(proto.CodeRevoked)
	case c.interrupted != nil:
		return 0, proto.Refuse(proto.CodeStorage)
	}
	first, err := c.journal.Append(entries...)
	if err != nil {
		return 0, errors.Join(proto.Refuse(proto.CodeStorage), err)
	}
	if err := c.apply(first, put, change); err != nil {
		c.interrupted = &first
		err = errors.Join(err, c.logNotApplied(first, entries[0]))
		c.log.Error("a change can't be stored", "kind", string(entries[0].Kind), "error", err)
		return 0, errors.Join(proto.Refuse(proto.CodeStorage), err)
	}
	return first, nil
}

// What a change does under the index of its entry: to trust.db beside the members,
// and to the members. Either may be nil.
type (
	putFunc    func(tx *store.Tx, index uint64) error
	changeFunc func(all *snapshot, index uint64)
)

func (c *changes) apply(entry uint64, put putFunc, change changeFunc) error {
	return c.members.update(func(all *snapshot) {
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

// narrows reports whether a change takes something away. If it was interrupted, it is made
// later: whoever asked for it wanted less to be possible, and no older copy of trust.db
// must bring back what the newest change took.
func narrows(e accesslog.Entry) bool {
	return e.Kind == accesslog.KindRevoke || e.Kind == accesslog.KindPrivacy && e.Reason == accesslog.PrivacyOn
}

// logNotApplied logs that a change which was logged did not happen.
func (c *changes) logNotApplied(index uint64, e accesslog.Entry) error {
	if narrows(e) {
		return nil
	}
	_, err := c.journal.Append(accesslog.Entry{Kind: accesslog.KindEnd, Client: e.Client, Name: e.Name,
		Network: e.Network, Start: index, Reason: accesslog.ReasonNotApplied})
	return err
}

var errRollback = fmt.Errorf("%w: it was rolled back to an earlier state", store.ErrDamaged)

// compare checks at the start that trust.db and log fit each other. Changes are made one at
// a time, so a power cut can leave one that was logged and not made: compare returns its
// entry. More than one, or a change that the log does not have, mean that one of the two
// files is an older copy.
func compare(trust *store.DB, log *accesslog.Log) (interrupted *uint64, err error) {
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
		return nil, fmt.Errorf("%s: %w", fileLogs, errRollback)
	case applied != c.Previous:
		return nil, fmt.Errorf("%s: %w", fileTrust, errRollback)
	}
	index := c.Last - 1
	return &index, nil
}

// finish deals with a change that was logged and not made, because of a power cut or a
// storage that failed. One that narrows is made now, of any other the log gets an entry that
// it did not happen. Until that is durable no other change begins.
func (c *changes) finish() error {
	if c.interrupted == nil {
		return nil
	}
	index := *c.interrupted
	e, said, err := c.read(index)
	if err != nil {
		return err
	}
	if !said {
		if err := c.logNotApplied(index, e); err != nil {
			return err
		}
	}
	next := *c.policy.chosen.Load()
	next.Privacy = next.Privacy || e.Kind == accesslog.KindPrivacy && narrows(e)
	var change changeFunc
	if m := c.members.get(e.Subject); e.Kind == accesslog.KindRevoke && m != nil {
		by := c.members.get(e.Client)
		change = func(all *snapshot, _ uint64) { all.removeWithGuests(m, by, e.Keep) }
	}
	if err := c.apply(index, func(tx *store.Tx, _ uint64) error { return next.put(tx) }, change); err != nil {
		return err
	}
	c.policy.chosen.Store(&next)
	if next.Privacy {
		c.policy.privacy.Store(true)
	}
	c.interrupted = nil
	c.policy.leaving.Clear()
	c.queues.dropFormer()
	return nil
}

// retry deals with an interrupted change, unless another one is under way.
func (c *changes) retry() {
	if c.mu.TryLock() {
		defer c.mu.Unlock()
		if err := c.finish(); err != nil {
			c.log.Warn("an interrupted change can't be dealt with yet", "error", err)
		}
	}
}

// read returns the entry of a change, and whether one of those that follow says that it did
// not happen.
func (c *changes) read(index uint64) (e accesslog.Entry, said bool, err error) {
	l, err := c.journal.log.Read(index, accesslog.MaxRead)
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
