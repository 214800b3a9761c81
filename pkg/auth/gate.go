package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/watchdog"
)

// Sender takes sealed messages to clients. Neither method blocks.
type Sender interface {
	Send(to proto.ClientID, msg []byte) error
	// Notify is Send for what must not be lost: it goes before all else. If it returns
	// nil done is called once, when the message is with the broker or that can't be known.
	Notify(to proto.ClientID, msg []byte, done func(error)) error
}

// Caller is the member who made a request.
type Caller struct {
	Client  proto.ClientID
	Account string         // the allowance that it draws on: see Gate.Account
	Sponsor proto.ClientID // who answers for it: itself, or of a guest its parent
	Name    string
	Role    proto.Role
	Scopes  []proto.Scope
}

// Request is a request that was verified, is fresh, and is allowed.
type Request struct {
	Caller  Caller
	Session string
	ID      string
	// Signal signs, seals and sends a signal of the session; their index rises in
	// the order of the calls. Safe from any goroutine; does nothing outside a
	// session of the caller's.
	Signal func(kind proto.SignalKind, body any)

	member *member
	body   json.RawMessage // as it was sent
	jws    []byte          // as it was signed
}

// Running is what goes on after the answer to a Session.
type Running interface {
	Done() <-chan struct{} // closed when the last write is done
	Reason() string        // why it ended; called after Done
}

// Result is what came of a Query or a Change.
type Result struct {
	Body  any     // of the answer, as JSON; nil for none
	Entry *uint64 // its entry in the access log, if it made one
}

// Timing of Run. docs/protocol.md 5.3, 5.4.
const (
	nonceLife     = time.Minute // a nonce is live for two of them
	hostilePeriod = time.Hour
	reviewPeriod  = time.Second // how often the rights to what is living are decided again
)

// appender is the access log as the gate needs it.
type appender interface {
	Append(...accesslog.Entry) (uint64, error)
}

// Gate is the one way in for a request. Receive decides in the order of
// docs/protocol.md 5.1, without I/O. What it admits is carried out by one
// goroutine for each client, in order, so a slow handler holds up its own client
// only; each client's queue is bounded and the next request is answered busy.
type Gate struct {
	authority *Authority
	device    proto.DeviceID
	household *household
	members   *members
	policy    *policy
	journal   appender
	sender    Sender
	log       *slog.Logger

	queues     *queues
	sessions   *activeSessions
	allowances *allowances
	notices    *notices
	ops        map[proto.Op]Operation // not changed once Run is called
	drops      drops
	turns      watchdog.Loop
	codes      codes
	wg         sync.WaitGroup // what waits for people, and for the ends of sessions
}

// Deps is what the daemon makes after Open, since it needs what Open returned.
type Deps struct {
	Sender      Sender         // to the members
	Capture     CaptureDevices // for privacy mode; nil: there are none
	Provisioner Provisioner    // nil: the device can't be set up
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
		authority: a, device: a.identity.DeviceID(), household: a.household, members: a.members, policy: a.policy,
		journal: a.journal, sender: d.Sender, log: a.log, queues: a.queues, sessions: a.sessions, allowances: a.allowances, notices: a.journal.notices,
		ops: map[proto.Op]Operation{}, turns: watchdog.NewLoop(),
	}
}

// Handle adds an operation. Call it before Run.
func (g *Gate) Handle(op proto.Op, o Operation) { g.ops[op] = o }

// String names the component.
func (g *Gate) String() string { return "auth" }

// Turn returns nil when the gate has come round: it has reviewed the sessions, and nothing
// that it needs is held for long, the access log neither.
func (g *Gate) Turn(ctx context.Context) error { return g.turns.Turn(ctx) }

// Account names the allowance that a client draws on: its own, or the one that all
// guests of a member share; false for one that is no member. It takes no lock.
func (g *Gate) Account(c proto.ClientID) (string, bool) {
	m := g.members.get(c)
	if m == nil {
		return "", false
	}
	return m.account(), true
}

// Drops is what was dropped since the start.
func (g *Gate) Drops() accesslog.Drops { return since(g.drops.snapshot(), [dropKinds]uint64{}) }

// Run takes requests until ctx ends. Then every right ends, and Run returns when
// all that was living under one is done and its end is logged.
func (g *Gate) Run(ctx context.Context, ready func()) error {
	root, cancel := context.WithCancel(ctx)
	g.queues.open(root, g.work)
	told, stop := make(chan struct{}), make(chan struct{})
	go func() { defer close(told); g.sendNotices(stop) }()
	ready()
	g.keepTime(ctx)
	g.queues.close()
	cancel()
	g.queues.workers.Wait()
	g.wg.Wait()
	close(stop)
	<-told
	return nil
}

