package ble

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/camd-project/camd/pkg/proto"
)

// How long a peer may stay connected.
const (
	idleTime  = 10 * time.Second // without an operation, in its conversation
	visitTime = 30 * time.Second // without a conversation, whatever it does
)

// Peer identifies the other end of a radio link.
type Peer string

// Conn is a conversation with a peer. WriteMessage returns when the peer has read the whole
// message.
type Conn interface {
	ReadMessage() ([]byte, error)
	WriteMessage(message []byte) error
	Close() error
}

// Deps is what a Server needs.
type Deps struct {
	// Join takes a peer through its conversation. ctx ends with it, and its cause says why:
	// the peer is gone, is too slow, …
	Join func(ctx context.Context, conn Conn) error
	// News is called when reading the characteristic gives something new.
	News func(Characteristic)
	// HangUp ends the link of a peer that has stayed too long.
	HangUp func(Peer)
}

// About is the value of the characteristic info. docs/protocol.md 14.3.
type About struct {
	Version int            `json:"v"`
	Device  proto.DeviceID `json:"device"` // a typed label needs it
	Owned   bool           `json:"owned"`
}

// Server is the GATT service while one window is open. It is safe for concurrent use.
type Server struct {
	deps   Deps
	about  func() About
	ctx    context.Context // ends with the window
	cancel context.CancelCauseFunc
	work   sync.WaitGroup

	mu     sync.Mutex
	closed bool
	peers  map[Peer]*visit
	talk   *talk // until its Join has returned; nil: none
}

// visit is the state of a connected peer.
type visit struct {
	until time.Time
	timer *time.Timer
	state State // of its own conversation
	why   Why
	info  []byte // the value that it is reading
}

// info returns the value of Info, which changes when somebody pairs.
func (s *Server) info() []byte {
	a := s.about()
	a.Version = version
	b, err := json.Marshal(a)
	if err != nil {
		panic(err) // a plain struct
	}
	return b
}

// NewServer returns the service of an open window. Close ends it.
func NewServer(about func() About, deps Deps) *Server {
	ctx, cancel := context.WithCancelCause(context.Background())
	return &Server{deps: deps, about: about, ctx: ctx, cancel: cancel, peers: map[Peer]*visit{}}
}

// Close ends the conversation and waits for its Join. Later operations are refused.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	for _, v := range s.peers {
		v.timer.Stop()
	}
	s.mu.Unlock()
	s.cancel(errWindow)
	s.work.Wait()
}

// Connected must be called when the link of a peer has come up.
func (s *Server) Connected(p Peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.visit(p)
	}
}

// Gone must be called when the link of a peer is down.
func (s *Server) Gone(p Peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.peers[p]; v != nil {
		v.timer.Stop()
		delete(s.peers, p)
	}
	if s.talk != nil && s.talk.peer == p {
		s.end(WhyNone, errGone)
	}
}

// Peers returns the connected peers.
func (s *Server) Peers() (l []Peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p := range s.peers {
		l = append(l, p)
	}
	return l
}

// Read returns the value of a characteristic for a peer, from an offset on. ATT packets have at
// most mtu bytes. The error is an ATTError.
func (s *Server) Read(p Peer, c Characteristic, offset, mtu int) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, err := s.operation(p)
	if err != nil {
		return nil, err
	}
	var value []byte
	switch c {
	case Info:
		if offset == 0 || v.info == nil { // the parts of one value are read one after the other
			v.info = s.info()
		}
		value = v.info
	case Status:
		value = []byte{byte(v.state), byte(v.why)}
		if s.talk != nil && s.talk.peer != p {
			value = []byte{byte(Busy), byte(WhyNone)}
		}
	case TX:
		if s.talk == nil || s.talk.peer != p || s.talk.over() {
			return nil, NoConversation
		}
		value = s.talk.next(offset, mtu)
	default:
		return nil, ReadNotPermitted
	}
	if offset < 0 || offset > len(value) {
		return nil, InvalidOffset
	}
	return value[offset:], nil
}

// Write handles a peer's write to a characteristic. The error is an ATTError.
func (s *Server) Write(p Peer, c Characteristic, offset int, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, err := s.operation(p)
	switch {
	case err != nil:
		return err
	case c != RX:
		return WriteNotPermitted
	case offset != 0:
		return InvalidOffset
	case s.talk != nil && s.talk.peer != p:
		return OtherPeer
	case s.talk != nil && s.talk.over():
		return NoConversation
	}
	t := s.talk
	if t == nil {
		t = newTalk(s, p)
	}
	if !t.take(value) {
		if s.talk == t {
			s.end(WhyFrame, errFrame)
		}
		return BadFrame
	}
	if s.talk == nil {
		s.talk = t
		v.state, v.why = Open, WhyNone
		s.allow(p, v, idleTime)
		s.work.Go(func() { s.finish(t, s.deps.Join(t.ctx, t)) })
	}
	return nil
}

// operation notes an operation of a peer. s.mu is held.
func (s *Server) operation(p Peer) (*visit, error) {
	if s.closed {
		return nil, NoConversation
	}
	v := s.visit(p)
	if s.talk != nil && s.talk.peer == p && !s.talk.over() {
		s.allow(p, v, idleTime)
	}
	return v, nil
}

// visit returns the state of a peer, which may be new. s.mu is held.
func (s *Server) visit(p Peer) *visit {
	v := s.peers[p]
	if v == nil {
		v = &visit{}
		s.peers[p] = v
		s.allow(p, v, visitTime)
	}
	return v
}

// allow gives a peer so much time from now. s.mu is held.
func (s *Server) allow(p Peer, v *visit, d time.Duration) {
	v.until = time.Now().Add(d)
	if v.timer == nil {
		v.timer = time.AfterFunc(d, func() { s.expire(p, v) })
		return
	}
	v.timer.Reset(d)
}

// expire ends the visit of a peer whose time is over.
func (s *Server) expire(p Peer, v *visit) {
	s.mu.Lock()
	if s.closed || s.peers[p] != v || time.Now().Before(v.until) {
		s.mu.Unlock() // it was given more time while the timer fired
		return
	}
	if s.talk != nil && s.talk.peer == p {
		s.end(WhySlow, errSlow)
	}
	s.mu.Unlock()
	s.deps.HangUp(p)
}

// end ends the conversation; its Join will notice. s.mu is held.
func (s *Server) end(why Why, cause error) {
	if s.talk != nil && !s.talk.over() {
		s.talk.why = why
		s.talk.cancel(cause)
	}
}

// finish notes the result of a conversation.
func (s *Server) finish(t *talk, err error) {
	t.cancel(errOver)
	s.mu.Lock()
	s.talk = nil
	if v := s.peers[t.peer]; v != nil && !s.closed {
		v.state, v.why = Failed, t.why
		if err == nil {
			v.state = Done
		}
		s.allow(t.peer, v, visitTime)
	}
	s.mu.Unlock()
	s.deps.News(Status)
}
