package packets

import (
	"time"

	"github.com/camd-project/camd/pkg/media"
)

// maxReturn is how much older than the last frame that was sent a key frame may be at which
// a cursor goes to another buffer. It may be older, because the second encoding of a picture
// comes later than the first.
const maxReturn = 500 * time.Millisecond

// timestampStep is a little more than a step of the RTP clock of video, 1/90000 s.
const timestampStep = 12 * time.Microsecond

// change is what a cursor knows of its change to another buffer: of the one to come, and of
// the last one.
type change struct {
	to   *Buffer       // where it will go; nil: it stays
	sent time.Duration // time of the last frame that was sent, as the receiver sees it; 0: none

	// The last change, for adjust.
	changed bool          // there was one, after something had been sent
	before  time.Duration // time of the last frame before it, as the receiver sees it
	first   time.Duration // time of the key frame after it
}

// ChangeTo makes the cursor go on in another buffer, made by Alternative, from its next key
// frame on. Until that frame has come it stays where it is. The receiver notices nothing:
// sequence numbers and RTP timestamps go on.
func (c *Cursor) ChangeTo(b *Buffer) {
	c.change.to = nil
	if b != c.buffer {
		c.change.to = b
	}
}

// Target returns the buffer that the cursor reads, or that it is on its way to.
func (c *Cursor) Target() *Buffer {
	if c.change.to != nil {
		return c.change.to
	}
	return c.buffer
}

// tryChange goes to the other buffer if a decoder can go on there now: between two frames,
// at an IDR that is not much older than what has been sent.
func (c *Cursor) tryChange() {
	if c.change.to == nil || c.inFrame {
		return
	}
	w, begun := c.change.to.window(), c.change.sent != 0
	if !w.hasKey || !w.isIDR || media.Now()-w.head > stale || begun && w.keyPTS < c.change.sent-maxReturn {
		return
	}
	c.buffer, c.waiting = c.change.to, false
	c.change = change{sent: c.change.sent, changed: begun, before: c.change.sent, first: w.keyPTS}
	c.jump(w.key)
}

// adjust gives later timestamps to frames of the new buffer that were captured no later than
// the last one of the old buffer: just after that one's, and in the order of the frames, because
// each frame needs a timestamp that is later than the one before. A packet that is sent again is
// adjusted as it was at first, since no two different packets may be sealed under one number.
func (c *Cursor) adjust(p *Packet) {
	if !c.change.changed {
		return
	}
	const shrink = 256 // frames that are 1/120 s apart are then 1/30720 s apart: more than timestampStep
	if least := c.change.before + timestampStep + (p.pts-c.change.first)/shrink; p.pts < least {
		p.pts, p.Timestamp = least, c.buffer.Timestamp(least)
	}
}
