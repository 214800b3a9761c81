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
	hurryPause  = time.Second      // at most, while Reconnect waits
)

// pauses spaces the attempts to connect: the first at once, then after about half
// a second, doubling up to a minute.
//
// A session that served shows that broker and network work. Somebody who ends it again and
// again, by taking it over, must not keep the device away for a minute each time. Two
// devices with the same identity end each other's sessions, every few seconds and no faster.
type pauses struct {
	backoff backoff.Backoff // only the connecting goroutine uses it, and begun
	begun   bool            // the first attempt was made
	hurry   atomic.Int32    // number of Reconnects that wait
	over    chan struct{}   // holds one: the present pause ends now
}

func newPauses() *pauses {
	return &pauses{backoff: backoff.Backoff{First: firstPause, Max: longPause}, over: make(chan struct{}, 1)}
}

// wait waits before an attempt, or until ctx ends. served is how long the last session
// served.
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

// end ends the present pause.
func (p *pauses) end() {
	select {
	case p.over <- struct{}{}:
	default:
	}
}
