package congestion

import (
	"time"

	"github.com/pion/rtcp"
)

const (
	pacingFactor = 2.5  // times the estimate. libwebrtc: kDefaultPaceMultiplier
	pacingAbove  = 1.25 // times what the path was found to carry when it was full

	silence        = 2 * time.Second // the estimate is halved when no transport-wide feedback has come for so long
	silenceReports = 7 * time.Second // the same for reception reports, which come each 5 s (RFC 3550 section 6.2)
	silenceAgain   = time.Second     // the time from one halving to the next
)

// Config has the bounds of an estimate, all in bit/s.
type Config struct {
	Start int // the estimate until the path is known
	Min   int // Estimate is never below it
	Max   int // Estimate is never above it, and no probe is
}

// Controller estimates what one path carries. It is for one goroutine. Its methods take
// the time from media.Now; a time before that of an earlier call counts as that one.
//
// A sender calls Sent for every packet that carries a transport-wide sequence number:
// audio, video, what is sent again, and padding. It sends nothing faster than
// PacingRate, and asks for Estimate and PacingRate again after each Feedback, Reception,
// Limit, Tick, and batch of packets.
type Controller struct {
	min, max float64
	clock    time.Duration // the latest time that a caller gave

	history  history
	arrivals arrivalClock
	groups   groups
	trend    trend
	arrived  delivered
	rate     rate
	losses   losses
	idle     idle
	train    train
	prober   prober
	queue    queue

	transport bool          // feedback is transport-wide
	limit     float64       // the receiver's own estimate; 0: none
	need      float64       // what the sender can use at most; 0: not known
	capacity  float64       // what the path was found to carry when it was full; 0: it never was
	filled    int           // bytes of the train that found it
	calm      time.Duration // when delay last grew, or sending began
	newest    uint64        // number of the newest packet that was reported
	rtts      roundTrip

	unheard bool          // something was sent since the last report
	since   time.Duration // when the first of it was sent
	halved  time.Duration // when the estimate was last halved because no report came

	reception struct { // of a viewer that sends reception reports only
		at             time.Duration
		packets, bytes int // sent since
	}
}

// New returns a Controller for a path of which nothing is known.
func New(c Config) *Controller {
	n := &Controller{min: float64(c.Min), max: float64(max(c.Min, c.Max)), trend: newTrend()}
	n.rate.bps = n.clamp(float64(c.Start))
	return n
}

func (c *Controller) clamp(bps float64) float64 { return min(max(bps, c.min), c.max) }

func (c *Controller) now(now time.Duration) time.Duration {
	c.clock = max(c.clock, now)
	return c.clock
}

// Sent records a packet of size bytes (the UDP payload) that leaves now, and returns its
// transport-wide sequence number.
func (c *Controller) Sent(now time.Duration, size int) uint16 {
	now = c.now(now)
	if c.history.next == 0 {
		c.begin(now)
	}
	if !c.unheard {
		c.unheard, c.since = true, now
	}
	c.reception.packets++
	c.reception.bytes += size
	c.idle.sent(now, size, c.rate.bps)
	return c.history.add(packet{sent: now, size: uint16(min(size, 1<<16-1)), probe: c.prober.sent(now, size)})
}

func (c *Controller) begin(now time.Duration) {
	c.calm, c.idle.at, c.reception.at = now, now, now
	c.rate.hold(now)
	c.prober.initial(now, c.rate.bps, c.probeLimit())
}

// Estimate returns how many bit/s the path carries. It lies between Min and Max.
func (c *Controller) Estimate() int { return int(c.estimate()) }

func (c *Controller) estimate() float64 {
	bps := c.rate.bps * c.queue.spare(c.clock)
	if c.limit > 0 {
		bps = min(bps, c.limit)
	}
	return c.clamp(bps)
}

// PacingRate returns how many bit/s may leave now. It is the rate of a probe while one
// is under way, and otherwise above Estimate, so that a frame need not wait for the next
// one's time.
func (c *Controller) PacingRate() int {
	if probe := c.prober.rate(); probe > 0 {
		return int(probe)
	}
	e, capacity := c.estimate(), c.max
	if c.capacity > 0 {
		capacity = max(c.capacity, c.min)
	}
	switch {
	case c.queue.full(c.clock):
		return int(min(e, capacity))
	case c.clock < c.losses.careful:
		return int(e)
	case c.capacity > 0:
		return int(min(pacingFactor*e, pacingAbove*capacity))
	}
	return int(pacingFactor * e)
}

// RTT returns the round-trip time, or 0 while it is unknown.
func (c *Controller) RTT() time.Duration { return c.rtts.get(c.clock) }

// Loss returns the fraction of packets that was lost lately, from 0 to 1.
func (c *Controller) Loss() float64 { return c.losses.recent }

