package attack

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/test/hostile"
	"github.com/camd-project/camd/test/rig"
)

// someone is a member who watches, and counts what arrives.
type someone struct {
	*hostile.Client
	tap *hostile.Tap
}

// watches has a member begin to watch.
func (h *house) watches(keys *home.Keys) someone {
	h.t.Helper()
	v, tap := hostile.NewTappedViewer(h.t)
	c := h.as(keys)
	c.Hello()
	v.Answer(liveAnswer(h.t, c.Do(c.Request(proto.OpLive, "s", v.LiveRequest()))))
	v.State(webrtc.PeerConnectionStateConnected)
	h.Until("media comes", func() bool { return tap.Media(time.Time{}) > 20 })
	return someone{c, tap}
}

// answeredAt is when a request's answer was at the broker.
func (h *house) answeredAt(c *hostile.Client, f *hostile.Forgery) time.Time {
	h.t.Helper()
	var at time.Time
	for _, m := range h.evil.Messages() {
		out, err := envelope.OpenOut(m.Payload, c.Keys.Opener(), c.Trio.Sig)
		if err == nil && m.Client != "" && out.Answer != nil && out.Answer.Re == f.Claims["jti"] {
			at = m.At
		}
	}
	return at
}

// removes has Anna remove someone, and returns when that was answered.
func (h *house) removes(r proto.Revoke) time.Time {
	h.t.Helper()
	h.probe.Settle()
	f := h.probe.Request(proto.OpRevoke, "", r)
	if a := h.probe.Do(f); a.Code != proto.CodeOK {
		h.t.Fatalf("the removal is answered %q", a.Code)
	}
	return h.answeredAt(h.probe, f)
}

// guests is Ben, an adult; Cara and Dan, his guests; and Eve, Anna's.
type guests struct {
	*house
	ben, cara, dan, eve *home.Keys
}

func newGuests(t *testing.T) guests {
	t.Helper()
	h := newHomeWith(t, newKeys(t), synthetic+"[live]\nmax_sessions = 8\n") // four of them an adult and its guests may have
	g := guests{house: h, ben: h.invite(h.probe, proto.Grant{Name: "Ben", Role: proto.RoleAdult}), eve: h.invite(h.probe, proto.Grant{Name: "Eve"})}
	g.cara = h.invite(h.as(g.ben), proto.Grant{Name: "Cara"})
	g.dan = h.invite(h.as(g.ben), proto.Grant{Name: "Dan"})
	return g
}

// TestT5 removes someone who watches, whose guests watch too. What arrives at their
// sockets is dated by the kernel, the answer by the broker.
func TestT5NothingComesAfterTheAnswer(t *testing.T) {
	g := newGuests(t)
	gone := map[string]someone{"Ben": g.watches(g.ben), "Cara, his guest": g.watches(g.cara), "Dan, his guest": g.watches(g.dan)}
	eve := g.watches(g.eve)
	answered := g.removes(proto.Revoke{Client: g.ben.ID()})
	g.Until("the camera goes on for Eve", func() bool { return eve.tap.Media(answered) > 100 })
	for who, s := range gone {
		if n := s.tap.Media(answered); n != 0 {
			t.Errorf("%s got %d packets after the answer", who, n)
		}
	}
	if l := g.sessions(); len(l) != 1 || l[0].Client != g.eve.ID() {
		t.Errorf("sessions: %+v", l)
	}
	g.refusesAll(gone)
	if got := g.names(); !slices.Equal(got, []string{"Anna", "Eve"}) {
		t.Errorf("the members are %v", got)
	}
}

