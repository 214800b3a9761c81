package ble

import (
	"context"
	"errors"
	"sync"

	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/setup/frame"
)

// Why a conversation ends, for the log.
var (
	errOver   = errors.New("the conversation has ended")
	errGone   = errors.New("the phone has gone")
	errSlow   = errors.New("nothing came from the phone for ten seconds")
	errFrame  = errors.New("the phone sent a frame that is malformed or out of order")
	errWindow = errors.New("the window has closed, or Bluetooth has ended")
)

// inboxLen is how many messages a peer may send before the first one is read. The
// conversation needs two.
const inboxLen = 4

// talk is a conversation: a Conn.
type talk struct {
	server *Server
	peer   Peer
	inbox  chan []byte
	ctx    context.Context // ends with the conversation
	cancel context.CancelCauseFunc

	writing sync.Mutex // held by WriteMessage

	// under server.mu
	in   frame.Reader
	out  frame.Writer
	last []byte        // the frame that was read last
	read chan struct{} // closed when the message in out was read; nil: there is none
	why  Why
}

func newTalk(s *Server, p Peer) *talk {
	t := &talk{server: s, peer: p, inbox: make(chan []byte, inboxLen)}
	t.ctx, t.cancel = context.WithCancelCause(s.ctx)
	return t
}

func (t *talk) over() bool { return t.ctx.Err() != nil }

// take handles a frame, and reports whether it was valid. server.mu is held.
func (t *talk) take(value []byte) bool {
	message, err := t.in.Add(value)
	if err != nil {
		return false
	}
	if message == nil {
		return true
	}
	select {
	case t.inbox <- message:
		return true
	default:
		return false // a peer that follows the protocol never has so many
	}
}

// next returns the value of TX: the next frame, or nothing yet. With an offset it returns the
// rest of the last frame; some peers ask for that though they have it all. server.mu is held.
func (t *talk) next(offset, mtu int) []byte {
	if offset != 0 {
		return t.last
	}
	t.last = nil
	if t.read == nil {
		return nil
	}
	t.last = t.out.Next(frame.Size(mtu))
	if t.out.Done() {
		close(t.read)
		t.read = nil
	}
	return t.last
}

// ReadMessage returns the peer's next message.
func (t *talk) ReadMessage() ([]byte, error) {
	select {
	case m := <-t.inbox: // what came before the end counts
		return m, nil
	default:
	}
	select {
	case m := <-t.inbox:
		return m, nil
	case <-t.ctx.Done():
		return nil, context.Cause(t.ctx)
	}
}

// WriteMessage waits until the peer has read a message.
func (t *talk) WriteMessage(message []byte) error {
	if len(message) == 0 || len(message) > proto.MaxMessage {
		return errors.New("a message has 1 byte to 16 KiB")
	}
	t.writing.Lock()
	defer t.writing.Unlock()
	read := make(chan struct{})
	t.server.mu.Lock()
	t.out.Load(message)
	t.read = read
	t.server.mu.Unlock()
	t.server.deps.News(TX)
	select {
	case <-read:
		return nil
	case <-t.ctx.Done():
		return context.Cause(t.ctx)
	}
}

// Close ends the conversation.
func (t *talk) Close() error {
	t.server.mu.Lock()
	defer t.server.mu.Unlock()
	if t.server.talk == t {
		t.server.end(WhyNone, errOver)
	}
	return nil
}
