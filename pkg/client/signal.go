package client

import (
	"context"

	"github.com/camd-project/camd/pkg/proto"
)

// Signals returns a channel of the signals of session sid, and a function that ends it.
// It is called before the request that starts the session. The channel is closed by that
// function or by Close.
func (c *Camera) Signals(ctx context.Context, sid string) (<-chan Signal, func(), error) {
	live := &session{out: make(chan Signal, signalQueue)}
	err := c.do(ctx, func(s *state) { s.sessions[sid] = live })
	if err != nil {
		return nil, nil, err
	}
	cancel := func() {
		_ = c.do(context.WithoutCancel(ctx), func(s *state) {
			if s.sessions[sid] == live {
				delete(s.sessions, sid)
				close(live.out)
			}
		})
	}
	return live.out, cancel, nil
}

// signal delivers m to its session, and drops it if it is repeated, if nobody listens, or
// if the queue is full: the next signal then counts it in Missed.
func (s *state) signal(m proto.Signal) {
	live, ok := s.sessions[m.Session]
	if !ok || m.Index <= live.last {
		return
	}
	select {
	case live.out <- Signal{Kind: m.Kind, Body: m.Body, Missed: m.Index - live.last - 1}:
		live.last = m.Index
	default:
	}
}