// refusesAll has those who were removed ask for everything, under a live nonce that
// they can't know.
func (g guests) refusesAll(gone map[string]someone) {
	g.t.Helper()
	offer := hostile.NewViewer(g.t).LiveRequest()
	told := map[string]bool{}
	for op, body := range map[proto.Op]any{proto.OpHello: nil, proto.OpStatus: nil, proto.OpMembers: nil, proto.OpSettings: nil,
		proto.OpLive: offer, proto.OpCandidate: proto.Candidates{Done: true}, proto.OpBye: nil, proto.OpLog: proto.LogRequest{},
		proto.OpPrivacy: proto.Privacy{On: true}, proto.OpRevoke: proto.Revoke{Client: g.eve.ID()}, proto.OpAlarm: proto.Alarm{}} {
		for who, s := range gone {
			s.Nonce = g.probe.Hello().Nonce
			f := s.Request(op, "s", body) // a live request with the session's name is what restarts ICE
			s.Send(f)
			g.probe.Settle()
			switch a := s.Answers()[f.Claims["jti"].(string)]; a.Code {
			case proto.CodeRevoked:
				told[who] = true
			case silence: // too many by those who are no members, who share one allowance
			default:
				g.t.Errorf("%s, who was removed, asks for %s and is answered %q", who, op, a.Code)
			}
		}
	}
	for who := range gone {
		if !told[who] {
			g.t.Errorf("%s is not told", who)
		}
	}
	if l := g.sessions(); len(l) != 1 {
		g.t.Errorf("sessions: %+v", l)
	}
	if s, err := g.owner.Settings(g.t.Context()); err != nil || s.Privacy {
		g.t.Errorf("settings: %+v, %v", s, err)
	}
}

// Guests who are kept are those of who removed their host, and go on.
func TestT5KeptGuestsGoOn(t *testing.T) {
	g := newGuests(t)
	ben, cara := g.watches(g.ben), g.watches(g.cara)
	answered := g.removes(proto.Revoke{Client: g.ben.ID(), KeepGuests: true})
	g.Until("the camera goes on for Cara", func() bool { return cara.tap.Media(answered) > 100 })
	if n := ben.tap.Media(answered); n != 0 {
		t.Errorf("Ben got %d packets after the answer", n)
	}
	for _, m := range g.local("members", 0).Members {
		if m.Role == proto.RoleGuest && m.Parent != g.owner.Keys().ID() {
			t.Errorf("the parent of %s is %s", m.Name, m.Parent)
		}
	}
	dan := g.watches(g.dan)
	answered = g.removes(proto.Revoke{Client: g.dan.ID()})
	g.Until("the camera goes on for Cara", func() bool { return cara.tap.Media(answered) > 100 })
	if n := dan.tap.Media(answered); n != 0 {
		t.Errorf("Dan got %d packets after the answer", n)
	}
}

// A session that is being set up at that moment does not slip through, and neither
// does one that is asked for right behind.
func TestT5SessionThatIsBeingSetUp(t *testing.T) {
	g := newGuests(t)
	ben, cara := g.as(g.ben), g.as(g.cara)
	offer := hostile.NewViewer(t).LiveRequest()
	for i := range 10 {
		before, after := ben, cara
		if i%2 == 1 {
			before, after = cara, ben
		}
		g.probe.Settle()
		before.Nonce, after.Nonce = g.probe.Nonce, g.probe.Nonce
		f := g.probe.Request(proto.OpRevoke, "", proto.Revoke{Client: g.ben.ID()})
		first, removal, last := before.Request(proto.OpLive, fmt.Sprint("b", i), offer).Seal(), f.Seal(), after.Request(proto.OpLive, fmt.Sprint("a", i), offer).Seal()
		g.evil.Publish(before.Topic(), first, false)
		g.evil.Publish(g.probe.Topic(), removal, false)
		g.evil.Publish(after.Topic(), last, false)
		if a := g.probe.Await(f.Claims["jti"].(string)); a.Code != proto.CodeOK {
			t.Fatalf("the removal is answered %q", a.Code)
		}
		if l := g.sessions(); len(l) != 0 {
			t.Errorf("sessions after the answer: %+v", l)
		}
		g.probe.Settle()
		if l := g.sessions(); len(l) != 0 {
			t.Errorf("sessions that began after the answer: %+v", l)
		}
		g.house.does(g.probe, proto.OpGrant, rig.Complete(t, g.ben, proto.Grant{Name: "Ben", Role: proto.RoleAdult}), proto.CodeOK)
		g.house.does(ben, proto.OpGrant, rig.Complete(t, g.cara, proto.Grant{Name: "Cara"}), proto.CodeOK)
	}
	ended := 0
	for _, e := range g.entries() {
		if e.Kind == accesslog.KindEnd && e.Reason == string(proto.CodeRevoked) {
			ended++
		}
	}
	t.Logf("%d sessions were ended while they were set up", ended)
	if ended == 0 {
		t.Error("no session was being set up")
	}
}
