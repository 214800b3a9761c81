package auth

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
)

// Every member is told at once of all that anyone does, in an unbroken chain.
func TestNoticesToEveryone(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna, bob, carl, dora := h.household()
		everyone := []*person{anna, bob, carl, dora}
		for _, p := range everyone {
			p.heard()
		}
		eve := h.stranger("Eve")
		for _, c := range []struct {
			what string
			do   func()
			want []accesslog.Kind
		}{
			{"live", func() { carl.must(proto.OpLive, view(proto.ScopeView), in("s1")) }, []accesslog.Kind{accesslog.KindLive}},
			{"its end", func() { h.streams[0].bye() }, []accesslog.Kind{accesslog.KindEnd}},
			{"settings", func() { anna.must(proto.OpSetSettings, proto.SettingsChange{Name: new("porch")}) }, []accesslog.Kind{accesslog.KindSettings}},
			{"privacy on", func() { dora.must(proto.OpPrivacy, proto.Privacy{On: true}) }, []accesslog.Kind{accesslog.KindPrivacy}},
			{"privacy off", func() { _ = h.a.SetPrivacy(false) }, []accesslog.Kind{accesslog.KindPrivacy}},
			{"refusal", func() { carl.want(proto.CodeScope, proto.OpLive, view(proto.ScopeTalk), in("s2")) }, nil},
			{"reading", func() { bob.must(proto.OpLog, nil) }, nil},
			{"grant", func() { anna.must(proto.OpStatus, nil); anna.must(proto.OpGrant, eve.grant(proto.RoleGuest)) }, []accesslog.Kind{accesslog.KindGrant}},
			{"revocation with a guest", func() { anna.must(proto.OpRevoke, proto.Revoke{Client: bob.id}) }, []accesslog.Kind{accesslog.KindRevoke, accesslog.KindRevoke}},
		} {
			before := h.a.journal.notices.noticed.Load()
			c.do()
			for _, p := range everyone { // Bob and Dora hear of their own removal
				h.deliver()
				last := before
				for _, n := range p.notices {
					if n.Previous != last || n.Index <= last {
						t.Errorf("%s: %s gets notice %d after %d, and knew %d", c.what, p.name, n.Index, n.Previous, last)
					}
					last = n.Index
				}
				if got := p.heard(); !slices.Equal(got, c.want) {
					t.Errorf("%s: %s hears of %v, want %v", c.what, p.name, got, c.want)
				}
			}
			if a := anna.must(proto.OpStatus, nil); a.Noticed != h.a.journal.notices.noticed.Load() || len(c.want) > 0 && a.Noticed < before+1 {
				t.Errorf("%s: an answer's note is %d", c.what, a.Noticed)
			}
		}
		if got := eve.heard(); !slices.Equal(got, []accesslog.Kind{accesslog.KindRevoke, accesslog.KindRevoke}) {
			t.Errorf("Eve, who came late, heard of %v", got)
		}
		anna.must(proto.OpSetSettings, proto.SettingsChange{Name: new("attic")})
		for _, p := range []*person{bob, dora} {
			if got := p.heard(); len(got) != 0 {
				t.Errorf("%s is no member and hears of %v", p.name, got)
			}
		}
	})
}

// Sessions that begin and end at once: notices come in the order of the log.
func TestNoticesAreInOrder(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna, bob, carl, dora := h.household()
		anna.heard()
		last := h.a.journal.notices.noticed.Load()
		for i := range 20 {
			for _, p := range []*person{bob, carl, dora} {
				p.send(p.request(proto.OpLive, view(proto.ScopeView), in(fmt.Sprint("s", i))))
			}
		}
		synctest.Wait()
		h.a.sessions.cancel(proto.CodePrivacy, everyScope)
		h.deliver()
		for _, n := range anna.notices {
			if n.Previous != last {
				t.Errorf("notice %d follows %d, and %d came", n.Index, n.Previous, last)
			}
			last = n.Index
		}
		if len(anna.notices) != 3*2*20 {
			t.Errorf("%d notices", len(anna.notices))
		}
	})
}

// The chain goes on over a restart, and what waits is sent when Run ends.
func TestNoticesOverARestart(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna, _, carl, _ := h.household()
		carl.watch("s1", proto.ScopeView)
		carl.heard()
		h.stop()
		if got := carl.heard(); !slices.Equal(got, []accesslog.Kind{accesslog.KindEnd}) {
			t.Errorf("when it stops: %v", got)
		}
		last := h.a.journal.notices.noticed.Load()
		h.restart()
		anna.must(proto.OpStatus, nil)
		if a := anna.must(proto.OpStatus, nil); a.Noticed != last {
			t.Errorf("note %d, want %d", a.Noticed, last)
		}
		anna.must(proto.OpSetSettings, proto.SettingsChange{Name: new("porch")})
		h.deliver()
		if len(carl.notices) != 1 || carl.notices[0].Previous != last {
			t.Errorf("after the restart: %+v", carl.notices)
		}
	})
}

