package link

import (
	"context"
	"errors"
	"time"
)

// renewal is somebody who waits for the next session.
type renewal struct {
	not  *conn         // the connection of before
	came chan struct{} // closed when another one serves
}

// Reconnect connects to the broker once more, over whatever network there is now, and returns
// when that session serves. Until then attempts follow one another soon; the present
// connection, which may be dead without anybody having noticed, is ended at once. If ctx
// ends before, the error is a *Problem. One caller at a time may wait.
func (l *Link) Reconnect(ctx context.Context) error {
	if l.waits != "" {
		return &Problem{Sentence: l.waits}
	}
	l.pauses.hurry.Add(1)
	defer l.pauses.hurry.Add(-1)
	r := &renewal{came: make(chan struct{})}
	l.mu.Lock()
	r.not, l.renewal, l.last = l.conn, r, errReconnect
	stop := l.attempt
	l.mu.Unlock()
	if r.not != nil {
		r.not.cut(errReconnect)
	}
	if stop != nil {
		stop(errReconnect)
	}
	l.pauses.end()
	select {
	case <-r.came:
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

// renewed tells whoever waits for it that a session serves.
func (l *Link) renewed(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.renewal != nil && c != l.renewal.not {
		close(l.renewal.came)
		l.renewal = nil
	}
}
