package live

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/pion/ice/v4"
	"github.com/pion/logging"
	"github.com/pion/transport/v5"
	"golang.org/x/time/rate"
)

// Bounds of a batch: the kernel takes 64 segments and one IP packet's worth of bytes.
const (
	maxSegments = 60
	maxBatch    = 65000
)

// Bounds of what is let in: pion queues without bound what its readers have not
// taken yet. Sixteen viewers with open microphones send about a quarter of it.
const (
	inboundRate  = 4000 // packets a second
	inboundBurst = 1000 // packets
)

func newInbound() *rate.Limiter { return rate.NewLimiter(inboundRate, inboundBurst) }

// socket is the UDP socket that all sessions share, as pion's mux wants it. It
// sends what a viewer's frame writes as one batch. It is told apart by its RTP
// synchronisation source, which SRTP leaves in clear (RFC 3711 section 3.1).
type socket struct {
	*net.UDPConn
	segmenter
	inbound *rate.Limiter
	batches atomic.Pointer[map[uint32]*batch] // copy on write, under mu

	mu sync.Mutex
}

// openSocket binds a port of the system's choice on all addresses, IPv4 alone
// where the kernel has no IPv6.
func openSocket() (*socket, error) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv6unspecified})
	if err != nil {
		var err4 error
		if conn, err4 = net.ListenUDP("udp4", nil); err4 != nil {
			return nil, fmt.Errorf("open UDP socket: %w", errors.Join(err, err4))
		}
	}
	s := &socket{UDPConn: conn, inbound: newInbound()}
	s.batches.Store(&map[uint32]*batch{})
	s.probe(conn)
	return s, nil
}

// ReadFromAddrPort and WriteToAddrPort are pion's way around allocations. A flood
// is thinned out here, before anything is kept of it.
func (s *socket) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	for {
		n, from, err := s.ReadFromUDPAddrPort(b)
		if err != nil || s.inbound.Allow() {
			return n, netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), err
		}
	}
}

// WriteToAddrPort sends at once, but for the packets of an open batch.
func (s *socket) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if isRTP(b) {
		if t := (*s.batches.Load())[binary.BigEndian.Uint32(b[8:12])]; t != nil && t.open {
			t.add(b, to)
			return len(b), nil
		}
	}
	return s.WriteToUDPAddrPort(b, to)
}

// isRTP tells RTP from STUN, DTLS and RTCP (RFC 7983, RFC 5761 section 4).
func isRTP(b []byte) bool {
	return len(b) >= 12 && b[0]>>6 == 2 && (b[1] < 192 || b[1] > 223)
}

var errSSRCTaken = errors.New("two streams chose the same synchronisation source")

// batch makes a batch for one stream.
func (s *socket) batch(ssrc uint32) (*batch, error) {
	t := &batch{socket: s}
	var err error
	s.edit(func(m map[uint32]*batch) {
		if m[ssrc] != nil {
			err = errSSRCTaken
			return
		}
		m[ssrc] = t
	})
	return t, err
}

func (s *socket) drop(ssrc uint32) { s.edit(func(m map[uint32]*batch) { delete(m, ssrc) }) }

func (s *socket) edit(change func(map[uint32]*batch)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := make(map[uint32]*batch)
	for k, v := range *s.batches.Load() {
		m[k] = v
	}
	change(m)
	s.batches.Store(&m)
}

// batch collects packets of one stream for one system call. Only the viewer's
// goroutine uses it: the stream's packets reach WriteToAddrPort on it too. All
// methods of a nil batch do nothing, for a viewer that has no UDP socket.
type batch struct {
	socket *socket

	open bool
	to   netip.AddrPort
	buf  []byte // copies: pion uses its buffers again
	size int    // of each segment; the last may be smaller
	n    int    // segments
}

// begin has packets collected until flush.
func (t *batch) begin() {
	if t != nil {
		t.open = true
	}
}

func (t *batch) add(b []byte, to netip.AddrPort) {
	if !t.fits(b, to) {
		t.send()
	}
	if t.n == 0 {
		t.to, t.size = to, len(b)
	}
	t.buf = append(t.buf, b...)
	t.n++
}

func (t *batch) fits(b []byte, to netip.AddrPort) bool {
	full := len(t.buf) == t.n*t.size // no shorter one has ended the batch
	return t.n > 0 && t.n < maxSegments && full && len(b) <= t.size && to == t.to && len(t.buf)+len(b) <= maxBatch
}

// flush sends what has been collected. An error is the network's business as with
// single packets: what is lost is asked for again.
func (t *batch) flush() {
	if t == nil {
		return
	}
	t.open = false
	t.send()
}

func (t *batch) send() {
	switch t.n {
	case 0:
		return
	case 1:
		_, _ = t.socket.WriteToUDPAddrPort(t.buf, t.to)
	default:
		t.socket.segments(t.socket.UDPConn, t.buf, t.size, t.to)
	}
	t.buf, t.n = t.buf[:0], 0
}

// singly is the last resort: one system call for each segment.
func singly(conn *net.UDPConn, buf []byte, size int, to netip.AddrPort) {
	for len(buf) > 0 {
		n := min(size, len(buf))
		_, _ = conn.WriteToUDPAddrPort(buf[:n], to)
		buf = buf[n:]
	}
}

// sockets makes the socket with the first session and closes it with the last.
type sockets struct {
	mu     sync.Mutex // held over bind and close: a second session must find the first's socket
	socket *socket
	mux    *ice.UDPMuxDefault
	users  int
}

func (s *sockets) acquire(n transport.Net, log logging.LeveledLogger) (*socket, ice.UDPMux, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users == 0 {
		k, err := openSocket()
		if err != nil {
			return nil, nil, err
		}
		s.socket, s.mux = k, ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: k, Net: n, Logger: log})
	}
	s.users++
	return s.socket, s.mux, nil
}

func (s *sockets) release() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users--
	if s.users > 0 {
		return nil
	}
	err := s.mux.Close()
	s.socket, s.mux = nil, nil
	return err
}
