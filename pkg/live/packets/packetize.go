package packets

import (
	"slices"
	"time"

	"github.com/camd-project/camd/pkg/media/avc"
)

// maxPayload keeps a packet within the 1200 bytes that WebRTC expects to pass
// everywhere: 12 of RTP header, 12 of extensions (4, and in whole words the playout delay
// and the transport-wide number), 2 of the original number when it is sent again (RFC
// 4588 section 4) and 16 of authentication tag come on top.
const maxPayload = 1200 - 12 - 12 - 2 - 16

// Packet is one RTP packet without what differs between viewers.
type Packet struct {
	Payload   []byte        // at most maxPayload bytes
	Timestamp uint32        // RTP
	Published time.Duration // when its frame was appended, on the capture clock
	Last      bool          // of its frame
	Marker    bool          // RTP
	Newest    bool          // it is of the newest frame; Cursor.Next sets it

	index uint64        // number of the packet since the buffer was made
	pts   time.Duration // of its frame, on the capture clock
	first bool          // of its frame
	total uint64        // bytes of payload before its frame since the buffer was made
}

// Packet types of RFC 6184 table 1.
const (
	typeSTAPA = 24
	typeFUA   = 28
	fuStart   = 0x80
	fuEnd     = 0x40
	nriMask   = 0x60
	forbidden = 0x80
)

// packetizer cuts access units into RTP payloads: RFC 6184 in packetization-mode 1,
// with single NAL unit packets, STAP-A for parameter sets and SEI, and FU-A.
type packetizer struct {
	next  func() *Packet // gives the packet to fill, its payload emptied
	small [][]byte       // parameter sets that wait to leave together
	size  int            // of their STAP-A payload
}

// accessUnit packetises one access unit in Annex B form. Access unit delimiters,
// filler and types that RTP gives another meaning are left out.
func (z *packetizer) accessUnit(annexB []byte) {
	for nal, rest := avc.Next(annexB); nal != nil; nal, rest = avc.Next(rest) {
		switch t := avc.TypeOf(nal); {
		case t == avc.AUD, t == avc.Filler, t == 0, t >= typeSTAPA:
		case t == avc.SPSType, t == avc.PPSType, t == avc.SEI:
			z.gather(nal)
		default:
			z.flush()
			z.nal(nal)
		}
	}
	z.flush()
}

// gather keeps a small NAL unit back, so that it shares a packet with its neighbours.
func (z *packetizer) gather(nal []byte) {
	need := 2 + len(nal)
	if 1+z.size+need > maxPayload {
		z.flush()
	}
	if 1+need > maxPayload {
		z.nal(nal)
		return
	}
	z.small = append(z.small, nal)
	z.size += need
}

func (z *packetizer) flush() {
	switch len(z.small) {
	case 0:
		return
	case 1:
		z.nal(z.small[0])
	default:
		z.aggregate()
	}
	clear(z.small) // they are the producer's
	z.small, z.size = z.small[:0], 0
}

// aggregate makes a STAP-A (RFC 6184 section 5.7.1). Its header has the highest
// NRI of what it holds.
func (z *packetizer) aggregate() {
	var f, nri byte
	for _, nal := range z.small {
		f |= nal[0] & forbidden
		nri = max(nri, nal[0]&nriMask)
	}
	p := z.next()
	p.Payload = append(p.Payload, f|nri|typeSTAPA)
	for _, nal := range z.small {
		p.Payload = append(p.Payload, byte(len(nal)>>8), byte(len(nal)))
		p.Payload = append(p.Payload, nal...)
	}
}

// nal makes a single NAL unit packet or the fragments of an FU-A (section 5.8).
// All fragments but the last have one size, so that the kernel can segment them.
func (z *packetizer) nal(nal []byte) {
	if len(nal) <= maxPayload {
		p := z.next()
		p.Payload = append(p.Payload, nal...)
		return
	}
	indicator, header := nal[0]&(forbidden|nriMask)|typeFUA, nal[0]&0x1f|fuStart
	for body := nal[1:]; len(body) > 0; {
		n := min(len(body), maxPayload-2)
		if n == len(body) {
			header |= fuEnd
		}
		p := z.next()
		p.Payload = append(slices.Grow(p.Payload, 2+n), indicator, header)
		p.Payload = append(p.Payload, body[:n]...)
		body, header = body[n:], header&^fuStart
	}
}
