package live

import (
	"sync"

	"github.com/pion/rtp"

	"github.com/camd-project/camd/pkg/live/sdp"
	"github.com/camd-project/camd/pkg/proto"
)

// Sink takes one RTP packet of a viewer's voice: sequence number and timestamp as in
// RFC 3550 section 5.1, the latter at 48 kHz, and an Opus packet (RFC 7587 section
// 4.2) that it may use only until it returns. It must not block, and must not call the
// stop function of its own Hear.
type Sink = func(seq uint16, ts uint32, payload []byte)

// inboundAudio takes every packet of media that a viewer sends. Without a sink it drops
// them unparsed and counts them. With one it passes on the Opus packets of one
// synchronisation source.
type inboundAudio struct {
	counters *counters
	ended    chan struct{}        // closed when the session ends
	hurry    func() (done func()) // has packets read as they come; udp.Socket.Hurry

	packet rtp.Packet // of the goroutine that reads

	// mu is held while the sink, which does not block, is called: so whoever has removed
	// the sink knows that it is not being called.
	mu          sync.Mutex
	sink        Sink
	closed      bool
	allowed     bool // the viewer's sound was negotiated
	payloadType uint8
	named       bool   // ssrc is known: by the offer, or from the first packet for a sink
	ssrc        uint32 // the only source that is passed on
}

func newInboundAudio(c *counters) *inboundAudio {
	return &inboundAudio{counters: c, ended: make(chan struct{}), hurry: func() func() { return func() {} }}
}

// allow says what was negotiated. From now on a sink may be given.
func (a *inboundAudio) allow(o sdp.Offer, payloadType uint8) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.allowed, a.payloadType = true, payloadType
	a.named, a.ssrc = o.Named, o.SSRC
}

// open gives it a sink until stop is called.
func (a *inboundAudio) open(sink Sink) (stop func(), err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.refusal(); err != nil {
		return nil, err
	}
	a.sink = sink
	done := a.hurry() // a voice must not wait for the next picture
	return sync.OnceFunc(func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.sink = nil
		done()
	}), nil
}

// refusal returns why it can't be given a sink. a.mu is held.
func (a *inboundAudio) refusal() error {
	switch {
	case a.closed:
		return proto.Refuse(proto.CodeNoSession)
	case !a.allowed:
		return proto.Refuse(proto.CodeBadRequest)
	case a.sink != nil:
		return proto.Refuse(proto.CodeTalking)
	}
	return nil
}

// close removes the sink for good.
func (a *inboundAudio) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return
	}
	a.sink, a.closed = nil, true
	close(a.ended)
}

// take is called with each packet of media, decrypted and authenticated, by the one
// goroutine of pion that reads them.
func (a *inboundAudio) take(b []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sink == nil || !a.parse(b) {
		a.counters.unheard.Add(1)
		return
	}
	a.counters.heard.Add(1)
	a.sink(a.packet.SequenceNumber, a.packet.Timestamp, a.packet.Payload)
}

// parse parses a packet and reports whether it is of the voice that is passed on.
func (a *inboundAudio) parse(b []byte) bool {
	p := &a.packet
	if p.Unmarshal(b) != nil || p.Version != 2 || p.PayloadType != a.payloadType || len(p.Payload) == 0 {
		return false
	}
	if !a.named {
		a.named, a.ssrc = true, p.SSRC
	}
	return p.SSRC == a.ssrc
}
