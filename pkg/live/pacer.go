package live

import "time"

// Bounds of what leaves at once. A receiver's socket holds about 90 packets by Linux's
// default, and fewer in a browser. A large key frame that leaves by one system call would
// fill it before the receiver reads.
const (
	batchTime  = 5 * time.Millisecond // a batch is what the path carries in this time
	leastBatch = 1200                 // bytes: one packet
	mostBatch  = 32 << 10             // bytes
	// firstBatch may leave at once before anything is known of a path (RFC 6928 allows
	// ten segments).
	firstBatch = 12 * leastBatch // bytes
)

// pacer spreads packets over time by a token bucket. The bucket holds one batch, so what
// leaves within a time d is at most one batch, one packet, and what the rate allows in d.
type pacer struct {
	rate   float64 // bytes/s
	batch  float64 // bytes
	tokens float64 // bytes that may leave; below 0 by the packet that used up the last ones
	at     time.Duration
	paused bool // nothing leaves until the viewer's timer, set to pause, has fired
}

func newPacer() pacer { return pacer{tokens: firstBatch} }

// refill adds the tokens that have come at the rate until now, and sets the rate from now
// on, in bit/s. Of firstBatch it takes nothing away.
func (p *pacer) refill(now time.Duration, bps int) {
	if p.at != 0 && p.tokens < p.batch {
		p.tokens = min(p.batch, p.tokens+p.rate*max(now-p.at, 0).Seconds())
	}
	p.at, p.rate = now, float64(bps)/8
	p.batch = min(max(p.rate*batchTime.Seconds(), leastBatch), mostBatch)
}

// open reports whether a packet may leave.
func (p *pacer) open() bool { return !p.paused && p.tokens > 0 }

// spend takes the tokens for a packet that has left.
func (p *pacer) spend(size int) { p.tokens -= float64(size) }

// pause returns how long it takes until a whole batch may leave.
func (p *pacer) pause() time.Duration {
	return time.Duration((p.batch - p.tokens) / p.rate * float64(time.Second))
}
