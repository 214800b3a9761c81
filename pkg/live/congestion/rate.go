package congestion

import (
	"math"
	"time"
)

const (
	decrease     = 0.85 // of what arrives, when delay grows. gcc-02 section 5.5: beta
	increase     = 1.08 // each second, as long as the path's maximum isn't known. gcc-02: eta
	slack        = 1.5  // an estimate grows to slack times what arrives, and slackRate more, at most. gcc-02 section 5.5
	slackRate    = 10_000
	reportDelay  = 100 * time.Millisecond // gcc-02: the response time is the round trip and this
	packetBits   = 1200 * 8               // by which an estimate near the maximum grows in a response time; gcc-02: half of it
	nearWeight   = 0.05                   // of a new measurement of the maximum; gcc-02: 0.95 for the old
	nearSpread   = 3                      // standard deviations within which the maximum is thought to be. gcc-02 section 5.5
	increaseStep = time.Second            // the longest time for which one call lets the estimate grow
)

// rate is the estimate itself. It falls when delay grows, and otherwise rises: by a
// constant in each response time (additively) near a rate that was once found to be too
// high, and else by 8 % a second (multiplicatively).
type rate struct {
	bps     float64
	raised  time.Duration // until when the estimate has grown, or was held
	lowered time.Duration // when it was last lowered because delay grew
	fell    bool          // it ever was
	near    maximum
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

// congested lowers the estimate because delay grows. arrived is the rate at which packets
// arrive, or 0 if it isn't known. congested reports whether it lowered the estimate: it
// doesn't before the last fall can have shown its effect, a response time later, unless
// the estimate is far too high.
func (r *rate) congested(now, rtt time.Duration, arrived float64) bool {
	r.hold(now)
	if r.fell && now-r.lowered < rtt+reportDelay && (arrived == 0 || arrived > r.bps/2) {
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
	r.lowered, r.fell = now, true
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
	variance float64 // in kbit/s: the variance in (kbit/s)² divided by the average
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
