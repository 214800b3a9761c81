package receive

import (
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"

	"github.com/camd-project/camd/pkg/media/avc"
)

// maxUnit bounds an access unit, in bytes.
const maxUnit = 4 << 20

// depacketizer makes access units of H.264 (RFC 6184) from packets in order. After a
// loss it gives nothing before the next complete IDR picture or recovery point, because
// pictures that refer to a lost one would only show as smear.
type depacketizer struct {
	packet    codecs.H264Packet
	data      []byte // of the access unit under assembly
	bytes     int    // of payload taken for it, including what packet still holds
	timestamp uint32
	open      bool // packets of the unit were taken
	damaged   bool // a part of the unit is lost
	running   bool // a picture to begin with was given, and nothing was lost since
	begun     bool // one was ever given

	dropped uint64 // units that were not given
}

// unit is one complete access unit.
type unit struct {
	avc.Unit
	timestamp uint32
}

// push takes the next packet and gives the units that it completes. If gap is true,
// packets before it are lost.
func (d *depacketizer) push(p *rtp.Packet, gap bool, give func(unit)) {
	if gap {
		d.damaged, d.running = d.open, false
	}
	if d.open && p.Timestamp != d.timestamp {
		d.finish(give)
	}
	if !d.open {
		d.packet = codecs.H264Packet{}
		d.data, d.bytes, d.open, d.timestamp = nil, 0, true, p.Timestamp
		d.damaged = gap || middle(p.Payload) // its beginning may be what was lost
	}
	d.append(p.Payload)
	if p.Marker {
		d.finish(give)
	}
}

func (d *depacketizer) append(payload []byte) {
	if d.damaged || len(payload) == 0 { // nothing but padding
		return
	}
	if d.bytes += len(payload); d.bytes > maxUnit {
		d.damaged = true
		return
	}
	nals, err := d.packet.Unmarshal(payload)
	if err != nil {
		d.damaged = true
		return
	}
	d.data = append(d.data, nals...)
}

func (d *depacketizer) finish(give func(unit)) {
	d.open = false
	if d.damaged {
		d.running = false
		d.dropped++
		return
	}
	u, rest := avc.NextUnit(d.data)
	if len(rest) > 0 { // more than one picture of one timestamp, such as two fields
		u.Data = d.data
	}
	switch {
	case begins(u) && !u.Partial && (u.Sets || d.begun): // the first one needs its parameter sets
		d.running, d.begun = true, true
	case !u.Coded || !d.running:
		d.dropped++
		return
	}
	give(unit{u, d.timestamp})
}

// middle reports whether a payload is a fragment that is not the first one of its NAL unit
// (RFC 6184 section 5.8). A session whose first packets are lost begins with one.
func middle(payload []byte) bool {
	const fuA, start = 28, 0x80
	return len(payload) > 1 && payload[0]&0x1f == fuA && payload[1]&start == 0
}

// begins reports whether a decoder can begin with a unit.
func begins(u avc.Unit) bool { return u.Key || u.Recovers }
