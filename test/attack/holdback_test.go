package attack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/test/hostile"
	"github.com/camd-project/camd/test/rig"
)

// pair is a household with two owners: Anna, whose broker holds back what she sends,
// and Ben, who is heard.
type pair struct {
	*house
	ben *hostile.Client
}

func newPair(t *testing.T) pair {
	t.Helper()
	h := newHome(t)
	if out, err := h.Run("settings", "--privacy-off", "members"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	h.does(h.probe, proto.OpPrivacy, proto.Privacy{On: true}, proto.CodeOK)
	p := pair{h, h.as(h.invite(h.probe, proto.Grant{Name: "Ben", Role: proto.RoleOwner}))}
	h.look(h.owner)
	return p
}

// held has the broker hold back what Anna's honest client does, until meanwhile is
// over, and returns what she is told then.
func (p pair) held(does func(context.Context, *client.Camera) error, meanwhile func()) error {
	p.t.Helper()
	topic := p.probe.Topic()
	p.evil.Intercept(func(m hostile.Message) hostile.Verdict {
		if m.Topic == topic {
			return hostile.Hold
		}
		return hostile.Pass
	})
	ctx, cancel := context.WithTimeout(p.t.Context(), rig.Patience)
	defer cancel()
	told := make(chan error, 1)
	go func() { told <- does(ctx, p.owner) }()
	p.Until("it is held back", func() bool { return len(p.evil.Held()) > 0 })
	meanwhile()
	p.evil.Intercept(nil)
	p.evil.Release()
	return <-told
}

// TestT21NobodyWaitsForItAnyMore has the broker hold back what an honest client asks for, and
// lets it go when that client has given up.
func TestT21NobodyWaitsForItAnyMore(t *testing.T) {
	p := newPair(t)
	p.does(p.ben, proto.OpPrivacy, proto.Privacy{}, proto.CodeOK)
	p.look(p.owner)
	from := p.owner.Verified()
	err := p.held(func(ctx context.Context, c *client.Camera) error {
		_, err := c.Call(ctx, proto.OpLive, "late", hostile.NewViewer(t).LiveRequest())
		return err
	}, func() {
		nonce := p.ben.Hello().Nonce // not older than the owner's by more than the five seconds that camd gives one out
		until(t, rig.Patience, "camd takes nothing that anybody has waited for so long", func() bool {
			f := p.ben.Request(proto.OpStatus, "", nil)
			f.Claims["non"], f.Claims["ttl"] = nonce, 16+6 // a client waits 16 seconds, and rounds up
			return p.ben.Do(f).Code == proto.CodeStale
		})
	})
	if !errors.Is(err, client.ErrNoAnswer) {
		t.Fatalf("the client is told %v", err)
	}
	p.nothingBegan("a request that nobody waits for any more")
	p.look(p.owner)
	if got := p.owner.Verified(); got != from {
		t.Errorf("%d entries were made", got-from)
	}
	p.sees(p.owner) // the control
}

// TestT21 has the broker keep one owner's request until another owner has changed the
// household, and then let it go: what gives rights to someone is refused, what takes
// them is not.
func TestT21RequestThatIsHeldBack(t *testing.T) {
	p := newPair(t)
	cara, dan := newKeys(t), p.invite(p.probe, proto.Grant{Name: "Dan"})
	grant := rig.Complete(t, cara, proto.Grant{Name: "Cara"})
	eve := p.invite(p.probe, proto.Grant{Name: "Eve", Role: proto.RoleAdult})
	name := "Nursery"
	revokeCara := func() {
		p.does(p.ben, proto.OpGrant, grant, proto.CodeOK)
		p.does(p.ben, proto.OpRevoke, proto.Revoke{Client: cara.ID()}, proto.CodeOK)
	}
	for what, x := range map[string]struct {
		does      func(context.Context, *client.Camera) error
		meanwhile func()
	}{
		"a grant, after its revocation": {func(ctx context.Context, c *client.Camera) error { _, err := c.Grant(ctx, grant); return err }, revokeCara},
		"privacy off, after on": {func(ctx context.Context, c *client.Camera) error { _, err := c.Privacy(ctx, false); return err }, func() {
			p.does(p.ben, proto.OpPrivacy, proto.Privacy{On: false}, proto.CodeOK)
			p.does(p.ben, proto.OpPrivacy, proto.Privacy{On: true}, proto.CodeOK)
		}},
		"settings, after others": {func(ctx context.Context, c *client.Camera) error {
			_, err := c.SetSettings(ctx, proto.SettingsChange{Name: &name})
			return err
		}, revokeCara},
		"a removal that keeps guests": {func(ctx context.Context, c *client.Camera) error {
			_, err := c.Revoke(ctx, proto.Revoke{Client: eve.ID(), KeepGuests: true})
			return err
		}, revokeCara},
	} {
		p.look(p.owner)
		err := p.held(x.does, x.meanwhile)
		var refused *client.Refused
		if !errors.As(err, &refused) || refused.Code != proto.CodeStateChanged {
			t.Errorf("%s: %v", what, err)
		}
		if got := p.names(); !slices.Equal(got, []string{"Anna", "Ben", "Dan", "Eve"}) {
			t.Errorf("after %s the members are %v", what, got)
		}
		if s, err := p.owner.Settings(t.Context()); err != nil || !s.Privacy || s.Name == name {
			t.Errorf("after %s the settings are %+v, %v", what, s, err)
		}
	}
	// The controls: what takes rights is carried out whatever happened, and so is what
	// was held back when nothing happened.
	if err := p.held(func(ctx context.Context, c *client.Camera) error {
		_, err := c.Revoke(ctx, proto.Revoke{Client: dan.ID()})
		return err
	}, revokeCara); err != nil || slices.Contains(p.names(), "Dan") {
		t.Errorf("a removal that was held back: %v; members %v", err, p.names())
	}
	p.look(p.owner)
	if err := p.held(func(ctx context.Context, c *client.Camera) error { _, err := c.Grant(ctx, grant); return err }, func() {}); err != nil {
		t.Errorf("a grant that was held back while nothing happened: %v", err)
	}
}

// What one client sent comes in another order: the later request makes the earlier one
// void, which does not come back either.
func TestT21RequestsOfOneClientInAnotherOrder(t *testing.T) {
	p := newPair(t)
	p.ben.Settle()
	off := p.ben.Request(proto.OpPrivacy, "", proto.Privacy{On: false})
	on := p.ben.Request(proto.OpPrivacy, "", proto.Privacy{On: true})
	hello := p.ben.Request(proto.OpHello, "", nil)
	early, late, greeting := off.Seal(), on.Seal(), hello.Seal()
	for _, m := range [][]byte{late, early, greeting, early, late, greeting} {
		p.evil.Publish(p.ben.Topic(), m, false)
	}
	p.ben.Settle()
	for what, want := range map[*hostile.Forgery][]proto.Code{
		off: {proto.CodeStale}, hello: {proto.CodeOK},
		on: {proto.CodeOK, proto.CodeStale}, // the copy may be answered while the first one is carried out
	} {
		if a := p.ben.Answers()[what.Claims["jti"].(string)]; !slices.Contains(want, a.Code) {
			t.Errorf("%v is answered %q, not %q", what.Claims["op"], a.Code, want)
		}
	}
	if s, err := p.owner.Settings(t.Context()); err != nil || !s.Privacy {
		t.Errorf("privacy is off: %+v, %v", s, err)
	}
	if l := p.sessions(); len(l) != 0 {
		t.Errorf("sessions: %+v", l)
	}
}

// The broker keeps a removal to itself and shows every answer there ever was instead:
// the client does not take it for done, and brings it about as soon as it is heard.
func TestT21OldAnswersAreNoAnswers(t *testing.T) {
	p := newPair(t)
	cara, dan := p.invite(p.probe, proto.Grant{Name: "Cara"}), p.invite(p.probe, proto.Grant{Name: "Dan"})
	if _, err := p.owner.Revoke(t.Context(), proto.Revoke{Client: cara.ID()}); err != nil {
		t.Fatal(err)
	}
	topic := p.probe.Topic()
	p.evil.Intercept(func(m hostile.Message) hostile.Verdict {
		if m.Topic != topic {
			return hostile.Pass
		}
		for _, old := range p.evil.Messages() {
			if old.Topic == proto.TopicOut(p.Device, p.owner.Keys().ID()) && old.Client != "" {
				p.evil.Replay(old)
			}
		}
		return hostile.Drop
	})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // two sendings
	defer cancel()
	if _, err := p.owner.Revoke(ctx, proto.Revoke{Client: dan.ID()}); err == nil {
		t.Error("an old answer was taken for the answer")
	}
	if l := p.owner.PendingRevokes(); len(l) != 1 || !slices.Contains(p.names(), "Dan") {
		t.Errorf("unanswered: %+v; members %v", l, p.names())
	}
	p.evil.Intercept(nil)
	p.look(p.owner) // whatever it is that is asked next
	if l := p.owner.PendingRevokes(); len(l) != 0 || slices.Contains(p.names(), "Dan") {
		t.Errorf("unanswered: %+v; members %v", l, p.names())
	}
}

// TestT21Notices has the broker decide which notices a member gets, how often, and in
// which order.
func TestT21NoticesThatAreMissing(t *testing.T) {
	p := newPair(t)
	carl := p.Invite(p.owner, proto.Grant{Name: "Carl", Role: proto.RoleOwner})
	notices, cancel, err := carl.Notices(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer cancel()
	p.look(carl) // from here on it knows where the notices stand
	n := 0
	change := func(v hostile.Verdict) {
		t.Helper()
		p.evil.Intercept(func(m hostile.Message) hostile.Verdict {
			if p.notice(m, carl.Keys()) {
				return v
			}
			return hostile.Pass
		})
		n++
		name := fmt.Sprint("name ", n)
		p.does(p.probe, proto.OpSetSettings, proto.SettingsChange{Name: &name}, proto.CodeOK)
		p.evil.Await("the notice", func(m hostile.Message) bool { return p.notice(m, carl.Keys()) && p.tells(m, carl.Keys(), name) })
	}
	expect := func(what, entry string, missed bool) {
		t.Helper()
		select {
		case got := <-notices:
			if got.Missed != missed || !strings.Contains(strings.Join(got.Entry.Set, ""), entry) {
				t.Errorf("%s: %+v", what, got)
			}
		case <-time.After(rig.Patience):
			t.Fatalf("%s: nothing came", what)
		}
	}
	change(hostile.Pass)
	expect("one that came", "name 1", false)
	for _, m := range p.evil.Messages() { // all again
		if p.notice(m, carl.Keys()) {
			p.evil.Replay(m)
		}
	}
	change(hostile.Pass)
	expect("one after repetitions", "name 2", false)
	change(hostile.Drop)
	change(hostile.Pass)
	expect("one after a gap", "name 4", true)
	change(hostile.Hold)
	change(hostile.Pass)
	expect("one that overtook another", "name 6", true)
	p.evil.Release()
	change(hostile.Pass)
	expect("one after a late one", "name 7", false)
	change(hostile.Drop)
	p.look(carl)
	expect("the last one, which an answer tells of", "", true)
	if carl.Alarm() != nil {
		t.Errorf("an alarm: %+v", carl.Alarm())
	}
}

// notice tells whether a message is a notice for someone; only that one can know.
func (h *house) notice(m hostile.Message, to *home.Keys) bool { return h.tells(m, to, "") }

func (h *house) tells(m hostile.Message, to *home.Keys, text string) bool {
	out, err := envelope.OpenOut(m.Payload, to.Opener(), h.probe.Trio.Sig)
	return err == nil && m.Client != "" && out.Notice != nil && strings.Contains(out.Notice.Entry, text) && out.Notice.Audience == to.ID()
}

// TestT21Status puts what the attacker likes where the camera's status is retained.
func TestT21StatusThatIsForged(t *testing.T) {
	p := newPair(t)
	own := p.statement()
	attacker := newKeys(t)
	trio, err := envelope.SignTrio(envelope.Trio{Device: p.Device, Epoch: 9, Sig: p.probe.Trio.Sig, Enc: p.probe.Trio.Enc, Log: p.probe.Trio.Log}, attacker.Signer())
	if err != nil {
		t.Fatal(err)
	}
	forged, err := envelope.SignEpoch(envelope.Epoch{Device: p.Device, Epoch: 9, Trio: string(trio), Reason: "send money"}, attacker.Signer())
	if err != nil {
		t.Fatal(err)
	}
	status := func(online bool, epoch string) []byte {
		b, err := json.Marshal(proto.Status{Online: online, Epoch: epoch})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for what, junk := range map[string][]byte{
		"another key's epoch":      status(true, string(forged)),
		"no epoch":                 status(true, ""),
		"an epoch that is none":    status(true, "a.b.c"),
		"offline":                  status(false, ""),
		"offline in a new epoch":   status(false, string(forged)),
		"no JSON":                  []byte("hello"),
		"nothing":                  {},
		"as much as brokers carry": make([]byte, 60<<10),
	} {
		p.evil.Publish(proto.TopicStatus(p.Device), junk, true)
		p.look(p.owner) // the control too: the camera is there and answers
		again := p.Dial(p.owner.Keys(), p.owner.Record())
		p.look(again)
		if again.Alarm() != nil {
			t.Errorf("%s: %+v", what, again.Alarm())
		}
	}
	if own.Epoch != 1 {
		t.Errorf("the camera's own statement is of epoch %d", own.Epoch)
	}
	if n := p.entered(accesslog.KindAlarm); n != 0 {
		t.Errorf("%d alarms", n)
	}
}
