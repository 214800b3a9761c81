package live

import (
	"math/rand/v2"
	"time"

	"github.com/camd-project/camd/pkg/media"
)

// late is how far behind the newest frame a viewer may fall before it skips to the
// next key frame that is there; a ring whose newest frame is older than stale shows
// the past.
const (
	late  = 700 * time.Millisecond
	stale = 2 * time.Second
)

// walker is one viewer's place in a ring. Sequence numbers are counted in 64 bits;
// their low 16 go on the wire. A skip moves the place but not the number, so a
// receiver sees no gap that it would ask for (RFC 4585 section 6.2.1).
type walker struct {
	ring *ring

	at      uint64 // index of the packet to send next
	seq     uint64 // its sequence number
	floor   uint64 // sequence number of the first packet after the last skip
	waiting bool   // for a key frame at index from or later
	from    uint64

	skips int
}

// newWalker makes a place that waits for a key frame. The first sequence number is
// random and in the lower half (RFC 3711 section 3.3.1: a first packet that is lost
// must not confuse the rollover counter).
func newWalker(r *ring) *walker {
	return &walker{ring: r, seq: uint64(rand.Uint32N(1 << 15)), waiting: true} //nolint:gosec // no secret
}

// join decides where to begin. With force, the encoder can make a key frame: ask
// tells that it should be asked for one. Without, or when one has just been made,
// the viewer begins with the last one in the ring.
func (w *walker) join(force bool) (ask bool) {
	e := w.ring.stand()
	fresh := e.hasKey && media.Now()-e.head < stale
	if fresh && (!force || media.Now()-e.keyPTS < keyframeGap) {
		w.waiting, w.from = true, e.key
		return false
	}
	w.waiting, w.from = true, e.next
	return force
}

// settle takes the last key frame of the ring though a newer one was asked for: the
// encoder did not answer.
func (w *walker) settle() {
	if e := w.ring.stand(); w.waiting && e.hasKey && media.Now()-e.head < stale {
		w.from = min(w.from, e.key)
	}
}

// pull copies the packet to send next into p. It skips what is gone or late. When
// it returns false there is none now. newest tells that p is of the newest frame.
func (w *walker) pull(p *packet) (ok, newest bool) {
	for {
		if w.waiting && !w.start() {
			return false, false
		}
		f, e := w.ring.read(w.at, p)
		switch {
		case f == ahead:
			return false, false
		case f == gone:
			w.skips++
			w.waiting, w.from = true, w.at
		case p.first && e.hasKey && e.key > w.at && e.head-p.pts > late:
			w.skips++
			w.jump(e.key)
		default:
			return true, p.pts == e.head
		}
	}
}

func (w *walker) start() bool {
	e := w.ring.stand()
	if !e.hasKey || e.key < w.from {
		return false
	}
	w.waiting = false
	w.jump(e.key)
	return true
}

// jump goes to packet i. What has been sent until now can't be asked for again:
// under the new offset its numbers would name other packets, and another packet
// under the same number would repeat an AES-GCM nonce.
func (w *walker) jump(i uint64) { w.at, w.floor = i, w.seq }

// advance counts the pulled packet as sent.
func (w *walker) advance() { w.at++; w.seq++ }

// again finds the packet that was sent under a 16-bit sequence number, for
// retransmission. It copies it to p and returns its full number.
func (w *walker) again(wire uint16, p *packet) (seq uint64, ok bool) {
	if w.seq == w.floor {
		return 0, false
	}
	newest := w.seq - 1
	back := uint64(uint16(newest) - wire)
	if back > newest-w.floor {
		return 0, false
	}
	seq = newest - back
	f, _ := w.ring.read(w.at-(w.seq-seq), p)
	return seq, f == held
}
