package auth

import (
	"context"
	"sync"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
)

// Timing of Run. docs/protocol.md 5.4.
const (
	tidyPeriod    = time.Minute
	hostilePeriod = time.Hour
	reviewPeriod  = time.Second // how often the rights of active sessions are decided again
)

// Run takes requests until ctx ends. Then every right ends, and Run returns when all sessions
// have ended and their ends are logged.
func (g *Gate) Run(ctx context.Context, ready func()) error {
	root, cancel := context.WithCancel(ctx)
	g.queues.open(root, g.work)
	sent, stop := make(chan struct{}), make(chan struct{})
	go func() { defer close(sent); g.notices.run(stop, g.sender, g.pusher) }()
	ready()
	g.keepTime(ctx)
	g.queues.close()
	cancel()
	g.queues.workers.Wait()
	g.wg.Wait()
	close(stop)
	<-sent
	return nil
}

// keepTime reviews the sessions, reports what was dropped, and tidies up.
func (g *Gate) keepTime(ctx context.Context) {
	tidy, report, review := time.NewTicker(tidyPeriod), time.NewTicker(hostilePeriod), time.NewTicker(reviewPeriod)
	defer tidy.Stop()
	defer report.Stop()
	defer review.Stop()
	var logged, entered [dropKinds]uint64
	for {
		select {
		case <-ctx.Done():
			return
		case <-review.C:
			g.sessions.review()
			g.sendReceipts()
			g.notices.wakeUp() // a suspension may have ended
		case turned := <-g.turns:
			g.sessions.review()
			waitUnlocked(&g.queues.mu)
			waitUnlocked(&g.authority.journal.order)
			turned()
		case <-tidy.C:
			g.allowances.forget()
			g.authority.changes.retry()
			now := g.drops.snapshot()
			logDrops(g.log, since(now, logged))
			logged = now
		case <-report.C:
			now := g.drops.snapshot()
			if d := since(now, entered); hostile(d) {
				_, _ = g.journal.Append(accesslog.Entry{Kind: accesslog.KindHostile, Drops: &d}) // the journal reports its errors
			}
			entered = now
			g.policy.time.Tick()
			g.authority.journal.tidy(g.policy.time.Floor())
		}
	}
}

// waitUnlocked waits until nobody holds the lock.
func waitUnlocked(l sync.Locker) {
	l.Lock()
	defer l.Unlock()
}

// Online sends the notices that wait, and the final notices of the epoch before. It is called
// when the broker was reached.
func (g *Gate) Online() {
	if err := sendFinalNotices(g.authority.trust, g.sender, g.log); err != nil {
		g.log.Warn("not all final notices of the epoch before were sent", "error", err)
	}
	g.notices.retryNow()
}
