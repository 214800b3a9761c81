package receive

import (
	"time"

	"github.com/pion/rtp"
)

// A lost packet can be retransmitted for so long, and over so many packets: some round
// trips of NACK and retransmission. A second of 4 Mbit/s is about 450 packets.
const (
	reorderSize = 512 // a power of two
	reorderWait = 500 * time.Millisecond
)

// reorder puts RTP packets in the order of their sequence numbers (RFC 3550 section
// 5.1), and gives up a missing one after reorderWait.
type reorder struct {
	ring    [reorderSize]*rtp.Packet // by sequence number modulo reorderSize
	next    uint16                   // the number to hand over next
	started bool
	held    int       // packets in ring
	missing time.Time // when next was first seen to be missing

	received, lost, late uint64
}

// push takes the packet that arrived at now, and calls take with each packet whose turn
// it is. If gap is true, packets before it are lost for good.
func (r *reorder) push(p *rtp.Packet, now time.Time, take func(p *rtp.Packet, gap bool)) {
	r.received++
	if !r.started {
		r.started, r.next = true, p.SequenceNumber
	}
	ahead := int(int16(p.SequenceNumber - r.next))
	switch {
	case ahead < 0 || ahead < reorderSize && r.at(p.SequenceNumber) != nil:
		r.late++ // or repeated
		return
	case ahead >= reorderSize: // all packets in the ring go out, and those between are lost
		for r.held > 0 {
			r.skip()
			r.drain(true, take)
		}
		r.lost += uint64(p.SequenceNumber - r.next)
		r.next, r.missing = p.SequenceNumber, time.Time{}
	}
	r.ring[p.SequenceNumber%reorderSize] = p
	r.held++
	r.drain(ahead >= reorderSize, take)
	r.giveUp(now, take)
}

func (r *reorder) at(n uint16) *rtp.Packet { return r.ring[n%reorderSize] }

// drain hands over what follows without a gap.
func (r *reorder) drain(gap bool, take func(*rtp.Packet, bool)) {
	for p := r.at(r.next); p != nil; p = r.at(r.next) {
		r.ring[r.next%reorderSize] = nil
		r.held--
		r.next++
		r.missing = time.Time{}
		take(p, gap)
		gap = false
	}
}

// giveUp skips what has been missing for too long.
func (r *reorder) giveUp(now time.Time, take func(*rtp.Packet, bool)) {
	switch {
	case r.held == 0:
		return
	case r.missing.IsZero():
		r.missing = now
	case now.Sub(r.missing) >= reorderWait:
		r.skip()
		r.drain(true, take)
		if r.held > 0 {
			r.missing = now
		}
	}
}

// skip counts the packets from next to the first that is held as lost.
func (r *reorder) skip() {
	for r.at(r.next) == nil {
		r.next++
		r.lost++
	}
}
