package attack

import (
	"path/filepath"
	"testing"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/proto"
)

// earlier keeps the storage as it is before Cara is removed. Anna is the owner, Ben is
// another, and Cara a guest.
type earlier struct {
	*house
	ben   *client.Camera
	cara  *client.Camera
	store string
}

func newEarlier(t *testing.T) earlier {
	t.Helper()
	h := newHome(t)
	e := earlier{house: h, store: filepath.Join(t.TempDir(), "store")}
	e.ben = h.Invite(h.owner, proto.Grant{Name: "Ben", Role: proto.RoleOwner})
	e.cara = h.Invite(h.owner, proto.Grant{Name: "Cara"})
	h.look(e.cara)
	h.stop()
	copyTo(t, e.store, filepath.Join(h.State(), "store"))
	h.again()
	h.does(h.probe, proto.OpRevoke, proto.Revoke{Client: e.cara.Keys().ID()}, proto.CodeOK)
	h.look(h.owner)
	return e
}

// back puts files of the store back to before the removal.
func (e earlier) back(files ...string) {
	e.t.Helper()
	e.stop()
	for _, f := range files {
		putBack(e.t, filepath.Join(e.State(), "store", f), filepath.Join(e.store, f))
	}
}

// The members' file alone is older: the log knows the removal, which is made again.
func TestT22MembersOfBeforeARemoval(t *testing.T) {
	e := newEarlier(t)
	e.back("trust.db")
	e.again()
	if got := e.names(); len(got) != 2 {
		t.Errorf("the members are %v", got)
	}
	if a := e.as(e.cara.Keys()).Do(e.as(e.cara.Keys()).Request(proto.OpStatus, "", nil)); a.Code != proto.CodeRevoked {
		t.Errorf("who was removed is answered %q", a.Code)
	}
	e.look(e.owner)
	if e.owner.Alarm() != nil {
		t.Errorf("the log is whole, and yet: %+v", e.owner.Alarm())
	}
	e.sees(e.ben)
}

// More is missing than one change: nobody can say who was a member.
func TestT22MembersOfLongBefore(t *testing.T) {
	e := newEarlier(t)
	name := "Nursery"
	e.does(e.probe, proto.OpSetSettings, proto.SettingsChange{Name: &name}, proto.CodeOK)
	e.back("trust.db")
	known{house: e.house, cara: e.cara.Keys()}.ended(setBackSentence)
}

// The log alone is older: it does not know what the members' file does.
func TestT22LogOfBeforeARemoval(t *testing.T) {
	e := newEarlier(t)
	e.back("log.db")
	known{house: e.house, cara: e.cara.Keys()}.ended(setBackSentence)
}

// All of the storage is older, so that it fits together: Cara is a member again. Who
// knows the log of after her removal finds that out at the first look.
func TestT22StoreOfBeforeARemoval(t *testing.T) {
	e := newEarlier(t)
	e.back("trust.db", "log.db")
	e.again()
	e.noticed([]string{"rollback", "fork"}, e.follow(e.ben))
	if got := e.names(); len(got) != 3 {
		t.Errorf("the members are %v: nothing was put back", got)
	}
}

// The same, and nobody looks: Cara watches at once, while others only listen to what
// the camera tells them. She gives nothing away.
func TestT22RemovedMemberComesBackUnseen(t *testing.T) {
	e := newEarlier(t)
	told := e.follow(e.owner)
	for range 3 {
		e.sees(e.ben) // Anna has heard more than what the older log will tell
	}
	e.Until("Anna has heard of it", func() bool { return told(accesslog.KindEnd) })
	e.back("trust.db", "log.db")
	e.again()
	cara := e.as(e.cara.Keys())
	cara.Hello()
	if a := cara.Do(cara.Request(proto.OpLive, "back", proto.LiveRequest{SDP: "none", Scopes: []proto.Scope{proto.ScopeView}})); a.Code != proto.CodeBadRequest {
		t.Fatalf("Cara is not back: %q", a.Code)
	}
	e.Until("Anna's client has looked by itself", func() bool { return e.owner.Alarm() != nil })
	e.Until("everyone is told", func() bool { return told(accesslog.KindAlarm) })
	if c := e.Condition("auth"); c.State != "degraded" {
		t.Errorf("the camera's health says %+v", c)
	}
}
