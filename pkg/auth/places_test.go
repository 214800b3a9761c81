package auth

import (
	"fmt"
	"testing"

	"github.com/camd-project/camd/pkg/proto"
)

// One adult, by keys that it makes itself, takes neither the other members' places nor
// the owners'.
func TestOneAdultDoesNotFillTheList(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna := h.owner("Anna")
		fill := func(by *person, name string, role proto.Role, n int, then proto.Code) {
			t.Helper()
			by.must(proto.OpMembers, nil)
			for i := range n {
				by.must(proto.OpGrant, h.stranger(fmt.Sprint(name, i)).grant(role))
			}
			by.want(then, proto.OpGrant, h.stranger(name+"too many").grant(role))
		}
		adult := func(name string) *person {
			anna.must(proto.OpMembers, nil)
			return anna.lets(name, proto.RoleAdult)
		}
		bob, carl, dora, emil := adult("Bob"), adult("Carl"), adult("Dora"), adult("Emil")
		fill(bob, "bob's ", proto.RoleGuest, proto.MaxGuests, proto.CodeTooManyGuests)
		guest := h.a.members.current.Load().guestsOf(bob.id)[0]
		bob.must(proto.OpGrant, h.people[guest.id].grant(proto.RoleGuest, named("another name"))) // nobody is added
		bob.must(proto.OpRevoke, proto.Revoke{Client: guest.id})
		bob.must(proto.OpGrant, h.stranger("the next").grant(proto.RoleGuest))

		fill(carl, "carl's ", proto.RoleGuest, proto.MaxGuests, proto.CodeTooManyGuests)
		fill(dora, "dora's ", proto.RoleGuest, proto.MaxGuests, proto.CodeTooManyGuests)
		fill(emil, "emil's ", proto.RoleGuest, proto.MaxMembers-proto.OwnersPlaces-5-3*proto.MaxGuests, proto.CodeTooManyGuests)
		fill(anna, "anna's ", proto.RoleGuest, proto.OwnersPlaces, proto.CodeTooManyMembers)
		if n := h.a.members.count(); n != proto.MaxMembers {
			t.Errorf("%d members", n)
		}
	})
}

// Who answers for a member is itself, or who let the guest in.
func TestSponsor(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna, bob, carl, dora := h.household()
		for p, want := range map[*person]*person{anna: anna, bob: bob, carl: anna, dora: bob} {
			if got := p.row().caller().Sponsor; got != want.id {
				t.Errorf("%s: %s", p.name, got)
			}
		}
	})
}
