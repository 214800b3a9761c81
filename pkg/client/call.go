package client

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/proto"
)

// Call sends one request and returns the camera's signed answer, whose code is ok. If a
// message is lost, or the nonce or the sequence number is stale, it sends the same
// request again with new ones (docs/protocol.md 4.6). It verifies what the answer says
// about the access log: a contradiction raises an Alarm, and the answer is returned all
// the same. Errors: *Refused, ErrOffline, ErrNewEpoch, ErrNoAnswer, ErrLost, ErrClosed,
// and those of ctx.
func (c *Camera) Call(ctx context.Context, op proto.Op, sid string, body any) (proto.Answer, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return proto.Answer{}, fmt.Errorf("write body of %s: %w", op, err)
	}
	if body == nil {
		raw = nil
	}
	r := proto.Request{Op: op, Session: sid, Body: raw, ID: randomID()}
	if op == proto.OpHello {
		return c.exchange(ctx, r, accesslog.Checkpoint{})
	}
	if err := c.repeatPending(ctx); err != nil {
		return proto.Answer{}, err
	}
	if err := c.needNonce(ctx); err != nil {
		return proto.Answer{}, err
	}
	from, err := c.base(ctx, r)
	if err != nil {
		return proto.Answer{}, err
	}
	if op == proto.OpRevoke {
		return c.revoke(ctx, r, from)
	}
	return c.exchange(ctx, r, from)
}

// base returns the checkpoint that a request carries, however often it is sent: the one
// that this client verified last. A request that widens rights carries the one that the
// person had seen; if there is none, the camera is asked first. docs/protocol.md 4.6.
func (c *Camera) base(ctx context.Context, r proto.Request) (accesslog.Checkpoint, error) {
	if !widens(r) {
		return c.household.Checkpoint()
	}
	if pinned := c.pinned.Load(); pinned != nil {
		return *pinned, nil
	}
	cp, err := c.household.Checkpoint()
	if err != nil || cp.Note != "" {
		return cp, err
	}
	if _, err := c.exchange(ctx, proto.Request{Op: proto.OpStatus, ID: randomID()}, cp); err != nil {
		return cp, err
	}
	return c.household.Checkpoint()
}

// PinCheckpoint has requests that widen rights carry the checkpoint of now, so that what
// a program reads by itself afterwards does not count as seen by the person. The
// camera's refusal state_changed ends it.
func (c *Camera) PinCheckpoint() error {
	cp, err := c.household.Checkpoint()
	if err == nil && cp.Note != "" {
		c.pinned.Store(&cp)
	}
	return err
}

// takesAway reports whether a request ends something or takes rights away, so that it is
// better carried out late than never.
func takesAway(r proto.Request) bool {
	switch r.Op {
	case proto.OpBye, proto.OpRevoke, proto.OpAlarm:
		return true
	case proto.OpPrivacy:
		return !widens(r)
	}
	return false
}

// widens reports whether a request gives rights to someone.
func widens(r proto.Request) bool {
	switch r.Op {
	case proto.OpGrant, proto.OpSetSettings:
		return true
	case proto.OpPrivacy:
		var p proto.Privacy
		return json.Unmarshal(r.Body, &p) == nil && !p.On
	case proto.OpRevoke:
		var v proto.Revoke
		return json.Unmarshal(r.Body, &v) == nil && v.KeepGuests
	}
	return false
}
