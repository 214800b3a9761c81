package client

import (
	"context"
	"encoding/json"

	"github.com/camd-project/camd/pkg/proto"
)

// signalQueue bounds the signals of one session that wait to be read.
const signalQueue = 64

// Signal is what the camera says within a session without being asked. Signals
// come in order; Missed counts those that were lost just before this one.
type Signal struct {
	Kind   proto.SignalKind
	Body   json.RawMessage
	Missed uint64
}

// session is a listener's place on the owner goroutine.
type session struct {
	out  chan Signal
	last uint64 // index of the last signal handed over
}

// Signals hands over the signals of session sid. Ask for them before the request
// that starts the session. The channel is closed by cancel or by Close.
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

// signal drops what is repeated or nobody's, and what a full queue has no room
// for: the next one then tells of the gap.
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
