// Package udp is the one UDP socket of all sessions: it sends the packets of a frame in
// batches, each with one system call where the kernel can do that, and limits how many
// packets are let in.
//
// The steady state allocates nothing, and the package starts no goroutine.
package udp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/camd-project/camd/pkg/media"
)

// Bounds of what is let in, since pion queues without bound what its readers have not
// taken yet. Sixteen viewers with open microphones send about a quarter of it.
const (
	inboundRate  = 4000 // packets a second
	inboundBurst = 1000 // packets
)

func newInbound() *rate.Limiter { return rate.NewLimiter(inboundRate, inboundBurst) }

// Socket is a UDP socket as pion's mux wants it. It is safe for concurrent use,
// but only one goroutine reads.
type Socket struct {
	*net.UDPConn
	segmenter
	inbound *rate.Limiter
	hurried atomic.Int32  // callers of Hurry
	sent    chan struct{} // holds a value when a batch has left, or somebody is in a hurry

	// Of the goroutine that reads.
	restTime time.Duration
	resting  *time.Timer
	still    bool // no batch has left for restTime

	batches media.CopyOnWrite[map[uint32]*Batch] // by synchronisation source
}

// Open binds a port of the system's choice on all addresses, of IPv4 alone where the
// kernel has no IPv6.
func Open() (*Socket, error) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv6unspecified})
	if err != nil {
		var err4 error
		if conn, err4 = net.ListenUDP("udp4", nil); err4 != nil {
			return nil, fmt.Errorf("open UDP socket: %w", errors.Join(err, err4))
		}
	}
	s := &Socket{UDPConn: conn, inbound: newInbound(), sent: make(chan struct{}, 1), restTime: restTime, resting: time.NewTimer(0)}
	s.probe(conn)
	return s, nil
}

// restTime is how long a packet may wait until it is read.
const restTime = 50 * time.Millisecond

// Hurry has packets read as soon as they come, until done is called. While nobody is in a
// hurry, they are read after a batch has left, or restTime later: reports and checks of
// many viewers come at moments of their own, and to wake up for each of them costs more
// than to read it.
func (s *Socket) Hurry() (done func()) {
	s.hurried.Add(1)
	s.wake()
	return sync.OnceFunc(func() { s.hurried.Add(-1) })
}

// wake ends the rest of the goroutine that reads.
func (s *Socket) wake() {
	select {
	case s.sent <- struct{}{}:
	default: // it has been woken already
	}
}

// rest waits for a batch to leave, if nobody is in a hurry and nothing has come. Where none
// leaves for restTime, there is no rhythm to read in.
func (s *Socket) rest() {
	for s.hurried.Load() == 0 && !s.readable() {
		if s.still && len(s.sent) == 0 {
			return
		}
		s.resting.Reset(s.restTime)
		select {
		case <-s.sent:
			s.still = false
		case <-s.resting.C:
			s.still = true
		}
	}
}

// ReadFromAddrPort reads the next packet that the limit lets in. pion prefers it to
// ReadFrom, which allocates. It is for one goroutine.
func (s *Socket) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	for {
		s.rest()
		n, from, err := s.ReadFromUDPAddrPort(b)
		if err != nil || s.inbound.Allow() {
			return n, netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), err
		}
	}
}

// WriteToAddrPort sends at once, except the packets of an open batch. pion prefers it to
// WriteTo, which allocates.
func (s *Socket) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if isRTP(b) {
		if t := s.batches.Load()[binary.BigEndian.Uint32(b[8:12])]; t != nil && t.open {
			t.add(b, to)
			return len(b), nil
		}
	}
	return s.WriteToUDPAddrPort(b, to)
}

// isRTP distinguishes RTP from STUN, DTLS and RTCP (RFC 7983, RFC 5761 section 4).
func isRTP(b []byte) bool {
	return len(b) >= 12 && b[0]>>6 == 2 && (b[1] < 192 || b[1] > 223)
}

// Batch returns a batch for one stream. The socket knows the stream's packets by their
// RTP synchronisation sources, which SRTP leaves in clear (RFC 3711 section 3.1).
func (s *Socket) Batch(sources ...uint32) (*Batch, error) {
	b := &Batch{socket: s, sources: sources}
	var err error
	s.batches.Change(func(m map[uint32]*Batch) map[uint32]*Batch {
		with := maps.Clone(m)
		if with == nil {
			with = map[uint32]*Batch{}
		}
		for _, ssrc := range sources {
			if with[ssrc] != nil {
				err = errors.New("two streams chose the same synchronisation source")
				return m
			}
			with[ssrc] = b
		}
		return with
	})
	return b, err
}

// Batch collects packets of one stream for one system call. It is for one goroutine,
// the one on which the stream's packets reach Socket.WriteToAddrPort. Begin and Flush of
// a nil Batch do nothing, for a viewer that has no UDP socket.
type Batch struct {
	socket  *Socket
	sources []uint32

	open bool
	to   netip.AddrPort
	buf  []byte // copies: pion uses its buffers again
	size int    // of each segment; the last may be smaller
	n    int    // segments
}

// Begin has packets collected until Flush.
func (b *Batch) Begin() {
	if b != nil {
		b.open = true
	}
}

func (b *Batch) add(p []byte, to netip.AddrPort) {
	complete := len(b.buf) < b.n*b.size // a shorter packet has ended the batch
	if complete || b.n == maxSegments || len(p) > b.size || to != b.to || len(b.buf)+len(p) > maxBatch {
		b.send()
	}
	if b.n == 0 {
		b.to, b.size = to, len(p)
	}
	b.buf = append(b.buf, p...)
	b.n++
}

// Flush sends what has been collected. An error is the network's business as with
// single packets: what is lost is asked for again.
func (b *Batch) Flush() {
	if b == nil {
		return
	}
	b.open = false
	b.send()
}

func (b *Batch) send() {
	if b.n > 0 {
		b.socket.segments(b.socket.UDPConn, b.buf, b.size, b.to)
		b.socket.wake()
	}
	b.buf, b.n = b.buf[:0], 0
}

// Close ends the collecting for good; the stream's number may be used again.
func (b *Batch) Close() {
	b.socket.batches.Change(func(m map[uint32]*Batch) map[uint32]*Batch {
		m = maps.Clone(m)
		for _, ssrc := range b.sources {
			delete(m, ssrc)
		}
		return m
	})
}
