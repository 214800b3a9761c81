package congestion

import "time"

// rttKept is how long the round trip of a receiver report is preferred to that of
// transport-wide feedback. It is twice the time between two such reports.
const rttKept = 10 * time.Second

// Reception takes the fraction lost (in 1/256) and the round trip of a receiver report;
// rtt is 0 if the report doesn't say it. The fraction lost counts only for a viewer that
// sends no transport-wide feedback.
func (c *Controller) Reception(now time.Duration, fractionLost uint8, rtt time.Duration) {
	now = c.now(now)
	if rtt > 0 {
		c.rtts.report(now, rtt)
	}
	r := &c.reception
	from, packets, bytes := r.at, r.packets, r.bytes
	r.at, r.packets, r.bytes = now, 0, 0
	if c.transport || packets == 0 || now <= from {
		return
	}
	c.heard()
	lost := packets * int(fractionLost) / 256
	if from+lossSettle >= c.losses.begun {
		c.losses.packets += packets
		c.losses.lost += lost
		c.losses.bursts += lost // nothing is known of them
	}
	arrived := perSecond(bytes, now-from) * (1 - float64(fractionLost)/256)
	if !c.losses.trial && !c.idle.is {
		c.rate.raise(now, c.RTT(), arrived)
	} else {
		c.rate.hold(now)
	}
	c.rate.bps = c.clamp(c.losses.judge(now, now, c.rate.bps, arrived))
}

// Limit takes the receiver's own estimate in bit/s (REMB, draft-alvestrand-rmcat-remb).
// The estimate is never above it. Without transport-wide feedback the receiver is the only
// one who sees delay grow: then the estimate follows it, unless packets are lost.
func (c *Controller) Limit(bps int) {
	c.limit = max(float64(bps), 1)
	if !c.transport && !c.losses.trial && c.losses.recent <= c.losses.own+lossLow {
		c.rate.bps = c.clamp(c.limit)
	}
}

// roundTrip keeps the round-trip time. A receiver report has it exactly. What
// transport-wide feedback shows includes how long the receiver waited before it reported,
// so the shortest time that it showed lately is the closest.
type roundTrip struct {
	reported   time.Duration // by a receiver report; 0: none
	reportedAt time.Duration
	fed        time.Duration // by transport-wide feedback; 0: none
}

func (r *roundTrip) report(now, rtt time.Duration) { r.reported, r.reportedAt = rtt, now }

func (r *roundTrip) feedback(now, sent time.Duration) {
	d := max(now-sent, time.Microsecond)
	if r.fed == 0 || d < r.fed {
		r.fed = d
	} else {
		r.fed += (d - r.fed) / 256
	}
}

func (r *roundTrip) get(now time.Duration) time.Duration {
	if r.reported > 0 && (r.fed == 0 || now-r.reportedAt < rttKept) {
		return r.reported
	}
	return r.fed
}
