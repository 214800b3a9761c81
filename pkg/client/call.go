package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

// How often a request is sent, and how long each time is waited for its answer.
const (
	maxAttempts   = 4
	answerTimeout = 4 * time.Second
)

// talkAttempts make 40 seconds: before it answers, the camera plays its chime and
// says who speaks, and where the household wants it so, someone in the room has 20
// seconds to press the button. What is sent again meanwhile, it drops.
const talkAttempts = 10

// wifiAttempts make 28 seconds, in which the camera listens on all channels.
const wifiAttempts = 7

func attempts(op proto.Op) int {
	switch op {
	case proto.OpTalk:
		return talkAttempts
	case proto.OpWiFi:
		return wifiAttempts
	}
	return maxAttempts
}

// maxSequence is the last one that a camera takes. docs/protocol.md 1.5.
const maxSequence = 1<<53 - 1

// reply is an answer, or why there will be none.
type reply struct {
	answer proto.Answer
	err    error
}

// Call sends one request and returns the camera's signed answer, whose code is
// ok. A stale nonce or sequence, and a lost message, are made good by sending the
// same request again under fresh ones (docs/protocol.md 4.6). What the answer says
// of the access log is verified; what is wrong with it is an Alarm, and the answer
// is returned all the same. Errors: *Refused, ErrOffline, ErrNewEpoch, ErrNoAnswer,
// ErrLost, ErrClosed, ctx's.
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
	if err := c.settle(ctx); err != nil {
		return proto.Answer{}, err
	}
	if err := c.greet(ctx); err != nil {
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

// exchange sends a request that carries the checkpoint from, and verifies the answer.
func (c *Camera) exchange(ctx context.Context, r proto.Request, from accesslog.Checkpoint) (proto.Answer, error) {
	r.Checkpoint = from.Note
	var seen home.NoticeCursor
	if err := c.do(ctx, func(s *state) { seen = s.notices.last }); err != nil {
		return proto.Answer{}, err
	}
	a, err := c.call(ctx, r)
	if err != nil {
		return proto.Answer{}, err
	}
	if size := c.verify(ctx, r, from, a); size > 0 {
		_ = c.do(context.WithoutCancel(ctx), func(s *state) { c.heed(s, seen, a.Noticed, size) }) // unless it was closed
	}
	if a.Code == proto.CodeStateChanged {
		c.held.Store(nil)
		if c.Alarm() != nil { // what this client has seen is not what the camera says now: no look makes that good
			return proto.Answer{}, home.NewProblem(&Refused{Code: a.Code}, "The camera %s gives nobody any rights on your word while the alarm about its access log stands: "+
				"what you have seen of the log is not what it shows now. camctl log --acknowledge ends the alarm.", c.record.Title())
		}
	}
	if a.Code != proto.CodeOK {
		return proto.Answer{}, &Refused{Code: a.Code}
	}
	return a, nil
}

// greet fetches a nonce if none was heard yet.
func (c *Camera) greet(ctx context.Context) error {
	var known bool
	if err := c.do(ctx, func(s *state) { known = s.nonce != "" }); err != nil || known {
		return err
	}
	_, err := c.exchange(ctx, proto.Request{Op: proto.OpHello, ID: randomID()}, accesslog.Checkpoint{})
	return err
}

// call sends a request until there is an answer that is not stale.
func (c *Camera) call(ctx context.Context, r proto.Request) (proto.Answer, error) {
	tries := attempts(r.Op)
	replies := make(chan reply, tries)
	defer func() { _ = c.do(context.WithoutCancel(ctx), func(s *state) { delete(s.calls, r.ID) }) }()
	last := ErrNoAnswer
	for range tries {
		if err := c.send(ctx, r, replies); err != nil {
			return proto.Answer{}, err
		}
		a, err := c.await(ctx, replies)
		switch {
		case errors.Is(err, ErrNoAnswer):
			last = err
			if s, known := c.Status(ctx); known && !s.Online { // which is not signed, so it was asked all the same
				return proto.Answer{}, c.explainSilence(ctx, last)
			}
		case err != nil:
			return proto.Answer{}, err
		case a.Code != proto.CodeStale:
			return a, nil
		default:
			last = &Refused{Code: a.Code}
		}
	}
	return proto.Answer{}, c.explainSilence(ctx, last)
}

// send seals r under the newest nonce and the next sequence, and publishes it.
func (c *Camera) send(ctx context.Context, r proto.Request, to chan<- reply) error {
	var failed error
	err := c.do(ctx, func(s *state) {
		if s.later != nil {
			failed = moved(c.record, *s.later)
			return
		}
		if !c.conn.Up() {
			failed = home.NewProblem(ErrLost, "The connection to the broker %s is down. It is being tried again.", c.record.Broker.URL)
			return
		}
		s.calls[r.ID] = to
		failed = c.publish(s.stamp(r, c.record))
	})
	return errors.Join(err, failed)
}

// stamp fills in what changes with each sending.
func (s *state) stamp(r proto.Request, to home.Record) proto.Request {
	now := time.Now()
	r.Audience, r.Epoch, r.IssuedAt = to.Device, to.Epoch, now.Unix()
	if r.Op != proto.OpHello {
		if s.sequence >= maxSequence { // whoever used them up had this key: begin anew when the camera has
			s.sequence = 0
		}
		s.sequence = max(uint64(now.UnixMicro()), s.sequence+1)
		r.Nonce, r.Sequence = s.nonce, s.sequence
	}
	return r
}

// publish seals a request and sends it with QoS 0: what is lost is sent again by Call,
// and nothing may be delivered from a queue much later.
func (c *Camera) publish(r proto.Request) error {
	msg, err := envelope.SealRequest(r, c.keys.Signer(), c.household.Keys.Enc)
	if errors.Is(err, envelope.ErrOversized) {
		return home.NewProblem(err, "The request is larger than the camera accepts (%d bytes).", proto.MaxMessage)
	}
	if err != nil {
		return fmt.Errorf("seal %s: %w", r.Op, err)
	}
	c.conn.Publish(msg)
	return nil
}

func (c *Camera) await(ctx context.Context, replies <-chan reply) (proto.Answer, error) {
	timer := time.NewTimer(answerTimeout)
	defer timer.Stop()
	select {
	case r := <-replies:
		return r.answer, r.err
	case <-timer.C:
		return proto.Answer{}, ErrNoAnswer
	case <-c.done:
		return proto.Answer{}, ErrClosed
	case <-ctx.Done():
		return proto.Answer{}, ctx.Err()
	}
}

// answer takes over nonce and sequence and hands the answer to whoever waits. What
// nobody waits for may be old: the broker can show it again. docs/protocol.md 4.3.
func (s *state) answer(a proto.Answer) {
	to, open := s.calls[a.Re]
	if !open {
		return
	}
	s.nonce, s.sequence = a.Nonce, max(s.sequence, a.Sequence)
	if a.Clock != 0 {
		s.clock = a.Clock
	}
	deliver(to, reply{answer: a})
}

// deliver never blocks: a call takes no more replies than it has sent requests,
// and what an evil broker repeats is nobody's loss.
func deliver(to chan<- reply, r reply) {
	select {
	case to <- r:
	default:
	}
}

// explainSilence says why there was no usable answer.
func (c *Camera) explainSilence(ctx context.Context, last error) error {
	if !errors.Is(last, ErrNoAnswer) {
		return home.NewProblem(last, "The camera %s kept asking to try again. Something between here and the camera delays or repeats messages.", c.record.Title())
	}
	status, known := c.Status(ctx)
	if known && !status.Online {
		return home.NewProblem(errors.Join(ErrNoAnswer, ErrOffline), "The camera %s is offline: it has no connection to its broker. Look at its power and its network.", c.record.Title())
	}
	if !known {
		return home.NewProblem(errors.Join(ErrNoAnswer, ErrOffline), "The camera %s does not answer, and its broker %s does not say whether it is online. Look at its power and its network, and ask its owner whether you are still a member.", c.record.Title(), c.record.Broker.URL)
	}
	return home.NewProblem(ErrNoAnswer, "The camera %s does not answer, though its broker says that it is online. It may be overloaded, or it no longer knows this key: then pair again.", c.record.Title())
}
