package auth

import (
	"context"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/proto"
)

// work carries out one client's requests in order, until Run ends.
func (g *Gate) work(root context.Context, mq *memberQueue) {
	for j := range mq.jobs {
		if root.Err() != nil {
			g.drops.count(dropBusy) // stopping: nothing may start any more
			continue
		}
		if j.again {
			g.reply(mq, j, j.execution.outcome) // nothing changes it any more
			continue
		}
		if !time.Now().Before(j.until) { // its client no longer waits for it
			g.drops.count(dropStale)
			g.finish(mq, j, coded(proto.CodeStale), false)
			continue
		}
		o, executed := g.execute(root, mq, j.request)
		if o.later != nil {
			g.wg.Go(func() { g.finish(mq, j, o.later(), true) })
			continue
		}
		g.finish(mq, j, o, executed)
	}
}

// execute decides about one request and carries it out, in the order of
// docs/protocol.md 5.1 from step 10 on. executed is false when nothing was done and the
// same request may be sent again.
func (g *Gate) execute(root context.Context, mq *memberQueue, r proto.Request) (o outcome, executed bool) {
	op, ok := g.ops[r.Op]
	if !ok {
		return coded(proto.CodeUnknownOp), false
	}
	c := op.read(r.Body)
	if c.kind == kindChange {
		defer g.authority.changes.begin()()
	}
	m := g.members.get(r.Issuer)
	if m == nil || mq.gone.Load() {
		return coded(proto.CodeRevoked), false
	}
	if m.Role == proto.RoleOwner {
		clock := g.policy.time.HeardOwner(r.IssuedAt)
		defer func() { o.clock = clock }()
	}
	if r.Session != "" && !validToken(r.Session) || r.Session == "" && c.kind == kindSession {
		return coded(proto.CodeBadRequest), false
	}
	if o, ok := g.authority.granted(r); ok {
		return o, o.code == proto.CodeOK // a request with another body must not replace the first
	}
	if code := g.decide(m, r, c); code != proto.CodeOK {
		return coded(code), false
	}
	if c.kind == kindSession {
		return g.begin(root, mq, m, r, c)
	}
	ctx, cancel := context.WithCancel(root)
	defer cancel()
	res, err := c.answer(ctx, g.request(m, r, g.sessions.find(m.id, r.Session)))
	o = g.outcome(r, res, err)
	if o.code == proto.CodeScope {
		g.logRefusal(m, r, c.scopes, o.code)
	}
	switch o.code {
	case proto.CodeStorage, proto.CodeStateChanged, proto.CodeInternal: // nothing has changed, as far as is known
		return o, false
	}
	return o, true
}

// decide returns whether a request may be carried out, or why not. It counts what is
// limited, and logs a refusal.
func (g *Gate) decide(m *member, r proto.Request, c call) proto.Code {
	if c.bad || !validScopes(c.scopes) {
		return proto.CodeBadRequest
	}
	code := g.policy.decide(m, c.scopes)
	whileSuspended := c.effect == Narrows && suspended(code) && (c.suspendedGuests || m.Role != proto.RoleGuest)
	if code != proto.CodeOK && !c.always && !whileSuspended {
		g.logRefusal(m, r, c.scopes, code)
		return code
	}
	if c.effect == Widens && !g.authority.journal.knows(r.Checkpoint) {
		return proto.CodeStateChanged
	}
	if c.kind != kindQuery && c.effect != Narrows && !g.allowances.mayStart(m) {
		g.drops.count(dropBusy)
		return proto.CodeBusy
	}
	if c.check != nil {
		if o := g.outcome(r, Result{}, c.check(m.caller())); o.code != proto.CodeOK {
			g.logRefusal(m, r, c.scopes, o.code)
			return o.code
		}
	}
	return proto.CodeOK
}

// logRefusal logs that a member asked for what it may not do, at most once a minute.
func (g *Gate) logRefusal(m *member, r proto.Request, scopes []proto.Scope, code proto.Code) {
	if !g.allowances.mayRefuse(m) {
		return
	}
	_, _ = g.journal.Append(accesslog.Entry{Kind: accesslog.KindRefused, Client: m.id, Name: m.Name, // the journal reports its errors
		Op: r.Op, Scopes: scopes, Network: accesslog.NetMQTT, Session: r.Session, Code: code})
}

// suspended reports whether a right with this code may come back.
func suspended(c proto.Code) bool {
	return c == proto.CodeSchedule || c == proto.CodeSuspended || c == proto.CodeClock
}

// begin begins a session: first the entry, durably, then the session itself.
func (g *Gate) begin(root context.Context, mq *memberQueue, m *member, r proto.Request, c call) (outcome, bool) {
	if g.sessions.find(m.id, r.Session) != nil {
		return coded(proto.CodeBadRequest), false // the index of its signals would begin again
	}
	entry, err := g.journal.Append(accesslog.Entry{Kind: accesslog.Kind(r.Op), Client: m.id, Name: m.Name,
		Op: r.Op, Scopes: c.scopes, Network: accesslog.NetMQTT, Session: r.Session})
	if err != nil {
		return coded(proto.CodeStorage), false
	}
	ctx, cancel := context.WithCancelCause(root)
	s := &session{id: r.Session, scopes: c.scopes, cancel: cancel, entry: entry, ended: make(chan struct{})}
	if code := g.sessions.begin(m, &mq.gone, s); code != proto.CodeOK {
		g.end(m, r, s, string(code))
		return coded(code), true
	}
	run := func() outcome {
		answer, running, err := c.begin(ctx, g.request(m, r, s))
		o := g.outcome(r, Result{Body: answer}, err)
		o.entry = &entry
		if err != nil || running == nil {
			g.end(m, r, s, string(o.code))
			return o
		}
		g.wg.Go(func() {
			<-running.Done()
			g.end(m, r, s, running.Reason())
		})
		return o
	}
	if c.slow {
		return outcome{later: run}, true
	}
	return run(), true
}

// end ends a session whose last write is done, and logs why it ended.
func (g *Gate) end(m *member, r proto.Request, s *session, reason string) {
	g.sessions.end(m.id, s)
	_, _ = g.journal.Append(accesslog.Entry{Kind: accesslog.KindEnd, Client: m.id, Name: m.Name, // the journal reports its errors
		Op: r.Op, Network: accesslog.NetMQTT, Session: s.id, Start: s.entry, Reason: reason})
}

func (g *Gate) request(m *member, r proto.Request, s *session) Request {
	q := Request{Caller: m.caller(), Session: r.Session, ID: r.ID, Signal: func(proto.SignalKind, any) {}, Cancel: func(proto.Code) bool { return false },
		member: m, body: r.Body, jws: r.JWS}
	if s != nil {
		q.Signal = func(kind proto.SignalKind, body any) { g.signal(m, s, kind, body) }
		q.Cancel = func(why proto.Code) bool { s.cancel(proto.Refuse(why)); return true }
	}
	return q
}
