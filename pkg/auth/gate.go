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
	wg         sync.WaitGroup // what waits for people, and for the ends of sessions

	heard       sync.Map                     // of proto.ClientID: has shown a code, and was heard since
	nextReceipt map[proto.ClientID]time.Time // when it is sent again; only Run uses it
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
		ops: map[proto.Op]Operation{}, turns: watchdog.NewLoop(), nextReceipt: map[proto.ClientID]time.Time{},
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
