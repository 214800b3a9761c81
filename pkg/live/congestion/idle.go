package congestion

import "time"

const (
	idleUse    = 0.65 // of the estimate; a sender that stays below it is limited by its own
	idleBegin  = 0.8  // of the budget unused
	idleEnd    = 0.5
	idleWindow = 500 * time.Millisecond
)

// idle tells whether the application sends less than the path carries. What arrives then
// says nothing about the path. The values are those of libwebrtc's alr_detector.cc.
type idle struct {
	budget float64 // bits that might have been sent
	at     time.Duration
	is     bool
}

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
