package auth

import (
	"slices"
	"time"

	"github.com/camd-project/camd/pkg/proto"
)

func everyScope(proto.Scope) bool { return true }

// review ends what has lost its right. It looks at the clock each time: a timer would
// be wrong after the clock was set.
func (g *Gate) review() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for id, p := range g.peers {
		for _, s := range p.living {
			if code := g.still(id, s); code != proto.CodeOK {
				s.cancel(proto.Refuse(code))
			}
		}
	}
}

// endAll ends what uses such a scope, and returns what to wait for.
func (g *Gate) endAll(why proto.Code, uses func(proto.Scope) bool) []*session {
	g.mu.Lock()
	defer g.mu.Unlock()
	var l []*session
	for _, p := range g.peers {
		for _, s := range p.living {
			if slices.ContainsFunc(s.scopes, uses) {
				s.cancel(proto.Refuse(why))
				l = append(l, s)
			}
		}
	}
	return l
}

// endAndWait ends all that these clients have living, and returns when the last packet
// to them has left. Cancelling is not ending.
func (a *Authority) endAndWait(who []proto.ClientID, why proto.Code) {
	a.gate.mu.Lock()
	var l []*session
	for _, id := range who {
		if p := a.gate.peers[id]; p != nil {
			l = append(l, p.living...)
		}
	}
	a.gate.mu.Unlock()
	for _, s := range l {
		s.cancel(proto.Refuse(why))
	}
	a.wait(l)
}

// patience is far above what any end takes.
const patience = 15 * time.Second

// wait returns when the last write of each is done. One that does not end holds
// whatever is to end with it: then camd itself ends, which every socket of it does too.
func (a *Authority) wait(l []*session) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for _, s := range l {
		select {
		case <-s.ended:
		case <-timer.C:
			a.cfg.Abort("a session does not end")
			<-s.ended // Abort may return in tests only
		}
	}
}

// bar lets nothing start any more and ends all that is living, which it returns.
func (g *Gate) bar(why proto.Code) []*session {
	g.mu.Lock()
	g.barred = why
	g.mu.Unlock()
	return g.endAll(why, everyScope)
}

// closed is why nothing may start any more; empty while it may.
func (g *Gate) closed() proto.Code {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.barred
}

// watching is what a member sees or hears at this moment.
func (a *Authority) watching(id proto.ClientID) []proto.Scope {
	a.gate.mu.Lock()
	defer a.gate.mu.Unlock()
	var l []proto.Scope
	if p := a.gate.peers[id]; p != nil {
		for _, s := range p.living {
			for _, scope := range s.scopes {
				if !slices.Contains(l, scope) {
					l = append(l, scope)
				}
			}
		}
	}
	return l
}

// keepTexts is how long the texts of the access log are kept. docs/protocol.md 6.5.
const keepTexts = 90 * 24 * time.Hour

// tidy is the hourly housekeeping of store and log. What fails is tried again.
func (a *Authority) tidy() {
	a.policy.time.Tick()
	_, err := a.journal.log.DropBefore(a.policy.time.Floor().Add(-keepTexts))
	if err == nil {
		_, err = a.journal.log.Merge()
	}
	if err != nil {
		a.log.Warn("the access log can't be tidied", "error", err)
	}
}
