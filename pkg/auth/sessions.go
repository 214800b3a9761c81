package auth

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/camd-project/camd/pkg/proto"
)

// session is a session that was begun. Its context is the right.
type session struct {
	id     string
	scopes []proto.Scope
	cancel context.CancelCauseFunc
	entry  uint64        // its start in the access log
	ended  chan struct{} // closed when its last write is done

	mu    sync.Mutex // held while a signal is sealed, so that they leave in order
	index uint64     // of the last signal
}

// activeSessions holds the sessions that have begun and not ended, by member. It ends those
// that lose their right. It is safe for concurrent use.
type activeSessions struct {
	members *members
	policy  *policy
	abort   func(reason string)

	mu     sync.Mutex
	barred proto.Code // why no session may begin any more; empty while they may
	of     map[proto.ClientID][]*session
}

// begin adds a session of m, unless it has no right. The right is decided once more, since
// a change after the first decision did not find this session. gone reports whether the
// membership under which m asked is over.
func (a *activeSessions) begin(m *member, gone *atomic.Bool, s *session) proto.Code {
	a.mu.Lock()
	defer a.mu.Unlock()
	code, now := a.barred, a.members.get(m.id)
	switch {
	case code != "":
	case now != nil && m.Role == proto.RoleOwner && now.Role != proto.RoleOwner: // owners are not limited in sessions
		code = proto.CodeScope
	default:
		code = a.decide(m.id, s)
	}
	// Last, since it may have become a member again before the decision.
	if gone.Load() && a.barred == "" {
		code = proto.CodeRevoked
	}
	if code == proto.CodeOK {
		a.of[m.id] = append(a.of[m.id], s)
	}
	return code
}

// decide returns whether a session may go on.
func (a *activeSessions) decide(id proto.ClientID, s *session) proto.Code {
	m := a.members.get(id)
	if m == nil {
		return proto.CodeRevoked
	}
	return a.policy.decide(m, s.scopes)
}

// end removes a session whose last write is done.
func (a *activeSessions) end(id proto.ClientID, s *session) {
	s.cancel(nil)
	a.mu.Lock()
	a.of[id] = slices.DeleteFunc(a.of[id], func(o *session) bool { return o == s })
	if len(a.of[id]) == 0 {
		delete(a.of, id)
	}
	a.mu.Unlock()
	close(s.ended)
}

// find returns a session of the client; nil if there is none.
func (a *activeSessions) find(client proto.ClientID, id string) *session {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.of[client] {
		if s.id == id {
			return s
		}
	}
	return nil
}

// scopes returns what a member sees or hears at this moment.
func (a *activeSessions) scopes(id proto.ClientID) []proto.Scope {
	a.mu.Lock()
	defer a.mu.Unlock()
	var l []proto.Scope
	for _, s := range a.of[id] {
		for _, scope := range s.scopes {
			if !slices.Contains(l, scope) {
				l = append(l, scope)
			}
		}
	}
	return l
}

// review ends the sessions that have lost their right. It looks at the clock each time: a
// timer would be wrong after the clock was set.
func (a *activeSessions) review() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for id, l := range a.of {
		for _, s := range l {
			if code := a.decide(id, s); code != proto.CodeOK {
				s.cancel(proto.Refuse(code))
			}
		}
	}
}

func everyScope(proto.Scope) bool { return true }

// cancel ends the sessions that use such a scope, and returns them for wait.
func (a *activeSessions) cancel(why proto.Code, uses func(proto.Scope) bool) []*session {
	a.mu.Lock()
	defer a.mu.Unlock()
	var cancelled []*session
	for _, l := range a.of {
		for _, s := range l {
			if slices.ContainsFunc(s.scopes, uses) {
				s.cancel(proto.Refuse(why))
				cancelled = append(cancelled, s)
			}
		}
	}
	return cancelled
}

// bar lets no session begin any more and ends all there are, which it returns for wait.
func (a *activeSessions) bar(why proto.Code) []*session {
	a.mu.Lock()
	a.barred = why
	a.mu.Unlock()
	return a.cancel(why, everyScope)
}

// whyBarred returns why nothing may begin any more; empty while it may.
func (a *activeSessions) whyBarred() proto.Code {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.barred
}

// endAll ends all sessions of these clients, and returns when the last packet to them has
// left. Cancelling a session is not ending it.
func (a *activeSessions) endAll(who []proto.ClientID, why proto.Code) {
	a.mu.Lock()
	var l []*session
	for _, id := range who {
		l = append(l, a.of[id]...)
	}
	a.mu.Unlock()
	for _, s := range l {
		s.cancel(proto.Refuse(why))
	}
	a.wait(l)
}

// patience is far above what any end takes.
const patience = 15 * time.Second

// wait returns when the last write of each session is done. If one does not end, whatever
// waits for it could never end either: then camd itself ends, and with it all its sockets.
func (a *activeSessions) wait(l []*session) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for _, s := range l {
		select {
		case <-s.ended:
		case <-timer.C:
			a.abort("a session does not end")
			<-s.ended // abort returns in tests only
		}
	}
}
