package live

import (
	"sync"

	"github.com/pion/rtp"

	"github.com/camd-project/camd/pkg/live/sdp"
	"github.com/camd-project/camd/pkg/proto"
)

// Sink takes one RTP packet of a viewer's voice: sequence number and timestamp as in
// RFC 3550 section 5.1, the latter at 48 kHz, and an Opus packet (RFC 7587 section
// 4.2) that is its own only until it returns. It must not block, and not stop its own
// hearing.
type Sink = func(seq uint16, ts uint32, payload []byte)

// Hear lets what the viewer speaks in its session be heard: from now on, its packets
// go to sink, on the goroutine that reads the session's media. When stop has
// returned, sink is not called any more; nor is it when done is closed, which the
// session's end does. Errors: *proto.Refusal, with no_session, or bad_request if the
// session's sound was not negotiated both ways, or someone_speaks while it is heard.
func (s *Server) Hear(client proto.ClientID, session string, sink Sink) (stop func(), done <-chan struct{}, err error) {
	e, err := s.ear(client, session)
	if err != nil {
		return nil, nil, err
	}
	if stop, err = e.open(sink); err != nil {
		return nil, nil, err
	}
	return stop, e.closed, nil
}

// MayHear tells what Hear would refuse now, and changes nothing.
func (s *Server) MayHear(client proto.ClientID, session string) error {
	e, err := s.ear(client, session)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.shut()
}

// ear finds a session's, once it is negotiated.
func (s *Server) ear(client proto.ClientID, session string) (*ear, error) {
	x, err := s.session(client, session)
	if err != nil {
		return nil, err
	}
	select {
	case <-x.opened:
		return x.ear, nil
	case <-x.ctx.Done():
		return nil, proto.Refuse(proto.CodeNoSession)
	}
}

// ear takes every packet of media that a viewer sends. It is deaf: it drops them
// unparsed, and counts them, unless open has given it a sink. Then it lets through
// the Opus packets of one synchronisation source.
type ear struct {
	counters *counters
	closed   chan struct{} // when the session ends

	packet rtp.Packet // of the goroutine that reads

	// mu is held over the sink, which does not block: so whoever has taken the sink
	// away knows that it is not being called.
	mu    sync.Mutex
	sink  Sink
	over  bool
	able  bool // the viewer may speak in this session at all
	kind  uint8
	named bool   // ssrc is known: by the offer, or from the first packet that was heard
	ssrc  uint32 // the only one that is heard
}

func newEar(c *counters) *ear { return &ear{counters: c, closed: make(chan struct{})} }

// tune makes an ear that may be opened, for what was negotiated.
func (e *ear) tune(o sdp.Offer, kind uint8) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.able, e.kind = true, kind
	e.named, e.ssrc = o.Named, o.SSRC
}

func (e *ear) open(sink Sink) (stop func(), err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.shut(); err != nil {
		return nil, err
	}
	e.sink = sink
	return sync.OnceFunc(e.deafen), nil
}

// shut tells why it can't be opened. e.mu is held.
func (e *ear) shut() error {
	switch {
	case e.over:
		return proto.Refuse(proto.CodeNoSession)
	case !e.able:
		return proto.Refuse(proto.CodeBadRequest)
	case e.sink != nil:
		return proto.Refuse(proto.CodeTalking)
	}
	return nil
}

func (e *ear) deafen() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sink = nil
}

// close deafens for good.
func (e *ear) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.over {
		return
	}
	e.sink, e.over = nil, true
	close(e.closed)
}

// take is called with each packet of media, decrypted and authenticated, by the one
// goroutine of pion that reads them.
func (e *ear) take(b []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.sink == nil || !e.own(b) {
		e.counters.unheard.Add(1)
		return
	}
	e.counters.heard.Add(1)
	e.sink(e.packet.SequenceNumber, e.packet.Timestamp, e.packet.Payload)
}

// own parses a packet and tells whether it is of the voice that may be heard.
func (e *ear) own(b []byte) bool {
	p := &e.packet
	if p.Unmarshal(b) != nil || p.Version != 2 || p.PayloadType != e.kind || len(p.Payload) == 0 {
		return false
	}
	if !e.named {
		e.named, e.ssrc = true, p.SSRC
	}
	return p.SSRC == e.ssrc
}
