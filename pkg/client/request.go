package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

// How often a request is sent, and how long its answer is waited for each time.
const (
	maxAttempts   = 4
	answerTimeout = 4 * time.Second
)

// talkAttempts make 40 seconds: before it answers, the camera plays its chime and says
// who speaks, and if the household wants it so, someone in the room has 20 seconds to
// press the button. In that time it drops what is sent again.
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

// maxSequence is the highest sequence number. docs/protocol.md 1.5.
const maxSequence = 1<<53 - 1

// request sends r until there is an answer that is not stale.
func (c *Camera) request(ctx context.Context, r proto.Request) (proto.Answer, error) {
	tries := attempts(r.Op)
	until := time.Now().Add(time.Duration(tries) * answerTimeout)
	if d, ok := ctx.Deadline(); ok && d.Before(until) {
		until = d
	}
	replies := make(chan reply, tries)
	defer func() { _ = c.do(context.WithoutCancel(ctx), func(s *state) { delete(s.calls, r.ID) }) }()
	last := ErrNoAnswer
	for range tries {
		if err := c.send(ctx, r, until, replies); err != nil {
			return proto.Answer{}, err
		}
		a, err := c.await(ctx, replies)
		switch {
		case errors.Is(err, ErrNoAnswer):
			last = err
			if s, known := c.Status(ctx); known && !s.Online { // the status is not signed, so the camera was asked all the same
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

// send seals r with the newest nonce and the next sequence number, and publishes it. Its
// answer is waited for until then: the camera must not carry it out later, unless it takes
// something away. It goes out with QoS 0, since what is lost is sent again by request.
func (c *Camera) send(ctx context.Context, r proto.Request, until time.Time, to chan<- reply) error {
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
		now := time.Now()
		r.Audience, r.Epoch, r.IssuedAt = c.record.Device, c.record.Epoch, now.Unix()
		if r.Op != proto.OpHello {
			if s.sequence >= maxSequence { // somebody else with this key used them up: start again when the camera does
				s.sequence = 0
			}
			s.sequence = max(uint64(now.UnixMicro()), s.sequence+1)
			r.Nonce, r.Sequence = s.nonce, s.sequence
			r.TTL = ttl(r, until.Sub(s.nonceAt))
		}
		var msg []byte
		switch msg, failed = envelope.SealRequest(r, c.keys.Signer(), c.household.Keys.Enc); {
		case errors.Is(failed, envelope.ErrOversized):
			failed = home.NewProblem(failed, "The request is larger than the camera accepts (%d bytes).", proto.MaxMessage)
		case failed != nil:
			failed = fmt.Errorf("seal %s: %w", r.Op, failed)
		default:
			c.conn.Publish(msg)
		}
	})
	return errors.Join(err, failed)
}

// ttl returns proto.Request.TTL of a request whose answer is waited for until that long after
// its nonce came.
func ttl(r proto.Request, wait time.Duration) uint64 {
	if takesAway(r) {
		return 0
	}
	return uint64(max(1, (wait+time.Second-1)/time.Second)) // rounded up
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

// answer keeps the nonce and the sequence number of an answer, and delivers it to the
// request that waits for it. An answer that no request waits for may be old: the broker
// can show it again. docs/protocol.md 4.3.
func (s *state) answer(a proto.Answer) {
	to, open := s.calls[a.Re]
	if !open {
		return
	}
	s.nonce, s.nonceAt, s.sequence = a.Nonce, time.Now(), max(s.sequence, a.Sequence)
	if a.Clock != 0 {
		s.clock = a.Clock
	}
	deliver(to, reply{answer: a})
}

// deliver never blocks: a request needs no more replies than it was sent times, and what
// a hostile broker repeats can be dropped.
func deliver(to chan<- reply, r reply) {
	select {
	case to <- r:
	default:
	}
}

// explainSilence returns an error that says why there was no usable answer.
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
