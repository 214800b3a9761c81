package auth

import (
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
)

// noticeQueue bounds the notices that wait to be sealed. One that is dropped shows to
// members as a gap.
const noticeQueue = 256

// notice is an entry that every member is told of.
type notice struct {
	index, previous uint64
	text            string
	to              *roll // who was a member when it was logged
}

// journal is the access log with its health, and what it tells members.
type journal struct {
	log       *accesslog.Log
	slog      *slog.Logger
	members   *members
	condition *health.Condition
	failed    func() // called after each append that failed; nothing may go on then

	notices chan notice
	noticed atomic.Uint64 // index of the newest entry that was noticed

	order sync.Mutex // over append and notice: notices come in the order of the log

	mu     sync.Mutex
	state  health.State // what to go back to after a failure
	reason string
}

// Append adds entries in one transaction, durably, and tells the members. On an error
// nothing that needed them may start, and whatever is live ends.
func (j *journal) Append(entries ...accesslog.Entry) (uint64, error) {
	first, err := j.append(entries)
	if err != nil {
		j.slog.Error("access log can't be written", "kind", string(entries[0].Kind), "error", err)
		j.condition.Set(health.Failed, "The access log can't be written, so nothing is shown. The storage may be full or failing.")
		if j.failed != nil {
			j.failed()
		}
		return 0, err
	}
	j.mu.Lock()
	state, reason := j.state, j.reason
	j.mu.Unlock()
	j.condition.Set(state, reason)
	return first, nil
}

func (j *journal) append(entries []accesslog.Entry) (uint64, error) {
	j.order.Lock() // the database has one writer anyway
	defer j.order.Unlock()
	first, err := j.log.Append(entries...)
	if err != nil {
		return 0, err
	}
	records, err := j.log.Read(first, len(entries))
	if err != nil { // it is durable all the same
		j.slog.Warn("what was logged can't be read again", "error", err)
	}
	for i, r := range records {
		if entries[i].Kind.Noticed() {
			j.tell(notice{index: r.Index, text: string(r.Text), to: j.members.current.Load()})
		}
	}
	return first, nil
}

func (j *journal) tell(n notice) {
	n.previous = j.noticed.Swap(n.index)
	select {
	case j.notices <- n:
	default:
		j.slog.Warn("notice dropped", "index", n.index)
	}
}

func (j *journal) healthy(s health.State, reason string) {
	j.mu.Lock()
	j.state, j.reason = s, reason
	j.mu.Unlock()
	j.condition.Set(s, reason)
}

// recall finds the newest entry that was noticed before this start.
func (j *journal) recall() error {
	index, err := j.log.Noticed()
	j.noticed.Store(index)
	return err
}

// proven is what an answer says of the log.
type proven struct {
	checkpoint string
	proof      json.RawMessage
	rolledBack bool // the client's checkpoint is this log's, and this log does not continue it
}

// prove proves the log's state against a client's checkpoint, and an entry. Without a
// checkpoint of this log the answer has no consistency proof.
func (j *journal) prove(from string, entry *uint64) (p proven) {
	cp, proof, _, err := j.log.Prove(from, entry)
	p.rolledBack = errors.Is(err, accesslog.ErrRolledBack)
	if err != nil && !p.rolledBack && !errors.Is(err, accesslog.ErrCheckpoint) && !errors.Is(err, accesslog.ErrForgotten) {
		j.slog.Warn("the access log can't be proved", "error", err)
		return proven{}
	}
	p.checkpoint = cp.Note
	if p.proof, err = json.Marshal(proof); err != nil {
		j.slog.Warn("proof can't be written", "error", err)
	}
	return p
}

// knows tells whether a client that shows this checkpoint has heard of the newest
// change of members, settings or privacy.
func (j *journal) knows(checkpoint string) bool {
	c, err := j.log.Changes()
	if err != nil {
		return false
	}
	_, _, size, err := j.log.Prove(checkpoint, nil)
	return err == nil && size >= c.Last
}

// sendNotices seals notices for everyone who was a member, until ctx ends and what
// waits is sent.
func (g *Gate) sendNotices(stop <-chan struct{}) {
	for {
		select {
		case n := <-g.notices:
			g.sendNotice(n)
		case <-stop:
			for len(g.notices) > 0 {
				g.sendNotice(<-g.notices)
			}
			return
		}
	}
}

func (g *Gate) sendNotice(n notice) {
	for _, m := range n.to.members {
		if g.policy.standing(m) == proto.CodeExpired {
			continue // no business of someone whose time is over, like of one who was removed
		}
		msg, err := g.sealNotice(n, m)
		if err == nil {
			err = g.sender.Send(m.id, msg)
		}
		if err != nil {
			g.log.Debug("notice not sent", "client", string(m.id), "index", n.index, "error", err)
		}
	}
}

func (g *Gate) sealNotice(n notice, m *member) ([]byte, error) {
	return envelope.SealNotice(proto.Notice{Issuer: g.device, Audience: m.id, Epoch: g.household.epoch,
		Index: n.index, Previous: n.previous, Entry: n.text}, g.household.sig, m.key.Enc)
}
