package auth

import (
	"crypto/sha256"
	"encoding/json"
	"maps"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/camd-project/camd/pkg/proto"
)

// Bounds of what is kept in RAM for each member. docs/protocol.md 5.5.
const (
	maxQueue       = 32
	maxFirst       = 32
	maxFirstBytes  = 64 << 10
	firstLife      = 10 * time.Minute
	refusalsPerLog = time.Minute // one refusal of a member is logged in it

	// Each start writes two entries: without a limit, one member's client could push
	// everyone's out of the log within the hour, and wear the flash.
	maxStarts  = 120 // at once
	startEvery = time.Minute
)

// peer is what the gate keeps of one member since the start. Gate.mu guards it,
// except for what one goroutine alone uses.
type peer struct {
	member  *member
	highest uint64      // sequence
	queue   chan job    // to its worker; closed when Run ends, or by dismiss
	firsts  []*first    // of executed requests, oldest first
	living  []*session  // what it began and what has not ended
	gone    atomic.Bool // dismissed: what waits in its queue is of a membership that is over
}

// limits bounds what a member, or all guests of one together, may make the device log:
// an adult could invite sixty keys of its own.
type limits struct{ starts, refusals *rate.Limiter }

// account names what a member draws on. Guests never use up what their parent has.
func (m *member) account() string {
	if m.Parent != "" {
		return "guests of " + string(m.Parent)
	}
	return string(m.id)
}

// sponsor is who answers for a member: itself, or of a guest who let it in.
func (m *member) sponsor() proto.ClientID {
	if m.Parent != "" {
		return m.Parent
	}
	return m.id
}

// limitsOf returns the limits of m. g.mu is held.
func (g *Gate) limitsOf(m *member) limits {
	l, ok := g.limits[m.account()]
	if !ok {
		l = limits{rate.NewLimiter(rate.Every(startEvery), maxStarts), rate.NewLimiter(rate.Every(refusalsPerLog), 1)}
		g.limits[m.account()] = l
	}
	return l
}

// mayStart reports whether m may start something that is logged, and counts it.
func (g *Gate) mayStart(m *member) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.limitsOf(m).starts.Allow()
}

// mayRefuse reports whether a refusal of m is logged, and counts it.
func (g *Gate) mayRefuse(m *member) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.limitsOf(m).refusals.Allow()
}

// job is an admitted request on its way to the worker.
type job struct {
	request proto.Request
	first   *first
	again   bool // it was carried out; its first answer is to be given again
}

// outcome is what an answer says.
type outcome struct {
	code  proto.Code
	body  json.RawMessage
	entry *uint64 // in the access log
	clock int64   // proto.Answer.Clock

	later func() outcome // what it will be, once whoever it waits for has acted; nil: this is it
}

func coded(c proto.Code) outcome { return outcome{code: c} }

// first is the first answer to a request, given again when it is repeated.
type first struct {
	id      string
	digest  [sha256.Size]byte // of what must not change in a repetition
	done    bool              // else it is in flight
	outcome outcome
	at      time.Time
}

// digest covers what a retry keeps. Lengths are not needed: op and sid can't hold
// a line end.
func digest(r proto.Request) [sha256.Size]byte {
	return sha256.Sum256(append([]byte(string(r.Op)+"\n"+r.Session+"\n"), r.Body...))
}

// admit decides about nonce, sequence and repetition, and passes a request on to
// its client's worker.
func (g *Gate) admit(m *member, r proto.Request) {
	if m.Code != "" {
		g.codes.hear(m.id)
	}
	g.mu.Lock()
	seq, o, drop := g.judge(m, r)
	g.mu.Unlock()
	if drop >= 0 {
		g.drops.count(drop)
	}
	if o != nil {
		g.answer(m, r.ID, seq, *o)
	}
}

// judge returns the highest sequence, an answer if there is one already, and
// what to count, or -1. Gate.mu is held.
func (g *Gate) judge(m *member, r proto.Request) (uint64, *outcome, drop) {
	if g.root == nil {
		return 0, nil, dropBusy // not serving yet, or stopping
	}
	p := g.peer(m)
	if r.Op == proto.OpHello {
		return p.highest, &outcome{code: proto.CodeOK}, -1
	}
	if !g.nonces.live(r.Nonce) {
		return p.highest, &outcome{code: proto.CodeStale}, dropStale
	}
	if r.Sequence <= p.highest {
		return p.highest, &outcome{code: proto.CodeStale}, dropReplay
	}
	p.highest = r.Sequence
	f := p.find(r.ID)
	again := f != nil
	switch {
	case again && f.digest != digest(r):
		return p.highest, &outcome{code: proto.CodeBadRequest}, -1
	case again && !f.done:
		return p.highest, nil, dropDuplicate // its answer is on the way
	case !again:
		f = &first{id: r.ID, digest: digest(r), at: time.Now()}
	}
	select {
	case p.queue <- job{request: r, first: f, again: again}:
		if !again {
			p.firsts = append(p.firsts, f)
		}
		return p.highest, nil, -1
	default:
		return p.highest, &outcome{code: proto.CodeBusy}, dropBusy
	}
}

// peer finds or makes what is kept of a member, and starts its worker.
func (g *Gate) peer(m *member) *peer {
	p := g.peers[m.id]
	if p == nil {
		p = &peer{queue: make(chan job, maxQueue)}
		g.peers[m.id] = p
		root := g.root
		g.wg.Go(func() { g.work(root, p) })
	}
	p.member = m
	return p
}

// dismiss drops what is kept of those who are no members any more, and with it every
// nonce of their time: if they are let in again, nothing counts that they sent before,
// were it held back on its way or still in their queue. docs/protocol.md 5.3.
func (g *Gate) dismiss() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.nonces.renew()
	for id, p := range g.peers {
		if g.members.get(id) == nil {
			p.gone.Store(true)
			close(p.queue)
			delete(g.peers, id)
		}
	}
}

// forget drops the limits that are like new ones.
func (g *Gate) forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	maps.DeleteFunc(g.limits, func(_ string, l limits) bool {
		return l.starts.Tokens() >= maxStarts && l.refusals.Tokens() >= 1
	})
}

// find looks for a request that was executed or is in flight.
func (p *peer) find(id string) *first {
	for _, f := range p.firsts {
		if f.id == id && (!f.done || time.Since(f.at) < firstLife) {
			return f
		}
	}
	return nil
}

// settle keeps the first answer to a request, or forgets the request when it was
// not executed, and keeps the bounds.
func (g *Gate) settle(p *peer, f *first, o outcome, executed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f.outcome, f.done, f.at = o, true, time.Now()
	bytes, count := 0, 0
	kept := make([]*first, 0, len(p.firsts))
	for i := len(p.firsts) - 1; i >= 0; i-- { // newest first
		old := p.firsts[i]
		if old.done {
			bytes, count = bytes+len(old.outcome.body), count+1
			if old == f && !executed || bytes > maxFirstBytes || count > maxFirst || time.Since(old.at) >= firstLife {
				continue
			}
		}
		kept = append(kept, old)
	}
	for i, j := 0, len(kept)-1; i < j; i, j = i+1, j-1 {
		kept[i], kept[j] = kept[j], kept[i]
	}
	p.firsts = kept
}
