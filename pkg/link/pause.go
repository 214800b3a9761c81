package link

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	firstPause  = 500 * time.Millisecond
	longPause   = time.Minute
	stableAfter = 10 * time.Second // a session that lasts this long makes the next loss a new fault
)

// pauses spaces the attempts to connect: the first at once, then after about half
// a second, doubling up to a minute. Each is stretched or shortened by up to a
// half, so that a thousand devices don't come back to a broker in one moment.
type pauses struct{ next time.Duration }

// wait pauses before an attempt, or until ctx ends. fresh says that the last
// session was a stable one.
func (p *pauses) wait(ctx context.Context, fresh bool) {
	if fresh {
		p.next = firstPause
	}
	if p.next > 0 {
		t := time.NewTimer(p.next/2 + rand.N(p.next)) //nolint:gosec // jitter, not a secret
		defer t.Stop()
		select {
		case <-ctx.Done():
		case <-t.C:
		}
	}
	p.next = min(max(2*p.next, firstPause), longPause)
}
