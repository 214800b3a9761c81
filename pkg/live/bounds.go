package live

import (
	"io"
	"net/netip"
	"sync"

	"github.com/pion/transport/v5/packetio"

	"github.com/camd-project/camd/pkg/proto"
)

// maxStreams is how many streams a viewer may send, or report on: four would do.
const maxStreams = 32

// maxAddresses is how many a viewer may have: its candidates, and as many that only
// its checks show, since a NAT may give it another one now and then.
const maxAddresses = 128 // twice sdp.MaxCandidates

// rtcpQueue bounds what a viewer's reports may hold in memory, in bytes for each stream.
const rtcpQueue = 16 << 10

// bounds limits what pion makes and keeps for whatever a viewer sends: a buffer for
// each synchronisation source, a candidate for each address. A viewer that goes beyond
// is authorised and authentic, but does harm: its session ends.
type bounds struct {
	exceeded func(what string)
	media    func(packet []byte) // takes the viewer's packets at once
	own      proto.Networks      // where the device is

	mu        sync.Mutex
	streams   int
	addresses int
}

// buffer makes the buffers for what the viewer sends. Media is passed on at once and
// never kept, whatever source it claims; reports wait to be read.
func (b *bounds) buffer(kind packetio.BufferPacketType, _ uint32) io.ReadWriteCloser {
	b.mu.Lock()
	b.streams++
	over := b.streams > maxStreams
	b.mu.Unlock()
	if over {
		b.exceeded("streams")
	}
	if over || kind == packetio.RTPBufferPacket {
		d := &discard{closed: make(chan struct{})}
		if kind == packetio.RTPBufferPacket {
			d.media = b.media
		}
		return d
	}
	q := packetio.NewBuffer()
	q.SetLimitSize(rtcpQueue)
	return &reports{q}
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
	media  func(packet []byte) // nil: it is dropped
	once   sync.Once
	closed chan struct{}
}

// Write says that the buffer is full, so that pion counts nothing as waiting.
func (d *discard) Write(b []byte) (int, error) {
	if d.media != nil {
		d.media(b)
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

// reports adapts packetio's buffer to io.ReadWriteCloser.
type reports struct{ *packetio.Buffer }

func (r *reports) Read(b []byte) (int, error) {
	n, _, err := r.Buffer.Read(b, nil)
	return n, err
}

func (r *reports) Write(b []byte) (int, error) { return r.Buffer.Write(b, nil) }
