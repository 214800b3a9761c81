package auth

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/camd-project/camd/pkg/proto"
)

// maxPage bounds a page's JSON in bytes, so that its answer fits an envelope with
// checkpoint and proofs. docs/protocol.md 4.1.1.
const maxPage = 6 << 10

// Members returns all members, by role and name, for someone at the device.
func (a *Authority) Members() []proto.Member {
	l := []proto.Member{}
	for _, m := range a.members.current.Load().sorted(func(*member) bool { return true }) {
		l = append(l, proto.Member{Client: m.id, Name: m.Name, Role: m.Role, Scopes: m.Scopes, Weekly: m.Weekly, From: m.From, Until: m.Until,
			Parent: m.Parent, By: m.By, Added: m.Added / 1000, Standing: a.policy.standing(m), Watching: a.sessions.scopes(m.id)})
	}
	slices.SortStableFunc(l, func(x, y proto.Member) int { return rank(x.Role) - rank(y.Role) })
	return l
}

func rank(r proto.Role) int {
	return slices.Index([]proto.Role{proto.RoleOwner, proto.RoleAdult, proto.RoleGuest}, r)
}

// OpMembers returns the operation members. A member that may neither decide nor read the log
// sees only itself and its parent.
func (a *Authority) OpMembers() Operation {
	return Query[proto.MembersRequest]{Optional: true, Answer: a.membersPage}
}

func (a *Authority) membersPage(_ context.Context, r Request, q proto.MembersRequest) (Result, error) {
	all := a.Members()
	if !r.member.holds(membersScope) && !r.member.holds(auditScope) {
		all = slices.DeleteFunc(all, func(m proto.Member) bool { return m.Client != r.member.id && m.Client != r.member.Parent })
	}
	page := proto.MembersAnswer{Members: []proto.Member{}}
	size := 0
	for i := min(q.From, len(all)); i < len(all); i++ {
		b, err := json.Marshal(all[i])
		if size += len(b); err != nil || size > maxPage && len(page.Members) > 0 {
			page.Next = i
			break
		}
		page.Members = append(page.Members, all[i])
	}
	return Result{Body: page}, nil
}
