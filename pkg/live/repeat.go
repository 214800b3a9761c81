package live

import (
	"encoding/binary"
	"math/rand/v2"
	"time"

	"github.com/camd-project/camd/pkg/live/packets"
)

// repeater is what a track keeps to send packets again.
//
// AES-GCM must never see two packets under one number of one source (RFC 7714 section
// 8.4), and the transport-wide number is part of a packet. So a packet leaves again by
// RTX (RFC 4588): from another source, under a number of its own, with a new
// transport-wide number. A viewer without RTX gets the same bytes again, with the
// transport-wide number that they had the first time.
type repeater struct {
	seq     uint64 // of RTX, of the next packet
	packet  packets.Packet
	payload []byte
	numbers []uint16 // transport-wide, by sequence number; nil: RTX needs none
	last    [recent]repetition
}

// recent is how many packets that were sent again are remembered, so that none is sent
// again while the last repetition may still be under way.
const recent = 1024

type repetition struct {
	seq uint64
	at  time.Duration // 0: none
}

// newRepeater begins in the lower half, as packets.Buffer.NewCursor does.
func newRepeater() repeater { return repeater{seq: uint64(rand.Uint32N(1 << 15))} } //nolint:gosec // no secret

// keep notes the transport-wide number under which a packet left first.
func (r *repeater) keep(seq uint64, number uint16) {
	if r.numbers == nil {
		r.numbers = make([]uint16, packets.MaxPackets)
	}
	r.numbers[seq%packets.MaxPackets] = number
}

// resend sends the packet that left under a 16-bit sequence number once more, unless that
// has been done later than after: then it may still be under way. It returns the size of
// what has left, or 0 if nothing has.
func (t *trackSender) resend(now, after time.Duration, wire uint16) int {
	r := &t.repeat
	seq, ok := t.cursor.Sent(wire, &r.packet)
	if !ok {
		return 0
	}
	last := &r.last[seq%recent]
	if last.seq == seq && last.at > after {
		return 0
	}
	*last = repetition{seq, now}
	if t.track.again != nil {
		return t.rtx(now, seq)
	}
	if r.numbers != nil {
		binary.BigEndian.PutUint16(t.track.number, r.numbers[seq%packets.MaxPackets])
	}
	t.write(&t.track.header, &r.packet, uint16(seq), r.packet.Payload)
	return t.size(len(r.packet.Payload))
}

// pad sends the packet that left last once more by RTX, for a probe that has not enough
// media: a receiver that has the packet drops it. It returns the size of what has left, or
// 0 if nothing has.
func (t *trackSender) pad(now time.Duration) int {
	seq, ok := t.cursor.Last(&t.repeat.packet)
	if !ok || t.track.again == nil || t.track.number == nil {
		return 0
	}
	return t.rtx(now, seq)
}

// rtx sends the packet in the repeater, which left first under seq (RFC 4588 section 4).
func (t *trackSender) rtx(now time.Duration, seq uint64) int {
	r := &t.repeat
	r.payload = binary.BigEndian.AppendUint16(r.payload[:0], uint16(seq))
	r.payload = append(r.payload, r.packet.Payload...)
	size := t.size(len(r.payload))
	n := t.path.Sent(now, size)
	if t.track.number != nil {
		binary.BigEndian.PutUint16(t.track.number, n)
	}
	t.write(t.track.again, &r.packet, uint16(r.seq), r.payload)
	r.seq++
	return size
}
