package auth

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/watchdog"
)

// Timing of Run. docs/protocol.md 5.3, 5.4.
const (
	nonceLife     = time.Minute // a nonce is live for two of them
	hostilePeriod = time.Hour
	reviewPeriod  = time.Second // how often the rights of active sessions are decided again
)

// appender is the access log as the gate needs it.
type appender interface {
	Append(...accesslog.Entry) (uint64, error)
}

// Gate is the only way in for a request. Receive decides without I/O whether a request gets
// into the queue of its member. One goroutine for each member carries out what is in the
// queue, in order, so a slow operation delays only its own client. The queue is bounded;
// when it is full the next request is answered busy.
type Gate struct {
	authority *Authority
	device    proto.DeviceID
	keys      *householdKeys
	members   *members
	policy    *policy
	journal   appender
	sender    Sender
	pusher    Pusher
	log       *slog.Logger

	queues     *queues
	sessions   *activeSessions
	allowances *allowances
	notices    *notices
	ops        map[proto.Op]Operation // not changed once Run is called
	drops      drops
	turns      watchdog.Loop
	receipts   receiptState
	wg         sync.WaitGroup // what waits for people, and for the ends of sessions
}

// NewGate returns the gate of this authority. It is called once, before anything runs. If
// privacy mode is on, it closes the capture devices.
func (a *Authority) NewGate(d Deps) *Gate {
	if d.Provisioner != nil {
		a.provisioner = d.Provisioner
	}
	if d.Capture != nil {
		a.capture = d.Capture
		if a.policy.privacy.Load() {
			d.Capture.SetPrivacy(true)
		}
	}
	return &Gate{
		authority: a, device: a.identity.DeviceID(), keys: a.keys, members: a.members, policy: a.policy,
		journal: a.journal, sender: d.Sender, pusher: d.Pusher, log: a.log, queues: a.queues, sessions: a.sessions, allowances: a.allowances, notices: a.journal.notices,
		ops: map[proto.Op]Operation{}, turns: watchdog.NewLoop(),
	}
}

// Handle adds an operation. Call it before Run.
func (g *Gate) Handle(op proto.Op, o Operation) { g.ops[op] = o }

// String names the component.
func (g *Gate) String() string { return "auth" }

// Turn returns nil when the gate has gone once through its loop, so that nothing that it needs
// is blocked: sessions, queues, the access log.
func (g *Gate) Turn(ctx context.Context) error { return g.turns.Turn(ctx) }

// Account returns the name of the allowance that a client uses: its own, or the one that all
// guests of a member share. It returns false if the client is no member. It takes no lock.
func (g *Gate) Account(c proto.ClientID) (string, bool) {
	m := g.members.get(c)
	if m == nil {
		return "", false
	}
	return m.account(), true
}

// Drops returns the number of messages dropped since the start.
func (g *Gate) Drops() accesslog.Drops { return since(g.drops.snapshot(), [dropKinds]uint64{}) }

// Run takes requests until ctx ends. Then every right ends, and Run returns when all sessions
// have ended and their ends are logged.
func (g *Gate) Run(ctx context.Context, ready func()) error {
	root, cancel := context.WithCancel(ctx)
	g.queues.open(root, g.work)
	sent, stop := make(chan struct{}), make(chan struct{})
	go func() { defer close(sent); g.sendNotices(stop) }()
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

// keepTime rotates the nonces, reports what was dropped, and reviews the sessions.
func (g *Gate) keepTime(ctx context.Context) {
	rotate, report, review := time.NewTicker(nonceLife), time.NewTicker(hostilePeriod), time.NewTicker(reviewPeriod)
	defer rotate.Stop()
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
			g.queues.waitUnlocked()
			g.authority.journal.waitUnlocked()
			turned()
		case <-rotate.C:
			g.queues.nonces.rotate()
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
