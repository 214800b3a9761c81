package congestion

import "time"

const (
	// deliveredWindow is the time over which the rate is measured that bounds how far an
	// estimate may grow. (gcc-02 section 5.5: 0.5 to 1 s)
	deliveredWindow = 500 * time.Millisecond
	// congestedWindow is the same for an estimate that falls. It is shorter, because what
	// arrived before the queue began to grow must not count. (libwebrtc: BitrateEstimator, kRateWindowMs)
	congestedWindow = 150 * time.Millisecond
	deliveredGroups = 128 // what arrives in deliveredWindow, in groups of groupTime, and more
)

// delivered measures at which rate packets arrive.
type delivered struct {
	groups [deliveredGroups]struct {
		at    time.Duration
		bytes int
	}
	count int64
}

func (d *delivered) add(at time.Duration, bytes int) {
	if n := d.count; n > 0 && at < d.groups[(n-1)%deliveredGroups].at {
		d.count = 0 // the receiver's clock was set
	}
	g := &d.groups[d.count%deliveredGroups]
	g.at, g.bytes = at, bytes
	d.count++
}

// rate returns the bit/s of the last window, measured from the end of one group to the
// end of another. It returns 0 if too little has arrived to tell.
func (d *delivered) rate(window time.Duration) float64 {
	if d.count < 2 {
		return 0
	}
	end := d.groups[(d.count-1)%deliveredGroups].at
	bytes, pending, span := 0, 0, time.Duration(0)
	for i := d.count - 1; i >= max(0, d.count-deliveredGroups); i-- {
		g := d.groups[i%deliveredGroups]
		if end-g.at > window {
			break
		}
		span, bytes = end-g.at, bytes+pending
		pending = g.bytes
	}
	if span < window/4 {
		return 0
	}
	return perSecond(bytes, span)
}

// perSecond returns the bit/s of so many bytes in a time above 0.
func perSecond(bytes int, d time.Duration) float64 { return float64(bytes) * 8 / d.Seconds() }
