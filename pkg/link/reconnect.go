package link

import (
	"context"
	"errors"
	"time"
)

// renewal is a Reconnect that waits for the next session.
type renewal struct {
	old  *conn         // the connection before
	done chan struct{} // closed when another one serves
}

// Reconnect connects to the broker again, over the network that there is now, and returns
// when the new session serves. It ends the present connection at once, which may be dead
// though nobody has noticed. Pauses between attempts are short meanwhile. If ctx ends
// first, the error is a *Problem. Only one caller may wait at a time.
func (l *Link) Reconnect(ctx context.Context) error {
	if l.waits != "" {
		return &Problem{Sentence: l.waits}
	}
	l.pauses.hurry.Add(1)
	defer l.pauses.hurry.Add(-1)
	r := &renewal{done: make(chan struct{})}
	l.mu.Lock()
	r.old, l.renewal, l.last = l.conn, r, errReconnect
	stop := l.attempt
	l.mu.Unlock()
	if r.old != nil {
		r.old.cut(errReconnect)
	}
	if stop != nil {
		stop(errReconnect)
	}
	l.pauses.end()
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.renewal = nil
	why := l.last
	if why == nil || errors.Is(why, errReconnect) {
		why = context.DeadlineExceeded // it was not even refused
	}
	return l.dialer.Load().explain(why, time.Now())
}