// What made an entry proves it in its answer, when it is repeated too; and each answer
// that a decision needed I/O for proves that the log goes on from what was seen.
func TestAnswersProve(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna, bob, _, dora := h.household()
		eve := h.stranger("Eve")
		for _, c := range []struct {
			op    proto.Op
			body  any
			entry func(accesslog.Entry) bool
		}{
			{proto.OpLive, view(proto.ScopeView), func(e accesslog.Entry) bool { return e.Kind == accesslog.KindLive && e.Session == "s1" }},
			{proto.OpGrant, eve.grant(proto.RoleGuest), func(e accesslog.Entry) bool { return e.Kind == accesslog.KindGrant && e.Subject == eve.id }},
			{proto.OpRevoke, proto.Revoke{Client: bob.id}, func(e accesslog.Entry) bool { return e.Kind == accesslog.KindRevoke && e.Subject == bob.id }},
			{proto.OpSetSettings, proto.SettingsChange{Name: new("porch")}, func(e accesslog.Entry) bool { return e.Kind == accesslog.KindSettings }},
			{proto.OpPrivacy, proto.Privacy{On: true}, func(e accesslog.Entry) bool { return e.Kind == accesslog.KindPrivacy }},
		} {
			for _, when := range []string{"first", "repeated"} {
				anna.must(c.op, c.body, in("s1"), as("j"+string(c.op[:4])))
				if anna.proof.Entry == nil {
					t.Errorf("%s, %s: no entry is proved", c.op, when)
					continue
				}
				e, err := accesslog.VerifyInclusion(anna.seen, *anna.proof.Entry)
				if err != nil || e.Client != anna.id || !c.entry(e) {
					t.Errorf("%s, %s: %+v, %v", c.op, when, e, err)
				}
			}
		}
		for _, op := range []proto.Op{proto.OpStatus, proto.OpMembers, proto.OpSettings, proto.OpLog, "fly"} {
			before := anna.seen
			if a := anna.ask(op, nil); a.Checkpoint == "" || a.Proof == nil || anna.seen.Size < before.Size || anna.proof.Entry != nil {
				t.Errorf("%s: %+v", op, a)
			}
		}
		if a := anna.once(anna.request(proto.OpHello, nil)); a.Checkpoint != "" || a.Proof != nil {
			t.Errorf("hello: %+v", a)
		}
		if dora.row() != nil {
			t.Error("Bob's guest is there")
		}
	})
}

// The whole storage is put back to an earlier day: the first member who saw more makes
// it known, to everyone, once. T15, T22.
func TestStorageSetBackAsAWhole(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna, bob, carl, _ := h.household()
		var trust, log []byte
		h.restart(func() { trust, log = h.copyOf(fileTrust), h.copyOf(fileLogs) })
		anna.must(proto.OpRevoke, proto.Revoke{Client: bob.id})
		late := anna.seen
		h.restart(func() { h.back(fileTrust, trust); h.back(fileLogs, log) })
		if bob.row() == nil || h.health().State != health.OK {
			t.Fatal("the device can't know, and yet it does")
		}
		carl.must(proto.OpStatus, nil) // he saw no more than the copy holds
		carl.heard()
		if h.health().State != health.OK {
			t.Errorf("health: %+v", h.health())
		}
		anna.doubts = true
		for range 2 {
			if a := anna.ask(proto.OpStatus, nil); a.Code != proto.CodeOK || !errors.Is(anna.wrong, accesslog.ErrRollback) && !errors.Is(anna.wrong, accesslog.ErrFork) {
				t.Errorf("answer %s, the client finds %v", a.Code, anna.wrong)
			}
			anna.seen = late // a client keeps what it believed
		}
		if got := carl.heard(); !slices.Equal(got, []accesslog.Kind{accesslog.KindRollback}) {
			t.Errorf("Carl hears of %v", got)
		}
		if s := h.health(); s.State != health.Degraded {
			t.Errorf("health: %+v", s)
		}
		if e := lastEntry(t, h.a); e.Kind != accesslog.KindRollback || e.Client != anna.id {
			t.Errorf("entry: %+v", e)
		}
		anna.want(proto.CodeStateChanged, proto.OpGrant, h.stranger("Eve").grant(proto.RoleGuest))

		// And the client tells of both.
		got := anna.answers[0].Checkpoint
		anna.must(proto.OpAlarm, proto.Alarm{Have: late.Note, Got: got})
		if got := carl.heard(); !slices.Equal(got, []accesslog.Kind{accesslog.KindAlarm}) {
			t.Errorf("Carl hears of %v", got)
		}
		if e := lastEntry(t, h.a); e.Kind != accesslog.KindAlarm || e.Client != anna.id {
			t.Errorf("entry: %+v", e)
		}
		if err := h.a.SetPrivacy(true); err != nil || h.health().State != health.Degraded {
			t.Errorf("an append that succeeds hides it: %+v, %v", h.health(), err)
		}
	})
}

// Nobody raises an alarm about a log that contradicts nothing.
func TestNoAlarmWithoutAContradiction(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna := h.owner("Anna")
		first := anna.seen.Note
		anna.must(proto.OpPrivacy, proto.Privacy{On: true})
		second := anna.seen.Note
		elsewhere := signedElsewhere(t, h)
		before := h.size()
		for name, body := range map[string]any{
			"the same twice":   proto.Alarm{Have: first, Got: first},
			"one goes on":      proto.Alarm{Have: first, Got: second},
			"another epoch's":  proto.Alarm{Have: first, Got: elsewhere},
			"garbled":          proto.Alarm{Have: first, Got: second[:len(second)-9] + "AAAAAAAA\n"},
			"nothing":          proto.Alarm{},
			"no body":          nil,
			"what no alarm is": 7,
		} {
			if a := anna.ask(proto.OpAlarm, body); a.Code != proto.CodeBadRequest {
				t.Errorf("%s: %s", name, a.Code)
			}
		}
		if h.size() != before {
			t.Errorf("log: %v", h.kinds(before))
		}
	})
}
