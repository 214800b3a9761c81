package congestion

import "time"

// historySize is how many packets are remembered: a second and a half at 30 Mbit/s, or
// ten seconds at 4. A report comes 50 to 250 ms after its packets. It must be a power of
// two and less than half of the 16-bit numbers, so that a number means one packet.
const historySize = 1 << 12

type state uint8

const (
	unreported state = iota
	missing          // reported as not received; may still be reported as late
	received
)

// packet is what is remembered of a packet that was sent.
type packet struct {
	sent  time.Duration
	size  uint16
	probe uint8 // number of the probe that it belongs to; 0: none
	state state
}

// history is a ring of the packets that were sent last.
type history struct {
	packets [historySize]packet
	next    uint64 // number of the next packet; its low 16 bits go on the wire
}

// add remembers a packet and returns its number on the wire.
func (h *history) add(p packet) uint16 {
	h.packets[h.next%historySize] = p
	h.next++
	return uint16(h.next - 1)
}

// find returns the number of the packet that was sent under seq. There is none if seq is
// too old, or of the future.
func (h *history) find(seq uint16) (number uint64, ok bool) {
	back := uint64(uint16(h.next-1) - seq)
	return h.next - 1 - back, back < min(h.next, historySize)
}

// at returns a packet that find named, or the one that follows it; nil if it was not sent.
func (h *history) at(number uint64) *packet {
	if number >= h.next {
		return nil
	}
	return &h.packets[number%historySize]
}
