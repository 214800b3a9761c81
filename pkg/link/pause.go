package link

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

const (
	firstPause  = 500 * time.Millisecond
	longPause   = time.Minute
	servedPause = 4 * time.Second  // at most, after a session that served, however briefly
	stableAfter = 10 * time.Second // a session that lasts this long makes the next loss a new fault
	hurryPause  = time.Second      // at most, while somebody waits for the next session
)

// pauses spaces the attempts to connect: the first at once, then after about half
// a second, doubling up to a minute. Each is stretched or shortened by up to a
// half, so that a thousand devices don't come back to a broker in one moment.
//
// A session that served shows that broker and network are well. Whoever ends it again
// and again, by taking it over, must not keep the device away for a minute each time;
// and of two devices with one identity each ends the other's session, every few
// seconds and no faster.
type pauses struct {
	next  time.Duration // the connecting goroutine's alone
	hurry atomic.Int32  // how many wait for the next session
	over  chan struct{} // holds one: the pause that there is ends now
}

// wait pauses before an attempt, or until ctx ends. served is for how long the last
// session did.
func (p *pauses) wait(ctx context.Context, served time.Duration) {
	switch {
	case served > stableAfter:
		p.next = firstPause
	case served > 0:
		p.next = min(p.next, servedPause)
	}
	if p.hurry.Load() > 0 {
		p.next = min(p.next, hurryPause)
	}
	if p.next > 0 {
		t := time.NewTimer(p.next/2 + rand.N(p.next)) //nolint:gosec // jitter, not a secret
		defer t.Stop()
		select {
		case <-ctx.Done():
		case <-t.C:
		case <-p.over:
			p.next = 0
		}
	}
	p.next = min(max(2*p.next, firstPause), longPause)
}

// end ends the pause that there is.
func (p *pauses) end() {
	select {
	case p.over <- struct{}{}:
	default:
	}
}
