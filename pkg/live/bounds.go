package live

import (
	"io"
	"net/netip"
	"sync"

	"github.com/pion/transport/v5/packetio"

	"github.com/camd-project/camd/pkg/proto"
)

// maxStreams is how many streams a viewer may send, or report on: its voice, and ours of
// sound, pictures and pictures that are sent again would do.
const maxStreams = 32

// maxAddresses is how many a viewer may have: its candidates, and as many that only
// its checks show, since a NAT may give it another one now and then.
const maxAddresses = 128 // twice sdp.MaxCandidates

// bounds limits what pion makes and keeps for whatever a viewer sends: a buffer for
// each synchronisation source, a candidate for each address. A viewer that goes beyond
// is authorised and authentic, but does harm: its session ends.
type bounds struct {
	exceeded func(what string)
	media    func(packet []byte)                // takes the viewer's packets at once
	reports  func(source uint32, packet []byte) // takes its RTCP at once
	own      proto.Networks                     // where the device is

	mu        sync.Mutex
	streams   int
	addresses int
}

// buffer makes the buffers for what the viewer sends. Media and reports are passed on at
// once and never kept, whatever source they name. (Transport-wide feedback names any of
// ours, also one that pion has no reader for.)
func (b *bounds) buffer(kind packetio.BufferPacketType, source uint32) io.ReadWriteCloser {
	b.mu.Lock()
	b.streams++
	over := b.streams > maxStreams
	b.mu.Unlock()
	if over {
		b.exceeded("streams")
	}
	d := &discard{closed: make(chan struct{})}
	switch {
	case over:
	case kind == packetio.RTPBufferPacket:
		d.take = b.media
	default:
		d.take = func(packet []byte) { b.reports(source, packet) }
	}
	return d
}

// address reports whether pion may keep another candidate, and with that send to it: one
// that was signalled, or an address from which a check came that carries the session's
// password. Counting checks instead would miss those that pion keeps and refuses for
// their role.
func (b *bounds) address(a netip.Addr) bool {
	if !b.own.MayBePeer(a) {
		return false
	}
	b.mu.Lock()
	b.addresses++
	over := b.addresses > maxAddresses
	b.mu.Unlock()
	if over {
		b.exceeded("addresses")
	}
	return !over
}

// discard keeps nothing: whoever reads waits until it is closed.
type discard struct {
	take   func(packet []byte) // nil: it is dropped
	once   sync.Once
	closed chan struct{}
}

// Write says that the buffer is full, so that pion counts nothing as waiting.
func (d *discard) Write(b []byte) (int, error) {
	if d.take != nil {
		d.take(b)
	}
	return 0, packetio.ErrFull
}

func (d *discard) Read([]byte) (int, error) {
	<-d.closed
	return 0, io.EOF
}

func (d *discard) Close() error {
	d.once.Do(func() { close(d.closed) })
	return nil
}
