package congestion

import "time"

const (
	idleUse    = 0.65                   // a sender that uses less than this part of the estimate is its own limit
	idleBegin  = 0.8                    // the part of the budget that is unused when idle begins
	idleEnd    = 0.5                    // and when it ends
	idleWindow = 500 * time.Millisecond // how much time the budget holds
)

// idle tells whether the application sends less than the path carries (in libwebrtc: the
// application-limited region, ALR). What arrives then says nothing about the path. The
// values are those of libwebrtc's alr_detector.cc.
type idle struct {
	budget float64 // bits that might have been sent, and were not
	at     time.Duration
	is     bool
}

// sent takes the bytes that leave now, and bps, the estimate.
func (d *idle) sent(now time.Duration, size int, bps float64) {
	most := idleUse * bps * idleWindow.Seconds()
	d.budget += idleUse * bps * (now - d.at).Seconds()
	d.budget = max(min(d.budget, most)-float64(size)*8, -most)
	d.at = now
	if d.budget > idleBegin*most {
		d.is = true
	} else if d.budget < idleEnd*most {
		d.is = false
	}
}
