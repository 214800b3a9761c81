package packets

import (
	"math/rand/v2"
	"time"

	"github.com/camd-project/camd/pkg/media"
)

// KeyframeGap is the least time between two requests for a key frame: one that is
// younger serves another viewer too.
const KeyframeGap = 500 * time.Millisecond

const (
	// late is how far behind the newest frame a viewer may be before it skips to the
	// next key frame.
	late = 700 * time.Millisecond
	// stale is how old the newest frame may be before what is held counts as the past.
	stale = 2 * time.Second
)

// Cursor is where one viewer reads. Sequence numbers are counted in 64 bits; their low
// 16 go on the wire. A skip moves the cursor but not the number, so a receiver sees no
// gap that it would ask for (RFC 4585 section 6.2.1). A cursor is for one goroutine.
type Cursor struct {
	buffer *Buffer

	at      uint64 // index of the packet to read next
	seq     uint64 // its sequence number
	floor   uint64 // sequence number of the first packet after the last skip
	waiting bool   // for a key frame at index from or later
	from    uint64
	inFrame bool // more packets of the frame are to come
	skips   int

	change change
	pace   float64 // bytes/s that the viewer can be sent; 0: not known
	waits  bool    // for a start that is to come: nothing before it will do
}

// NewCursor returns a cursor that waits for a key frame. The first sequence number is
// random and in the lower half (RFC 3711 section 3.3.1: a first packet that is lost
// must not confuse the rollover counter).
func (b *Buffer) NewCursor() *Cursor {
	return &Cursor{buffer: b, seq: uint64(rand.Uint32N(1 << 15)), waiting: true} //nolint:gosec // no secret
}

// Buffer returns what the cursor reads.
func (c *Cursor) Buffer() *Buffer { return c.buffer }

// Waiting reports whether the cursor waits for a key frame.
func (c *Cursor) Waiting() bool { return c.waiting }

// Pace tells how many bit/s the viewer can be sent; 0: not known.
func (c *Cursor) Pace(bps int) { c.pace = float64(bps) / 8 }

// Sequence returns the number of the packet to come.
func (c *Cursor) Sequence() uint64 { return c.seq }

// GaveUp reports whether the cursor waits for a key frame that is to come because the
// viewer would not have caught up.
func (c *Cursor) GaveUp() bool { return c.waiting && c.waits }

// Skips returns how often the viewer was too slow.
func (c *Cursor) Skips() int { return c.skips }

// Join decides where to start. force says that the encoder can make a key frame; Join
// reports whether to ask it for one. Otherwise, or when one has just been made, the
// viewer starts at the last one that is held.
func (c *Cursor) Join(force bool) (ask bool) {
	w := c.buffer.window()
	fresh := w.hasKey && media.Now()-w.head < stale
	if fresh && (!force || media.Now()-w.keyPTS < KeyframeGap) {
		c.waiting, c.from = true, w.key
		return false
	}
	c.waiting, c.from = true, w.next
	return force
}

// Settle takes the last key frame that is held though a newer one was asked for: the
// encoder did not answer.
func (c *Cursor) Settle() {
	if w := c.buffer.window(); c.waiting && !c.waits && w.hasKey && media.Now()-w.head < stale {
		c.from = min(c.from, w.key)
	}
}

// Next copies the next packet into p and returns its sequence number; ok reports
// whether there is one now. It skips what has been dropped and what is late.
func (c *Cursor) Next(p *Packet) (seq uint64, ok bool) {
	for {
		c.tryChange()
		if c.waiting {
			w := c.buffer.window()
			if !w.hasKey || w.key < c.from {
				return 0, false
			}
			c.waiting, c.waits = false, false
			c.jump(w.key)
		}
		r, w := c.buffer.read(c.at, p)
		switch {
		case r == ahead:
			return 0, false
		case r == gone:
			c.skips++
			c.waiting, c.from, c.inFrame = true, c.at, false
		case p.first && w.hasKey && w.key > c.at && w.head-p.pts > late:
			c.skips++
			c.jump(w.key)
		case p.first && w.head-p.pts > late && c.hopeless(p, w):
			c.skips++
			c.waiting, c.waits, c.from, c.inFrame = true, true, w.next, false
		default:
			p.Newest = p.pts == w.head
			c.at++
			c.seq++
			c.inFrame = !p.Last
			c.adjust(p)
			c.change.sent = p.pts
			return c.seq - 1, true
		}
	}
}

// hopeless reports whether the viewer, who is behind, would not catch up before the next
// key frame comes: then that one is a better start. What can't be awaited, because no
// start is expected soon enough, is no better.
func (c *Cursor) hopeless(p *Packet, w window) bool {
	if c.pace == 0 || w.rate == 0 || w.due == 0 {
		return false
	}
	wait := w.due - w.head
	if wait > StartPatience-late {
		return false
	}
	spare := c.pace - w.rate
	return spare <= 0 || float64(w.total-p.total)/spare > max(wait, late).Seconds()
}

// jump goes to packet i. What has been sent until now can't be asked for again: from
// here on its numbers would name other packets, and another packet under the same
// number would repeat an AES-GCM nonce.
func (c *Cursor) jump(i uint64) { c.at, c.floor = i, c.seq }

// Sent copies the packet that was sent under a 16-bit sequence number into p, so that
// it can be sent again. It returns the full number; ok reports whether the packet is
// still held.
func (c *Cursor) Sent(wire uint16, p *Packet) (seq uint64, ok bool) {
	if c.seq == c.floor {
		return 0, false
	}
	newest := c.seq - 1
	back := uint64(uint16(newest) - wire)
	if back > newest-c.floor {
		return 0, false
	}
	seq = newest - back
	r, _ := c.buffer.read(c.at-(c.seq-seq), p)
	c.adjust(p)
	return seq, r == held
}

// Last copies the packet that was sent last into p. It returns the full number; ok
// reports whether there is one and it is still held.
func (c *Cursor) Last(p *Packet) (seq uint64, ok bool) { return c.Sent(uint16(c.seq-1), p) }
