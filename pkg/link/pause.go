package link

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/camd-project/camd/pkg/backoff"
)

const (
	firstPause  = 500 * time.Millisecond
	longPause   = time.Minute
	servedPause = 4 * time.Second  // at most, after a session that served, however briefly
	stableAfter = 10 * time.Second // a session that lasts this long makes the next loss a new fault
	hurryPause  = time.Second      // at most, while somebody waits for the next session
)

// pauses spaces the attempts to connect: the first at once, then after about half
// a second, doubling up to a minute.
//
// A session that served shows that broker and network are well. Whoever ends it again
// and again, by taking it over, must not keep the device away for a minute each time;
// and of two devices with one identity each ends the other's session, every few
// seconds and no faster.
type pauses struct {
	backoff backoff.Backoff // only the connecting goroutine uses it, and begun
	begun   bool            // the first attempt was made
	hurry   atomic.Int32    // how many wait for the next session
	over    chan struct{}   // holds one: the pause that there is ends now
}

func newPauses() *pauses {
	return &pauses{backoff: backoff.Backoff{First: firstPause, Max: longPause}, over: make(chan struct{}, 1)}
}

// wait pauses before an attempt, or until ctx ends. served is for how long the last
// session did.
func (p *pauses) wait(ctx context.Context, served time.Duration) {
	switch {
	case served > stableAfter:
		p.backoff.Reset()
	case served > 0:
		p.backoff.Limit(servedPause)
	}
	if p.hurry.Load() > 0 {
		p.backoff.Limit(hurryPause)
	}
	if !p.begun {
		p.begun = true
		return
	}
	t := time.NewTimer(p.backoff.Next())
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	case <-p.over:
		p.backoff.Reset()
	}
}

// end ends the pause that there is.
func (p *pauses) end() {
	select {
	case p.over <- struct{}{}:
	default:
	}
}
