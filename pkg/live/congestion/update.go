package congestion

import "time"

// ended reports whether the train that was reported last is complete: no packet that is
// sent later, or not reported yet, can belong to it.
func (c *Controller) ended(now time.Duration) bool {
	if p := c.history.at(c.newest + 1); p != nil {
		return !c.train.continues(p)
	}
	if c.train.probe != 0 {
		return !c.prober.active || c.prober.number != c.train.probe
	}
	return now-c.train.last > trainGap
}

// measure takes what the train tells about the path, and ends it.
func (c *Controller) measure(now time.Duration) {
	t := &c.train
	if t.packets == 0 {
		return
	}
	bytes := t.bytes
	number, least, aim := t.probe, 0, 0.0
	if number != 0 {
		least, aim = c.prober.needs[number%probeRates], c.prober.rates[number%probeRates]
	}
	m, v := t.measure(least, aim)
	*t = train{}
	if v != told {
		if number != 0 {
			c.prober.failure(now, v)
		}
		return
	}
	if aim > 0 {
		m.bps = min(m.bps, aim)
	}
	switch {
	case m.full && m.sent < c.rate.bps: // it arrived late, but not because it left too fast
	case m.full:
		c.capacity, c.filled = m.bps/trainUse, bytes
		c.prober.found = true
	case c.capacity > 0 && bytes >= c.filled/2: // a shorter train may be what a policer's token bucket lets pass
		c.capacity = max(c.capacity, m.bps)
	}
	if c.trend.usage != overuse && !c.queue.full(now) && !c.losses.trial && m.bps > c.rate.bps {
		c.rate.bps = c.clamp(m.bps)
		c.rate.hold(now)
		if c.rate.near.known() && c.rate.bps > c.rate.near.upper() {
			c.rate.near = maximum{}
		}
	}
	if number != 0 {
		c.prober.result(now, number, m.bps, c.rate.bps, c.probeLimit())
	}
}

// update moves the estimate after a report.
func (c *Controller) update(now time.Duration) {
	rtt, recent := c.RTT(), c.arrived.rate(congestedWindow)
	arrived := max(c.arrived.rate(deliveredWindow), recent)
	before := c.rate.bps
	switch {
	case c.trend.usage == overuse:
		c.calm, c.prober.found = now, true
		c.prober.cancel()
		if c.rate.congested(now, rtt, recent) {
			c.losses.lowered(now)
		}
	case c.trend.usage == underuse, c.idle.is, c.losses.trial:
		c.rate.hold(now)
	default:
		c.rate.raise(now, rtt, arrived)
	}
	c.rate.bps = c.clamp(c.losses.judge(now, c.history.at(c.newest).sent, c.rate.bps, arrived))
	if c.rate.bps < before {
		c.prober.dropped(now, before, c.rate.bps)
	}
}
