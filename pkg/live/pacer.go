package live

import "time"

// Bounds of what leaves at once. A receiver's socket takes about 90 packets by Linux's
// default and fewer in a browser; a large key frame that leaves by offload would be there
// before anyone reads.
const (
	batchTime  = 5 * time.Millisecond // of the path's rate
	leastBatch = 1200                 // bytes: one packet
	mostBatch  = 32 << 10             // bytes
	// nearRate is for a viewer in the same network: 32 KiB in each millisecond.
	nearRate = mostBatch * 8 * 1000 // bit/s
	// firstBatch leaves at once before anything is known of a path (RFC 6928 has ten
	// segments).
	firstBatch = 12 * leastBatch // bytes
)

// pacer spreads packets over time by a token bucket. The bucket holds one batch, so in
// any time d leave at most the batch, a packet, and what the rate allows in d.
type pacer struct {
	rate   float64 // bytes/s
	batch  float64 // bytes
	tokens float64 // bytes that may leave; below 0 by the packet that used up the last ones
	at     time.Duration
	paused bool // until a batch may leave again
}

func newPacer() pacer { return pacer{tokens: firstBatch} }

// refill sets the rate in bit/s from now on.
func (p *pacer) refill(now time.Duration, bps int) {
	if p.at != 0 && p.tokens < p.batch {
		p.tokens = min(p.batch, p.tokens+p.rate*max(now-p.at, 0).Seconds())
	}
	p.at, p.rate = now, float64(bps)/8
	p.batch = min(max(p.rate*batchTime.Seconds(), leastBatch), mostBatch)
}

// open reports whether a packet may leave.
func (p *pacer) open() bool { return !p.paused && p.tokens > 0 }

// spend takes what has left.
func (p *pacer) spend(size int) { p.tokens -= float64(size) }

// pause returns how long it takes until a batch may leave.
func (p *pacer) pause() time.Duration {
	return time.Duration((p.batch - p.tokens) / p.rate * float64(time.Second))
}
