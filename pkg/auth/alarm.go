package auth

import (
	"context"
	"errors"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
)

// OpAlarm returns the operation by which a client proves to the household that it holds two
// checkpoints, both signed by this log's key, of which this log continues at most one.
// docs/protocol.md 6.9.
func (a *Authority) OpAlarm() Operation { return Change[proto.Alarm]{Apply: a.alarm} }

func (a *Authority) alarm(_ context.Context, r Request, q proto.Alarm) (Result, error) {
	contradicted := false
	for _, note := range []string{q.Have, q.Got} {
		_, _, _, err := a.journal.log.Prove(note, nil)
		switch {
		case errors.Is(err, accesslog.ErrRolledBack):
			contradicted = true
		case errors.Is(err, accesslog.ErrForgotten): // it may be this log's: nobody knows any more
		case err != nil:
			return Result{}, proto.Refuse(proto.CodeBadRequest)
		}
	}
	if !contradicted {
		return Result{}, proto.Refuse(proto.CodeBadRequest)
	}
	index, err := a.journal.Append(actor{r.member}.entry(accesslog.KindAlarm))
	if err != nil {
		return Result{}, errors.Join(proto.Refuse(proto.CodeStorage), err)
	}
	return Result{Entry: &index}, nil
}

// rollback logs, once since the start, that a member showed a checkpoint which this log
// signed and does not continue: the storage is an older copy, and members who were removed
// since may be back.
func (a *Authority) rollback(m *member) {
	if !a.older.CompareAndSwap(false, true) {
		return
	}
	a.log.Error("the camera's storage was rolled back to an earlier state", "shown_by", string(m.id))
	_, _ = a.journal.Append(actor{m}.entry(accesslog.KindRollback)) // the journal reports its errors
	a.journal.healthy(health.Degraded, "The camera's storage was rolled back to an earlier state, so members who were removed since then may be back. Look at the members, or evict everyone at the camera.")
}
