package client

import (
	"context"
	"errors"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

// verify compares what an answer says about the access log with from, the checkpoint that
// the request carried, and returns how many entries the log has; 0 if that is not proved.
// docs/protocol.md 6.7.
func (c *Camera) verify(ctx context.Context, r proto.Request, from accesslog.Checkpoint, a proto.Answer) uint64 {
	if a.Checkpoint == "" && a.Code != proto.CodeOK || r.Op == proto.OpHello {
		return 0 // nothing was done, and nothing is claimed
	}
	now, p, err := c.continues(from, a)
	if err == nil {
		err = c.included(r, a, from, now, p)
	}
	if err == nil {
		var other *accesslog.Checkpoint
		if other, err = c.household.Advance(from, now); other != nil {
			err = &breach{home.AlarmFork, other.Note, accesslog.ErrFork}
		}
	}
	var b *breach
	switch {
	case errors.As(err, &b):
		c.raise(ctx, r, a.Checkpoint, b)
		return 0
	case err != nil:
		c.log.Warn("can't keep what was verified of the access log", "error", err)
	}
	return now.Size
}

// continues verifies that the answer's log is the one of before, and only grew.
func (c *Camera) continues(from accesslog.Checkpoint, a proto.Answer) (accesslog.Checkpoint, accesslog.Proof, error) {
	var p accesslog.Proof
	now, err := c.household.ParseCheckpoint(a.Checkpoint)
	if err != nil {
		return now, p, &breach{home.AlarmCheckpoint, from.Note, err}
	}
	if a.Proof != nil {
		if err := envelope.Decode(a.Proof, &p); err != nil {
			return now, p, &breach{home.AlarmProof, from.Note, err}
		}
	}
	if from.Note == "" {
		return now, p, nil
	}
	err = accesslog.VerifyConsistency(from, now, p)
	switch {
	case errors.Is(err, accesslog.ErrRollback):
		err = &breach{home.AlarmRollback, from.Note, err}
	case errors.Is(err, accesslog.ErrFork):
		err = &breach{home.AlarmFork, from.Note, err}
	case err != nil && len(p.Consistency) == 0 && now.Size-from.Size >= c.kept:
		err = &breach{home.AlarmAway, from.Note, err}
	case err != nil:
		err = &breach{home.AlarmProof, from.Note, err}
	}
	return now, p, err
}
