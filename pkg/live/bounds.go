package live

import (
	"io"
	"net"
	"strconv"
	"sync"

	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"
	"github.com/pion/transport/v5/packetio"
)

// maxStreams is how many streams a viewer may send, or report on: four would do.
const maxStreams = 32

// bounds counts what pion makes, and keeps, for whatever a viewer sends: a buffer
// for each synchronisation source, a candidate for each address. A viewer that
// drives either up is authorised and authentic, but does harm: its session ends.
type bounds struct {
	exceeded func(what string)

	mu      sync.Mutex
	streams int
	paths   map[string]struct{}
}

// buffer makes the buffers for what the viewer sends: media is dropped on the
// spot, before anything decodes it; reports wait to be read.
func (b *bounds) buffer(kind packetio.BufferPacketType, _ uint32) io.ReadWriteCloser {
	b.mu.Lock()
	b.streams++
	over := b.streams > maxStreams
	b.mu.Unlock()
	if over {
		b.exceeded("streams")
	}
	if over || kind == packetio.RTPBufferPacket {
		return &discard{closed: make(chan struct{})}
	}
	q := packetio.NewBuffer()
	q.SetLimitSize(rtcpQueue)
	return &reports{q}
}

// check sees every connectivity check that carries the session's password. It
// never has pion change the pair.
func (b *bounds) check(_ *stun.Message, _, remote ice.Candidate, _ *ice.CandidatePair) bool {
	from := net.JoinHostPort(remote.Address(), strconv.Itoa(remote.Port()))
	b.mu.Lock()
	if b.paths == nil {
		b.paths = map[string]struct{}{}
	}
	b.paths[from] = struct{}{}
	over := len(b.paths) > maxCandidates
	b.mu.Unlock()
	if over {
		b.exceeded("addresses")
	}
	return false
}

// discard takes everything and gives nothing.
type discard struct {
	once   sync.Once
	closed chan struct{}
}

// Write says that the buffer is full, so that pion counts nothing as waiting.
func (d *discard) Write([]byte) (int, error) { return 0, packetio.ErrFull }

func (d *discard) Read([]byte) (int, error) {
	<-d.closed
	return 0, io.EOF
}

func (d *discard) Close() error {
	d.once.Do(func() { close(d.closed) })
	return nil
}

// reports gives packetio's buffer the form that pion wants here.
type reports struct{ *packetio.Buffer }

func (r *reports) Read(b []byte) (int, error) {
	n, _, err := r.Buffer.Read(b, nil)
	return n, err
}

func (r *reports) Write(b []byte) (int, error) { return r.Buffer.Write(b, nil) }
