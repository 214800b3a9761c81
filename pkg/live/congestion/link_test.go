package congestion

import (
	"math/rand/v2"
	"slices"
	"time"
)

// step is the resolution of simulated time.
const step = 250 * time.Microsecond

// link is a model of a path: a queue in front of a bottleneck, then delay, radio that
// collects packets, and random loss.
type link struct {
	rate      func(t time.Duration) float64 // bit/s
	queue     time.Duration                 // at rate; what doesn't fit is dropped
	delay     time.Duration                 // one way
	jitter    time.Duration                 // at most; packets stay in order
	aggregate time.Duration                 // packets are handed over at multiples of it
	loss      float64
	burst     float64 // how many packets are lost together; 0: one
	bucket    int     // bytes that pass at once after a pause, as tbf's burst

	random  *rand.Rand
	waiting []parcel
	bytes   int     // of waiting
	losing  bool    // a burst of losses goes on
	credit  float64 // bits that may leave
	last    time.Duration
	drops   int
}

// parcel is a packet on the link.
type parcel struct {
	seq   uint16
	size  int
	frame int  // 0: of the first picture
	rival bool // of another flow
	lost  bool
	at    time.Duration // arrival
}

func constant(bps float64) func(time.Duration) float64 {
	return func(time.Duration) float64 { return bps }
}

// between returns a rate that is other from one time until another.
func between(bps, other float64, from, to time.Duration) func(time.Duration) float64 {
	return func(t time.Duration) float64 {
		if t >= from && t < to {
			return other
		}
		return bps
	}
}

// send puts a packet into the queue, and reports whether it fits.
func (l *link) send(t time.Duration, p parcel) bool {
	if float64(l.bytes+p.size)*8 > l.rate(t)*l.queue.Seconds() && l.bytes > 0 {
		l.drops++
		return false
	}
	l.waiting = append(l.waiting, p)
	l.bytes += p.size
	return true
}

// pass appends the packets that leave the bottleneck in a step.
func (l *link) pass(t time.Duration, out []parcel) []parcel {
	l.credit += l.rate(t) * step.Seconds()
	for len(l.waiting) > 0 && l.credit >= float64(l.waiting[0].size)*8 {
		p := l.waiting[0]
		l.waiting = l.waiting[1:]
		l.bytes -= p.size
		l.credit -= float64(p.size) * 8
		p.at = t + l.delay
		if l.jitter > 0 {
			p.at += time.Duration(l.random.Int64N(int64(l.jitter)))
		}
		if l.aggregate > 0 {
			p.at = (p.at + l.aggregate - 1) / l.aggregate * l.aggregate
		}
		p.at = max(p.at, l.last)
		l.last = p.at
		p.lost = l.loses()
		out = append(out, p)
	}
	if len(l.waiting) == 0 {
		l.credit = min(l.credit, float64(l.bucket)*8)
	}
	return out
}

// loses decides about the next packet, by the model of Gilbert.
func (l *link) loses() bool {
	r := l.random.Float64()
	switch {
	case l.burst == 0:
		return r < l.loss
	case l.losing:
		l.losing = r >= 1/l.burst
	default:
		l.losing = r < l.loss/(1-l.loss)/l.burst
	}
	return l.losing
}

// delayed returns how long a packet that comes now waits in the queue.
func (l *link) delayed(t time.Duration) time.Duration {
	return time.Duration(float64(l.bytes) * 8 / l.rate(t) * float64(time.Second))
}

// window is a flow with a window that only loss makes smaller, as TCP's.
type window struct {
	size, flying float64
	safe         time.Duration // no second halving until then
	replies      []reply
	delivered    int
}

type reply struct {
	at   time.Duration
	lost bool
}

func (w *window) step(t time.Duration, l *link) {
	for len(w.replies) > 0 && w.replies[0].at <= t {
		r := w.replies[0]
		w.replies = w.replies[1:]
		w.flying--
		switch {
		case !r.lost && w.safe == 0:
			w.size++ // slow start
		case !r.lost:
			w.size += 1 / w.size
		case t > w.safe:
			w.size = max(2, w.size/2)
			w.safe = t + 2*l.delay + l.delayed(t)
		}
	}
	for w.flying < w.size {
		w.flying++
		if !l.send(t, parcel{size: 1500, rival: true}) {
			w.expect(reply{t + 2*l.delay + l.delayed(t), true})
			return
		}
	}
}

func (w *window) expect(r reply) {
	i, _ := slices.BinarySearchFunc(w.replies, r.at, func(e reply, at time.Duration) int { return int(e.at - at) })
	w.replies = slices.Insert(w.replies, i, r)
}
