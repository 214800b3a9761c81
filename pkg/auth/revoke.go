package auth

import (
	"context"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/proto"
)

// OpRevoke returns the operation that removes a member. It is answered when the change is
// durable and the last packet to everyone whom it removes has left. docs/protocol.md 5.7.
func (a *Authority) OpRevoke() Operation {
	return Change[proto.Revoke]{Effect: func(q proto.Revoke) Effect {
		if q.KeepGuests {
			return Widens // who revokes becomes their parent
		}
		return Narrows
	}, SuspendedGuests: true, Apply: a.removeMember}
}

func (a *Authority) removeMember(_ context.Context, r Request, q proto.Revoke) (Result, error) {
	by, m := r.member, a.members.get(q.Client)
	switch {
	case m == nil: // gone already, perhaps by the first sending of this request
		return Result{Body: proto.RevokeAnswer{Revoked: []proto.ClientID{}}}, nil
	case by != m && !(by.holds(membersScope) && mayDecide(by, m)):
		return Result{}, proto.Refuse(proto.CodeScope)
	case a.lastOwner(m):
		return Result{}, proto.Refuse(proto.CodeLastOwner)
	case q.KeepGuests && (by == m || by.Role == proto.RoleGuest):
		return Result{}, proto.Refuse(proto.CodeBadRequest) // who leaves can't be a parent
	}
	return a.revoke(by, m, q.KeepGuests)
}

func (a *Authority) revoke(by, m *member, keep bool) (Result, error) {
	guests := a.members.current.Load().guestsOf(m.id)
	e := actor{by}.entry(accesslog.KindRevoke)
	e.Subject, e.SubjectName, e.Keep = m.id, m.Name, keep && len(guests) > 0
	entries, answer := []accesslog.Entry{e}, proto.RevokeAnswer{Revoked: []proto.ClientID{m.id}}
	for _, g := range guests {
		if keep {
			answer.Kept = append(answer.Kept, g.id)
			continue
		}
		with := e // the log makes it refer to the first
		with.Subject, with.SubjectName, with.Keep, with.Reason = g.id, g.Name, false, reasonGuest
		entries, answer.Revoked = append(entries, with), append(answer.Revoked, g.id)
	}
	index, err := a.changes.commit(nil, func(all *snapshot, _ uint64) { all.removeWithGuests(m, by, keep) }, entries...)
	if err != nil && a.changes.interrupted != nil { // it is in the log, and is made when the store lets it
		for _, id := range answer.Revoked {
			a.policy.leaving.Store(id, true)
		}
		a.sessions.endAll(answer.Revoked, proto.CodeRevoked)
	}
	if err != nil {
		return Result{}, err
	}
	a.sessions.endAll(answer.Revoked, proto.CodeRevoked)
	a.queues.dropFormer()
	a.report()
	return Result{Body: answer, Entry: &index}, nil
}

// reasonGuest is why a guest is removed with its parent.
const reasonGuest = "guest of the one removed"
