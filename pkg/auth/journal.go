package auth

import (
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
)

// journal is the access log, with its health condition and the notices to the members.
type journal struct {
	log       *accesslog.Log
	slog      *slog.Logger
	condition *health.Condition
	sessions  *activeSessions // end when the log can't be written
	notices   *notices

	order sync.Mutex // over append and note: notices come in the order of the log

	mu     sync.Mutex
	state  health.State // what to go back to after a failure
	reason string
}

// Append adds entries in one transaction, durably, and owes the members their notices. On an
// error nothing that needed the entries may start, and all sessions end.
func (j *journal) Append(entries ...accesslog.Entry) (uint64, error) {
	first, err := j.append(entries)
	if err != nil {
		j.slog.Error("access log can't be written", "kind", string(entries[0].Kind), "error", err)
		j.condition.Set(health.Failed, "The access log can't be written, so nothing is shown. The storage may be full or failing.")
		j.sessions.cancel(proto.CodeStorage, everyScope)
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
	j.log.Told(j.notices.deliveredTo())
	first, err := j.log.Append(entries...)
	if err != nil {
		return 0, err
	}
	for i, e := range entries {
		if e.Kind.Noticed() {
			j.notices.add(first+uint64(i), e)
		}
	}
	return first, nil
}

func (j *journal) healthy(s health.State, reason string) {
	j.mu.Lock()
	j.state, j.reason = s, reason
	j.mu.Unlock()
	j.condition.Set(s, reason)
}

// keepTexts is how long the texts of the access log are kept. docs/protocol.md 6.5.
const keepTexts = 90 * 24 * time.Hour

// tidy is the hourly housekeeping of the log. If it fails, it is tried again an hour later.
func (j *journal) tidy(now time.Time) {
	_, err := j.log.DropBefore(now.Add(-keepTexts))
	if err == nil {
		_, err = j.log.Merge()
	}
	if err != nil {
		j.slog.Warn("the access log can't be tidied", "error", err)
	}
}

// proven is what an answer proves of the log.
type proven struct {
	checkpoint string
	proof      json.RawMessage
	rolledBack bool // this log has signed the client's checkpoint and does not continue it
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

// knows reports whether a client that shows this checkpoint has seen the newest change of
// members, settings or privacy mode.
func (j *journal) knows(checkpoint string) bool {
	c, err := j.log.Changes()
	if err != nil {
		return false
	}
	_, _, size, err := j.log.Prove(checkpoint, nil)
	return err == nil && size >= c.Last
}
