package udp

import (
	"net"
	"net/netip"
)

// Bounds of a batch: the kernel takes 64 segments and one IP packet's worth of bytes.
const (
	maxSegments = 60
	maxBatch    = 65000
)

// Batch collects packets of one stream for one system call. It is for one goroutine,
// the one on which the stream's packets reach Socket.WriteToAddrPort. Begin and Flush of
// a nil Batch do nothing, for a viewer that has no UDP socket.
type Batch struct {
	socket *Socket
	ssrc   uint32

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
	switch b.n {
	case 0:
		return
	case 1:
		_, _ = b.socket.WriteToUDPAddrPort(b.buf, b.to)
	default:
		b.socket.segments(b.socket.UDPConn, b.buf, b.size, b.to)
	}
	b.buf, b.n = b.buf[:0], 0
}

// Close ends the collecting for good; the stream's number may be used again.
func (b *Batch) Close() { b.socket.edit(func(m map[uint32]*Batch) { delete(m, b.ssrc) }) }

// singly is the last resort: one system call for each segment.
func singly(conn *net.UDPConn, buf []byte, size int, to netip.AddrPort) {
	for len(buf) > 0 {
		n := min(size, len(buf))
		_, _ = conn.WriteToUDPAddrPort(buf[:n], to)
		buf = buf[n:]
	}
}
