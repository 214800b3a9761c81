package congestion

import "time"

const (
	// groupTime is the time within which packets leave that count as one group: what
	// leaves together arrives together. (gcc-02 section 5.2: burst_time)
	groupTime = 5 * time.Millisecond
	// groupMax bounds a group that grows because its packets arrive together, as over
	// Wi-Fi, which collects packets while the air is busy. (libwebrtc: kMaxBurstDuration)
	groupMax = 100 * time.Millisecond
	// clockJump is the most by which the time between the arrivals of two groups may differ
	// from the time between their departures. Beyond it the receiver's clock was set, or
	// the receiver lies.
	// (libwebrtc: kArrivalTimeOffsetThreshold)
	clockJump = 3 * time.Second
)

// group is packets that were sent together.
type group struct {
	first, last       time.Duration // when the first and the last packet were sent
	arrived, complete time.Duration // when the first and the last packet arrived
	bytes             int
}

// groups makes groups of packets as they are reported.
type groups struct {
	now, before group
}

// add takes a packet. When the packet begins a new group, and two groups are complete by
// then, add returns the second of them as done, and how much later than the first it left
// and arrived.
func (g *groups) add(p *packet, at time.Duration) (left, arrived time.Duration, done group, ok bool) {
	size := int(p.size)
	switch {
	case g.now.bytes == 0, at < g.now.complete-groupMax && p.sent >= g.now.first: // the clock was set back
		*g = groups{now: group{p.sent, p.sent, at, at, size}}
		return 0, 0, group{}, false
	case p.sent < g.now.first:
		return 0, 0, group{}, false // late
	case !g.ends(p, at):
		g.now.last = max(g.now.last, p.sent)
		g.now.complete = max(g.now.complete, at)
		g.now.bytes += size
		return 0, 0, group{}, false
	}
	if g.before.bytes > 0 {
		left = g.now.last - g.before.last
		arrived = g.now.complete - g.before.complete
		if arrived < 0 || arrived-left > clockJump || left-arrived > clockJump {
			*g = groups{}
			return 0, 0, group{}, false
		}
		done, ok = g.now, true
	}
	g.before = g.now
	g.now = group{p.sent, p.sent, at, at, size}
	return left, arrived, done, ok
}

// ends reports whether a packet begins a new group. A packet that was sent later belongs
// to the group all the same if it arrived just after it, closer than it left: then both
// waited for the same thing. (libwebrtc: BelongsToBurst)
func (g *groups) ends(p *packet, at time.Duration) bool {
	together := at-g.now.complete <= groupTime && at-g.now.complete < p.sent-g.now.last && at-g.now.arrived < groupMax
	return !together && p.sent-g.now.first > groupTime
}