// Probe is for a sender that has no media waiting. It returns how many bytes of padding the
// probe that is under way needs; 0 means that no probe is under way. The sender sends the
// padding at PacingRate and, like media, in batches of no more than about 5 ms. A probe that
// is faster than what is worth padding ends.
func (c *Controller) Probe(now time.Duration) int {
	c.prober.expire(c.now(now))
	if c.prober.rate() > c.worth() {
		c.prober.cancel()
	}
	if !c.prober.active {
		return 0
	}
	return c.prober.need
}

// Need tells how many bit/s the sender can use at most; 0: not known. No padding is sent to
// find out whether the path carries more than twice of it. Media that waits, such as a key
// frame, is sent as a faster probe all the same.
func (c *Controller) Need(bps int) { c.need = float64(bps) }

// worth is the highest rate of a probe that is worth padding.
func (c *Controller) worth() float64 {
	if c.need > 0 {
		return min(probeScale*c.need, c.probeLimit())
	}
	return c.probeLimit()
}

// Tick does what is due without feedback: probes begin, and the estimate falls when
// packets are sent and no feedback comes. Call it every 25 to 100 ms.
func (c *Controller) Tick(now time.Duration) {
	now = c.now(now)
	if c.history.next == 0 {
		return
	}
	c.idle.sent(now, 0, c.rate.bps)
	c.prober.expire(now)
	limit := silence
	if !c.transport {
		limit = silenceReports
	}
	if c.unheard && now-c.since >= limit {
		if now-c.halved >= silenceAgain {
			c.halved = now
			c.lower(now, c.rate.bps/2)
		}
		return
	}
	if c.transport && !c.losses.trial {
		c.prober.due(now, c.calm, c.rate.bps, c.worth())
	}
}

// probeLimit is the highest rate of a probe.
func (c *Controller) probeLimit() float64 {
	if c.limit > 0 {
		return min(c.limit, c.max)
	}
	return c.max
}

// lower sets the estimate to less than it is.
func (c *Controller) lower(now time.Duration, bps float64) {
	before := c.rate.bps
	c.rate.bps = c.clamp(bps)
	c.rate.hold(now)
	c.losses.lowered(now)
	c.prober.cancel()
	c.prober.dropped(now, before, c.rate.bps)
}

// heard notes that a report came.
func (c *Controller) heard() { c.unheard = false }

// Feedback takes a report of draft-holmer-rmcat-transport-wide-cc-extensions-01. It
// keeps nothing of f. A report that names no packet of the last seconds is ignored.
func (c *Controller) Feedback(now time.Duration, f *rtcp.TransportLayerCC) {
	now = c.now(now)
	w := walk{seq: f.BaseSequenceNumber, left: int(f.PacketStatusCount), deltas: f.RecvDeltas, at: c.arrivals.at(f.ReferenceTime)}
	known := false
	for _, chunk := range f.PacketChunks {
		switch chunk := chunk.(type) {
		case *rtcp.RunLengthChunk:
			n := min(int(chunk.RunLength), w.left)
			if chunk.PacketStatusSymbol == rtcp.TypeTCCPacketNotReceived {
				n = w.skip(n, &c.history)
			}
			for range n {
				if s, ok := w.next(chunk.PacketStatusSymbol); ok && c.take(now, s) {
					known = true
				}
			}
		case *rtcp.StatusVectorChunk:
			for _, symbol := range chunk.SymbolList {
				if s, ok := w.next(symbol); ok && c.take(now, s) {
					known = true
				}
			}
		}
	}
	if !known {
		return
	}
	c.queue.reported(now)
	c.transport = true
	c.heard()
	if c.ended(now) {
		c.measure(now)
	}
	c.update(now)
}

// take learns what became of one packet, and reports whether that is news.
func (c *Controller) take(now time.Duration, s status) bool {
	number, ok := c.history.find(s.seq)
	if !ok {
		return false
	}
	p := c.history.at(number)
	if p.state == received || p.state == missing && !s.received {
		return false
	}
	late := p.state == missing
	c.newest = max(c.newest, number)
	if !s.received {
		p.state = missing
		c.losses.add(p.sent, true)
		if c.train.continues(p) {
			c.train.lose(p)
		}
		return true
	}
	p.state = received
	if late {
		c.losses.late(p.sent)
	} else {
		c.losses.add(p.sent, false)
		c.rtts.feedback(now, p.sent)
	}
	if s.timed && !late {
		c.arrive(now, p, s.at)
	}
	return true
}

// arrive takes the arrival of a packet that is newer than those before.
func (c *Controller) arrive(now time.Duration, p *packet, at time.Duration) {
	if !c.train.continues(p) {
		c.measure(now)
		c.train.begin(p)
	}
	c.train.add(p, at)
	c.queue.add(p.sent, at)
	left, arrived, done, ok := c.groups.add(p, at)
	if ok {
		c.arrived.add(done.complete, done.bytes)
		c.trend.add(left, arrived, done.complete)
	}
}
