package congestion

import (
	"time"

	"github.com/pion/rtcp"
)

// refUnit is the unit of a report's reference time.
const refUnit = 64 * time.Millisecond

// arrivalClock makes times on the receiver's clock out of the 24 bits that a report has,
// which wrap every twelve days.
type arrivalClock struct {
	ref     int64 // reference time of the last report, in refUnits
	started bool
}

// at returns the reference time of a report. Of all times that ref can stand for it is the
// nearest to that of the report before, earlier or later: reports can be reordered.
func (c *arrivalClock) at(ref uint32) time.Duration {
	if c.started {
		c.ref += int64(int32(ref-uint32(c.ref)) << 8 >> 8)
	} else {
		c.ref, c.started = int64(ref), true
	}
	return time.Duration(c.ref) * refUnit
}

// status is what a report says about one packet.
type status struct {
	seq      uint16
	received bool
	timed    bool          // at is known
	at       time.Duration // on the receiver's clock
}

// walk goes through the packets of a report.
type walk struct {
	seq    uint16
	left   int // packets that the report still has
	at     time.Duration
	deltas []*rtcp.RecvDelta
}

// next returns the status that a symbol stands for. A report without the delta that a
// symbol promises ends there.
func (w *walk) next(symbol uint16) (s status, ok bool) {
	if w.left <= 0 {
		return s, false
	}
	s.seq = w.seq
	w.seq++
	w.left--
	switch symbol {
	case rtcp.TypeTCCPacketReceivedSmallDelta, rtcp.TypeTCCPacketReceivedLargeDelta:
		if len(w.deltas) == 0 || w.deltas[0] == nil {
			w.left = 0
			return s, false
		}
		w.at += time.Duration(w.deltas[0].Delta) * time.Microsecond
		w.deltas = w.deltas[1:]
		s.received, s.timed, s.at = true, true, w.at
	case rtcp.TypeTCCPacketReceivedWithoutDelta:
		s.received = true
	}
	return s, true
}

// skip passes over those of n missing packets that come before what the history has, and
// returns how many of the n are left. A report of 16 bytes can name 65535 missing packets,
// and must cost nothing.
func (w *walk) skip(n int, h *history) int {
	if _, known := h.find(w.seq); !known {
		oldest := uint16(h.next - min(h.next, historySize))
		unknown := min(n, int(oldest-w.seq))
		w.seq += uint16(unknown)
		w.left -= unknown
		n -= unknown
	}
	return n
}
