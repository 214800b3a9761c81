package jitter

import (
	"time"

	"github.com/camd-project/camd/pkg/audio/opus"
)

const (
	window     = 256               // packets around the next one that belong to the stream
	maxPayload = 1500              // bytes
	maxSpan    = 500 * millisecond // that may wait
	worth      = minPeriod         // the shortest gap that is filled: the shortest packet
	idle       = 60 * millisecond  // without a packet, after which the delay is set again
)

// slot holds one packet and, after its turn, that it was there.
type slot struct {
	state   state
	seq, ts int64
	samples int64
	payload []byte
}

type state uint8

const (
	empty state = iota
	waiting
	taken
)

// queue orders packets. Sequence numbers and timestamps are unwrapped.
type queue struct {
	begun bool
	fresh bool  // nothing has been taken yet, so an earlier packet may come
	seq   int64 // the next to take
	last  int64 // the greatest sequence number
	ts    int64 // media time of the next sample to make
	end   int64 // media time after the newest packet
	usual int64 // samples in a packet
	none  int64 // samples made since there was a packet
	held  int64 // samples made but not yet played
	jump  bool  // the next packet to take does not follow the last one

	waiting int
	slots   [window]slot
	stray   struct {
		known bool
		seq   uint16
	}
	delay delay
	stats Stats
}

func (q *queue) slot(seq int64) *slot { return &q.slots[uint64(seq)%window] }

func (q *queue) put(seq16 uint16, ts32 uint32, payload []byte, at time.Duration) {
	q.stats.Received++
	n, err := opus.Samples(payload)
	if err != nil || len(payload) > maxPayload {
		q.stats.Garbled++
		return
	}
	seq := q.seq + int64(int16(seq16-uint16(q.seq)))
	ts := q.end + int64(int32(ts32-uint32(q.end)))
	if !q.begun || !q.fits(seq) || !q.delay.fits(samplesOf(at)-ts) {
		// A single packet that does not fit is a stray. If another follows it, the stream has
		// begun again (RFC 3550, appendix A.1).
		follows := q.stray.known && seq16 == q.stray.seq+1
		q.stray.known, q.stray.seq = true, seq16
		if q.begun && !follows {
			q.stats.Garbled++
			return
		}
		seq, ts = int64(seq16), int64(ts32)
		q.begin(seq, ts)
	}
	q.stray.known = false
	transit := samplesOf(at) - ts
	q.delay.observe(transit)
	if q.inTime(seq) {
		s := q.slot(seq)
		s.state, s.seq, s.ts, s.samples = waiting, seq, ts, int64(n)
		s.payload = append(s.payload[:0], payload...)
		q.waiting++
		q.last = max(q.last, seq)
		q.end = max(q.end, ts+int64(n))
		q.schedule(ts, transit)
	}
}

// fits reports whether a sequence number is near the next one.
func (q *queue) fits(seq int64) bool {
	return seq > q.seq-window && seq < q.seq+window && q.last-seq < window
}

func (q *queue) begin(seq, ts int64) {
	q.stats.Overflow += uint64(q.waiting)
	for i := range q.slots {
		q.slots[i].state = empty
	}
	q.waiting = 0
	q.begun, q.fresh, q.jump = true, true, true
	q.seq, q.last, q.ts, q.end = seq, seq, ts, ts
	q.none = idle // so that schedule sets ts
	q.delay.reset()
}

// inTime reports whether a packet came before its turn, and not twice.
func (q *queue) inTime(seq int64) bool {
	s := q.slot(seq)
	there := s.state != empty && s.seq == seq
	switch {
	case there:
		q.stats.Duplicate++
		return false
	case seq >= q.seq:
		return true
	case q.fresh:
		q.seq = seq
		return true
	}
	q.stats.Late++
	return false
}

// schedule sets when to play the first packet after a pause: when it has waited long enough
// for its transit. It drops packets if too many wait.
func (q *queue) schedule(ts, transit int64) {
	if q.none >= idle && q.waiting == 1 {
		wait := q.delay.left(transit)
		q.ts = ts - max(0, wait-q.held)
		q.none = 0
		q.delay.set(q.delay.target)
	}
	if q.end-q.ts > maxSpan {
		q.skip()
	}
	q.delay.played(ts-q.ts+q.held, transit)
}

// skip drops the oldest packets until only the target delay waits, or one packet.
func (q *queue) skip() {
	for q.seq <= q.last {
		s := q.slot(q.seq)
		if s.state == waiting && s.seq == q.seq {
			if s.ts >= q.end-q.delay.target || q.waiting == 1 {
				break
			}
			s.state = taken
			q.waiting--
			q.stats.Overflow++
		}
		q.seq++
	}
	q.ts, q.jump = max(q.ts, q.end-q.delay.target), true
	q.delay.set(q.delay.target)
}

// step is the next sound to make: that of a packet, or so many samples in place of a missing
// one.
type step struct {
	packet  []byte // nil: none
	samples int64
	jump    bool
}

// take returns the next step. The packet is copied to buf.
func (q *queue) take(buf []byte) step {
	if q.waiting == 0 {
		q.none += frame
		q.ts += frame
		return step{samples: frame}
	}
	next := q.seq
	for s := q.slot(next); s.state != waiting || s.seq != next; s = q.slot(next) {
		next++
	}
	s := q.slot(next)
	if gap := s.ts - q.ts; gap >= worth {
		return q.fill(gap, next > q.seq)
	}
	q.stats.Lost += uint64(next - q.seq)
	jump := q.jump
	q.seq, q.ts, q.usual = next+1, s.ts+s.samples, s.samples
	q.none, q.fresh, q.jump = 0, false, false
	s.state = taken
	q.waiting--
	return step{packet: append(buf[:0], s.payload...), samples: s.samples, jump: jump}
}

// fill returns a step without a packet: for a missing one or, if the sequence has no hole,
// for time in which nothing was sent because nobody spoke.
func (q *queue) fill(gap int64, hole bool) step {
	n := min(gap, frame)
	if hole && !q.fresh {
		n = min(gap, q.usual)
		q.seq++
		q.stats.Lost++
	}
	q.ts += n
	return step{samples: n}
}

// due reports whether the next step is a packet.
func (q *queue) due() bool {
	s := q.slot(q.seq)
	return q.waiting > 0 && s.state == waiting && s.seq == q.seq && s.ts-q.ts < worth
}
