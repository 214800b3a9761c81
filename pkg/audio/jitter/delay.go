package jitter

import (
	"slices"
	"time"
)

// Lengths in samples at 48 kHz.
const (
	rate        = 48000
	millisecond = rate / 1000
	frame       = 20 * millisecond

	minTarget   = 20 * millisecond
	maxTarget   = 200 * millisecond
	firstTarget = 60 * millisecond // until enough is measured
)

// samplesOf converts a duration, and durationOf the other way.
func samplesOf(d time.Duration) int64 { return d.Microseconds() * millisecond / 1000 }
func durationOf(samples int64) time.Duration {
	return time.Duration(samples) * time.Millisecond / millisecond
}

// quantile is how many percent of the packets arrive in time by the target delay.
const quantile = 97

// delay measures how unevenly packets arrive. A packet's transit is its arrival minus its
// media time, on clocks that differ by a constant, so only differences have a meaning.
type delay struct {
	transits [256]int64 // of the latest packets, about five seconds
	sorted   [256]int64
	n        int   // observed
	last     int64 // transit
	base     int64 // the least of transits: of the fastest packets
	target   int64 // how long the fastest should wait
	actual   int64 // how long they do wait, smoothed, times 16
}

func (d *delay) reset() { d.n, d.target = 0, firstTarget }

// fits reports whether a transit can belong to the stream: less than a second away from
// that of the packet before.
func (d *delay) fits(transit int64) bool {
	return d.n == 0 || transit-d.last < rate && d.last-transit < rate
}

// observe adds a transit, and computes base and target.
func (d *delay) observe(transit int64) {
	d.transits[d.n%len(d.transits)], d.last = transit, transit
	d.n++
	if d.n > 16 && d.n%8 != 0 {
		return
	}
	s := d.sorted[:min(d.n, len(d.transits))]
	copy(s, d.transits[:])
	slices.Sort(s)
	d.base = s[0]
	want := s[(len(s)-1)*quantile/100] - d.base + frame
	if d.n < 16 {
		want = max(want, firstTarget)
	}
	d.target = min(max(want, minTarget), maxTarget)
}

// left returns how long a packet of this transit still has to wait.
func (d *delay) left(transit int64) int64 { return max(0, d.target-(transit-d.base)) }

// played notes that a packet of this transit waits that long.
func (d *delay) played(wait, transit int64) {
	d.actual += wait + (transit - d.base) - d.actual/16
}

func (d *delay) set(actual int64) { d.actual = 16 * actual }
func (d *delay) change(by int64)  { d.actual += 16 * by }
func (d *delay) excess() int64    { return d.actual/16 - d.target }
func (d *delay) smoothed() int64  { return d.actual / 16 }
