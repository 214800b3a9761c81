package client

import (
	"time"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"

	"github.com/camd-project/camd/pkg/media/avc"
)

// maxUnit bounds an access unit under assembly, in bytes.
const maxUnit = 4 << 20

// assembler makes access units of H.264 (RFC 6184) out of packets in order. After
// a loss it gives nothing before the next complete IDR picture or recovery point: what
// refers to a lost picture would only show as smear.
type assembler struct {
	packet    codecs.H264Packet
	unit      []byte
	bytes     int // of payload taken for the unit, what packet still holds included
	timestamp uint32
	open      bool // packets of a unit were taken
	damaged   bool // the unit lacks something
	running   bool // a picture to begin with was given and nothing was lost since

	dropped uint64 // units that were not given
}

// assembled is one complete access unit.
type assembled struct {
	avc.Unit
	timestamp uint32
}

// push takes the next packet and gives the units that it completes.
// gap says that packets before it are lost.
func (a *assembler) push(p *rtp.Packet, gap bool, give func(assembled)) {
	if gap {
		a.damaged, a.running = a.open, false
	}
	if a.open && p.Timestamp != a.timestamp {
		a.finish(give)
	}
	if !a.open {
		a.packet = codecs.H264Packet{}
		a.unit, a.bytes, a.open, a.timestamp = nil, 0, true, p.Timestamp
		a.damaged = gap // its beginning may be what was lost
	}
	a.append(p.Payload)
	if p.Marker {
		a.finish(give)
	}
}

func (a *assembler) append(payload []byte) {
	if a.damaged || len(payload) == 0 { // nothing but padding
		return
	}
	if a.bytes += len(payload); a.bytes > maxUnit {
		a.damaged = true
		return
	}
	nals, err := a.packet.Unmarshal(payload)
	if err != nil {
		a.damaged = true
		return
	}
	a.unit = append(a.unit, nals...)
}

func (a *assembler) finish(give func(assembled)) {
	a.open = false
	if a.damaged {
		a.running = false
		a.dropped++
		return
	}
	u, rest := avc.NextUnit(a.unit)
	if len(rest) > 0 { // more than one picture of one timestamp, such as two fields
		u.Data = a.unit
	}
	switch {
	case begins(u) && !u.Partial:
		a.running = true
	case !u.Coded || !a.running:
		a.dropped++
		return
	}
	give(assembled{u, a.timestamp})
}

// begins reports whether a decoder can begin with a unit.
func begins(u avc.Unit) bool { return u.Key || u.Recovers }

// keyframeAsker says when to ask the camera for an IDR (RFC 4585 section 6.3.1).
// A fresh session gets its first one unasked.
type keyframeAsker struct{ last time.Time }

const keyframePause = time.Second

func (k *keyframeAsker) due(now time.Time) bool {
	if k.last.IsZero() {
		k.last = now
	}
	if now.Sub(k.last) < keyframePause {
		return false
	}
	k.last = now
	return true
}