// keepTime rotates the nonces, reports what was dropped, and looks whether rights
// have ended.
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
			g.confirm()
			g.notices.wakeUp() // some may have the right to hear only now
		case turned := <-g.turns:
			g.sessions.review()
			g.queues.idle()
			g.authority.journal.idle()
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

// admit hands a request to its member's queue, and answers what is decided there.
func (g *Gate) admit(m *member, r proto.Request) {
	if m.Code != "" {
		g.codes.hear(m.id)
	}
	seq, o, drop := g.queues.add(m, r)
	if drop >= 0 {
		g.drops.count(drop)
	}
	if o != nil {
		g.answer(m, r.ID, seq, *o)
	}
}

// Receive decides about one sealed message from a topic of client from. It does
// no I/O and never blocks. The caller has checked the size and the rate.
func (g *Gate) Receive(_ context.Context, from proto.ClientID, msg []byte) {
	r, err := envelope.OpenRequest(msg, g.household.enc, g.members.signingKey)
	if err != nil {
		g.drops.count(dropOf(err))
		return
	}
	switch {
	case r.Issuer != from:
		g.drops.count(dropTopic)
	case r.Audience != g.device:
		g.drops.count(dropAudience)
	case r.Epoch != g.household.epoch:
		g.drops.count(dropEpoch)
	case !validToken(r.ID), r.Sequence > maxInteger:
		g.drops.count(dropClaims)
	default:
		if m := g.members.get(r.Issuer); m != nil {
			g.admit(m, r)
			return
		}
		g.drops.count(dropUnknown)
		g.tellFormer(r)
	}
}

// tellFormer tells someone who was removed, and nothing else: no nonce, no log.
func (g *Gate) tellFormer(r proto.Request) {
	if f := g.members.former(r.Issuer); f != nil {
		g.send(proto.Answer{Issuer: g.device, Audience: f.id, Epoch: g.household.epoch, Re: r.ID, Code: proto.CodeRevoked}, f.key)
	}
}

const (
	maxToken   = 64
	maxInteger = 1<<53 - 1 // what every JSON reader keeps exactly, docs/protocol.md 1.5
)

// validToken reports whether s can be a jti or sid: 1 to 64 characters that need no
// escaping anywhere. docs/protocol.md 5.1.
func validToken(s string) bool {
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return s != "" && len(s) <= maxToken
}

// answer answers at once, without I/O: the access log is not proved.
func (g *Gate) answer(m *member, id string, seq uint64, o outcome) {
	g.send(g.newAnswer(m, id, seq, o), m.key)
}

// answerProved answers with what the log can prove.
func (g *Gate) answerProved(m *member, r proto.Request, seq uint64, o outcome) {
	a := g.newAnswer(m, r.ID, seq, o)
	p := g.authority.journal.prove(r.Checkpoint, o.entry)
	if p.rolledBack {
		g.authority.rollback(m)
		p = g.authority.journal.prove(r.Checkpoint, o.entry)
	}
	a.Checkpoint, a.Proof = p.checkpoint, p.proof
	g.send(a, m.key)
}

// newAnswer gives a nonce to members only: who leaves takes none along that is live.
func (g *Gate) newAnswer(m *member, id string, seq uint64, o outcome) proto.Answer {
	nonce := g.queues.nonces.fresh()
	if g.members.get(m.id) == nil { // in this order, so that one of before is renewed
		nonce = ""
	}
	return proto.Answer{Issuer: g.device, Audience: m.id, Epoch: g.household.epoch, Re: id,
		Code: o.code, Nonce: nonce, Sequence: seq, Body: o.body, Clock: o.clock, Noticed: g.notices.newestFor(m, g.authority.journal.noticed.Load())}
}

// send signs, seals and sends an answer.
func (g *Gate) send(a proto.Answer, to envelope.PublicKey) {
	msg, err := envelope.SealAnswer(a, g.household.sig, to.Enc)
	if errors.Is(err, envelope.ErrOversized) {
		g.log.Error("answer is too large", "client", string(a.Audience), "error", err)
		a.Code, a.Body = proto.CodeInternal, nil
		msg, err = envelope.SealAnswer(a, g.household.sig, to.Enc)
	}
	if err == nil {
		err = g.sender.Send(a.Audience, msg)
	}
	if err != nil { // the sender counts and reports: a broker can bring this about at will
		g.log.Debug("answer not sent", "client", string(a.Audience), "error", err)
	}
}

// sendSignal signs, seals and sends one signal.
func (g *Gate) sendSignal(m *member, s proto.Signal, body any) error {
	var err error
	if s.Body, err = json.Marshal(body); err != nil {
		return fmt.Errorf("write signal: %w", err)
	}
	s.Issuer, s.Audience, s.Epoch = g.device, m.id, g.household.epoch
	msg, err := envelope.SealSignal(s, g.household.sig, m.key.Enc)
	if err != nil {
		return fmt.Errorf("seal signal: %w", err)
	}
	return g.sender.Send(m.id, msg)
}
