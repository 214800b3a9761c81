package client

import (
	"context"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

// exchange sends a request that carries the checkpoint from, and verifies the answer.
func (c *Camera) exchange(ctx context.Context, r proto.Request, from accesslog.Checkpoint) (proto.Answer, error) {
	r.Checkpoint = from.Note
	var seen home.NoticeCursor
	if err := c.do(ctx, func(s *state) { seen = s.notices.last }); err != nil {
		return proto.Answer{}, err
	}
	a, err := c.request(ctx, r)
	if err != nil {
		return proto.Answer{}, err
	}
	if size := c.verify(ctx, r, from, a); size > 0 {
		_ = c.do(context.WithoutCancel(ctx), func(s *state) { c.noticedUpTo(s, seen, a.Noticed, size) }) // unless it was closed
	}
	if a.Code == proto.CodeStateChanged {
		c.pinned.Store(nil)
		if c.Alarm() != nil { // what this client has seen is not what the camera shows now, and looking again does not change that
			return proto.Answer{}, home.NewProblem(&Refused{Code: a.Code}, "The camera %s gives nobody any rights on your word while the alarm about its access log stands: "+
				"what you have seen of the log is not what it shows now. camctl log --acknowledge ends the alarm.", c.record.Title())
		}
	}
	if a.Code != proto.CodeOK {
		return proto.Answer{}, &Refused{Code: a.Code}
	}
	return a, nil
}

// needNonce asks the camera for a nonce if there is none yet.
func (c *Camera) needNonce(ctx context.Context) error {
	var known bool
	if err := c.do(ctx, func(s *state) { known = s.nonce != "" }); err != nil || known {
		return err
	}
	_, err := c.exchange(ctx, proto.Request{Op: proto.OpHello, ID: randomID()}, accesslog.Checkpoint{})
	return err
}
