package congestion

import (
	"math"
	"time"
)

const (
	decrease     = 0.85 // of what arrives, when delay grows. gcc-02 section 5.5: beta
	increase     = 1.08 // each second, as long as the path's maximum isn't known. gcc-02: eta
	slack        = 1.5  // times what arrives, and slackRate more: the highest that an estimate may grow to.
	slackRate    = 10_000
	reportDelay  = 100 * time.Millisecond // gcc-02: the response time is the round trip and this; half a packet in it there
	packetBits   = 1200 * 8
	nearWeight   = 0.05 // of a new measurement of the maximum; gcc-02: 0.95 for the old
	nearSpread   = 3    // standard deviations within which the maximum is thought to be. gcc-02 section 5.5
	increaseStep = time.Second
)

// rate is the estimate itself, which falls when delay grows, and otherwise rises: by
// packets when near what was once found to be too much, and else by parts.
type rate struct {
	bps      float64
	raised   time.Duration // when it last might have been
	lowered  time.Duration // when it last was for delay
	hadDelay bool
	near     maximum
}

// raise lets the estimate grow for the time since the last call. arrived is the rate that
// arrives, or 0.
func (r *rate) raise(now, rtt time.Duration, arrived float64) {
	dt := min(now-r.raised, increaseStep).Seconds()
	r.raised = now
	if arrived == 0 {
		return
	}
	if r.near.known() && arrived > r.near.upper() {
		r.near = maximum{}
	}
	bps := r.bps
	if r.near.known() {
		bps += packetBits / (rtt + reportDelay).Seconds() * dt
	} else {
		bps *= math.Pow(increase, dt)
	}
	r.bps = max(r.bps, min(bps, slack*arrived+slackRate))
}

// hold makes the next raise begin now.
func (r *rate) hold(now time.Duration) { r.raised = now }

// congested lowers the estimate because delay grows though packets arrive at a rate of
// arrived; 0: unknown. It reports whether it did: what was lowered needs a round trip to
// show, unless it is far too high.
func (r *rate) congested(now, rtt time.Duration, arrived float64) bool {
	r.hold(now)
	if r.hadDelay && now-r.lowered < rtt+reportDelay && (arrived == 0 || arrived > r.bps/2) {
		return false
	}
	bps := r.bps / 2
	if arrived > 0 {
		bps = decrease * arrived
		if r.near.known() && arrived < r.near.lower() {
			r.near = maximum{}
		}
		if bps >= r.bps && r.near.known() {
			bps = decrease * r.near.average
		}
		r.near.add(arrived)
	}
	r.lowered, r.hadDelay = now, true
	if bps >= r.bps {
		return false
	}
	r.bps = bps
	return true
}

// maximum is the rate that arrived when delay grew, averaged: what the path carries at
// most. (gcc-02 section 5.5; the bounds of the variance are of libwebrtc's
// link_capacity_estimator.cc)
type maximum struct {
	average  float64 // 0: not known
	variance float64 // divided by average, in kbit/s
}

func (m *maximum) known() bool { return m.average > 0 }

func (m *maximum) add(bps float64) {
	if !m.known() {
		*m = maximum{average: bps, variance: 0.4}
		return
	}
	m.average += nearWeight * (bps - m.average)
	off := (m.average - bps) / 1000
	m.variance = (1-nearWeight)*m.variance + nearWeight*off*off/max(m.average/1000, 1)
	m.variance = min(max(m.variance, 0.4), 2.5)
}

func (m *maximum) spread() float64 { return nearSpread * 1000 * math.Sqrt(m.variance*m.average/1000) }
func (m *maximum) upper() float64  { return m.average + m.spread() }
func (m *maximum) lower() float64  { return max(0, m.average-m.spread()) }
