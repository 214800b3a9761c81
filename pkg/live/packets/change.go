package packets

import (
	"time"

	"github.com/camd-project/camd/pkg/media"
)

// maxReturn is by how much the key frame at which a cursor goes to another buffer may be
// older than what has been sent. Of the same picture the smaller encoding comes later.
const maxReturn = 500 * time.Millisecond

// tick is a little more than a step of the RTP clock of video.
const tick = 12 * time.Microsecond

// change is a cursor's way from one buffer to another.
type change struct {
	to   *Buffer       // nil: it stays
	sent time.Duration // time of the last frame that was sent, as the receiver sees it; 0: none

	// What adjust goes by since the last change.
	changed bool
	before  time.Duration // time of the last frame before it, as the receiver sees it
	first   time.Duration // of the key frame
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
// at a key frame that is not much older than what has been sent.
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

// adjust moves the frames of the new buffer that are not younger than the last one of the
// old buffer to just after it, in their order: each frame needs a timestamp of its own that is
// later than the one before. What it does to a packet is the same each time that the packet is
// sent, since no two packets may be sealed under one number.
func (c *Cursor) adjust(p *Packet) {
	if !c.change.changed {
		return
	}
	const shrink = 256 // frames that are 1/120 s apart still get different timestamps
	if least := c.change.before + tick + (p.pts-c.change.first)/shrink; p.pts < least {
		p.pts, p.Timestamp = least, c.buffer.Timestamp(least)
	}
}
