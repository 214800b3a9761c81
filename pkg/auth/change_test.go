package auth

import (
	"slices"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
)

// What widens needs its sender to have seen the newest change; what narrows does not.
// T21.
func TestWideningNeedsTheNewestChange(t *testing.T) {
	for name, c := range map[string]struct {
		op     proto.Op
		body   func(h *house, bob, eve *person) any
		widens bool
	}{
		"grant":                {proto.OpGrant, func(_ *house, _, eve *person) any { return eve.grant(proto.RoleGuest) }, true},
		"settings":             {proto.OpSetSettings, func(*house, *person, *person) any { return proto.SettingsChange{Name: new("porch")} }, true},
		"privacy off":          {proto.OpPrivacy, func(*house, *person, *person) any { return proto.Privacy{} }, true},
		"removal that keeps":   {proto.OpRevoke, func(_ *house, bob, _ *person) any { return proto.Revoke{Client: bob.id, KeepGuests: true} }, true},
		"privacy on":           {proto.OpPrivacy, func(*house, *person, *person) any { return proto.Privacy{On: true} }, false},
		"removal":              {proto.OpRevoke, func(_ *house, bob, _ *person) any { return proto.Revoke{Client: bob.id} }, false},
		"reading the members":  {proto.OpMembers, func(*house, *person, *person) any { return nil }, false},
		"reading the settings": {proto.OpSettings, func(*house, *person, *person) any { return nil }, false},
	} {
		t.Run(name, func(t *testing.T) {
			for when, cp := range map[string]func(old, other string) string{
				"old":     func(old, _ string) string { return old },
				"none":    func(string, string) string { return "" },
				"foreign": func(_, other string) string { return other },
				"garbled": func(old, _ string) string { return old + "x" },
				"fresh":   nil,
			} {
				inHouse(t, func(t *testing.T, h *house) {
					h.cfg.Household.PrivacyOff = proto.PrivacyOffMembers
					h.restart()
					anna, bob, carl, _ := h.household()
					carl.must(proto.OpPrivacy, proto.Privacy{On: true})
					anna.must(proto.OpMembers, nil)
					old := anna.seen.Note
					carl.must(proto.OpRevoke, proto.Revoke{Client: carl.id}) // the change that Anna has not seen
					if cp == nil {
						anna.must(proto.OpMembers, nil)
					}
					body, before := c.body(h, bob, h.stranger("Eve")), h.size()
					want := proto.CodeOK
					if c.widens && cp != nil {
						want = proto.CodeStateChanged
					}
					other := signedElsewhere(t, h)
					jti := "same"
					got := anna.code(c.op, body, as(jti), func(r *proto.Request) {
						if cp != nil {
							r.Checkpoint = cp(old, other)
						}
					})
					if got != want {
						t.Errorf("with a checkpoint that is %s: %s, want %s", when, got, want)
					}
					if want != proto.CodeOK {
						if h.size() != before {
							t.Errorf("refused, and yet in the log: %v", h.kinds(before))
						}
						anna.want(proto.CodeOK, c.op, body, as(jti)) // the answer brought the newest
					}
				})
			}
		})
	}
}

// signedElsewhere is a checkpoint of another epoch's log.
func signedElsewhere(t *testing.T, h *house) string {
	t.Helper()
	l, err := accesslog.Open(h.a.logs, 77, accesslog.Origin(h.a.Identity().DeviceID(), 77), h.a.keys.log)
	if err != nil {
		t.Fatal(err)
	}
	cp, err := l.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	return cp.Note
}

// If the log can't be written nothing changes, nothing starts, and what lives ends.
// T15.
func TestLogThatFails(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna, bob, carl, dora := h.household()
		eve := h.stranger("Eve")
		live := []*stream{anna.watch("s1", proto.ScopeView), dora.watch("s1", proto.ScopeListen)}
		before := h.size()
		h.withoutLog(func() {
			// Its answers can't be proved, so they are read without the client's checks.
			for _, q := range []struct {
				by   *person
				op   proto.Op
				body any
				want proto.Code
			}{
				{anna, proto.OpRevoke, proto.Revoke{Client: bob.id}, proto.CodeStorage},
				{anna, proto.OpGrant, eve.grant(proto.RoleGuest), proto.CodeStateChanged}, // what it has seen can't be told
				{carl, proto.OpLive, view(proto.ScopeView), proto.CodeStorage},
				{carl, proto.OpPrivacy, proto.Privacy{On: true}, proto.CodeStorage}, // and yet it is on
				{carl, proto.OpStatus, nil, proto.CodeOK},
			} {
				if a := q.by.once(q.by.request(q.op, q.body, in("s2"))); a.Code != q.want || a.Checkpoint != "" {
					t.Errorf("%s: %s", q.op, a.Code)
				}
			}
			for i, s := range live {
				if !s.over() || s.reason != string(proto.CodeStorage) {
					t.Errorf("session %d: over %v, reason %q", i, s.over(), s.reason)
				}
			}
			if s := h.health(); s.State != health.Failed {
				t.Errorf("health: %+v", s)
			}
			if !h.a.Settings().Privacy || !slices.Contains(h.deeds(), "closed") {
				t.Error("privacy mode waits for the storage")
			}
		})
		if h.size() != before || bob.row() == nil || eve.row() != nil {
			t.Errorf("%d entries, Bob %+v, Eve %+v", h.size()-before, bob.row(), eve.row())
		}
		if err := h.a.SetPrivacy(false); err != nil {
			t.Error(err)
		}
		carl.watch("s3", proto.ScopeView)
		if s := h.health(); s.State != health.OK {
			t.Errorf("health after it: %+v", s)
		}
		anna.must(proto.OpRevoke, proto.Revoke{Client: bob.id})
	})
}

// cutCase is a change that is logged and then interrupted.
type cutCase struct {
	op      proto.Op
	body    func(h *house, bob, eve *person) any
	happens bool // yet: it narrows
}

var cutCases = map[string]cutCase{
	"revocation":         {proto.OpRevoke, func(_ *house, bob, _ *person) any { return proto.Revoke{Client: bob.id} }, true},
	"keeping its guests": {proto.OpRevoke, func(_ *house, bob, _ *person) any { return proto.Revoke{Client: bob.id, KeepGuests: true} }, true},
	"privacy on":         {proto.OpPrivacy, func(*house, *person, *person) any { return proto.Privacy{On: true} }, true},
	"grant":              {proto.OpGrant, func(_ *house, _, eve *person) any { return eve.grant(proto.RoleGuest) }, false},
	"settings":           {proto.OpSetSettings, func(*house, *person, *person) any { return proto.SettingsChange{Name: new("porch")} }, false},
}

// happened reports whether a change of a case is in force.
func (c cutCase) happened(h *house, bob, dora, eve *person) bool {
	body := c.body(h, bob, eve)
	switch q := body.(type) {
	case proto.Revoke:
		return bob.row() == nil && (dora.row() != nil) == q.KeepGuests
	case proto.Privacy:
		return h.a.Settings().Privacy
	case proto.SettingsChange:
		return h.a.Settings().Name == *q.Name
	}
	return eve.row() != nil
}

// A power cut between log and trust.db: what narrows happens yet, anything else is said
// not to have happened. T16.
func TestCutBetweenLogAndMembers(t *testing.T) {
	for name, c := range cutCases {
		t.Run(name, func(t *testing.T) {
			inHouse(t, func(t *testing.T, h *house) {
				anna, bob, _, dora := h.household()
				eve := h.stranger("Eve")
				index := h.size()
				h.withoutTrust(func() {
					anna.want(proto.CodeStorage, c.op, c.body(h, bob, eve), as("same"))
				})
				h.restart()
				if c.happened(h, bob, dora, eve) != c.happens {
					t.Errorf("after the restart it happened: %v", !c.happens)
				}
				l := h.entries(index)
				said := slices.ContainsFunc(l, func(e accesslog.Entry) bool {
					return e.Kind == accesslog.KindEnd && e.Start == index && e.Reason == accesslog.ReasonNotApplied
				})
				if said == c.happens {
					t.Errorf("said not to have happened: %v; %v", said, h.kinds(index))
				}
				if c.happens && dora.row() != nil && dora.row().Parent != bob.id && dora.row().Parent != anna.id {
					t.Errorf("Dora: %+v", dora.row())
				}
				n := h.size()
				h.restart()
				if h.size() != n || h.a.keys.epoch != 1 {
					t.Errorf("the next start: %d new entries, epoch %d", h.size()-n, h.a.keys.epoch)
				}
				anna.want(proto.CodeOK, c.op, c.body(h, bob, eve), as("same")) // asked for again
				if !c.happened(h, bob, dora, eve) {
					t.Error("it did not happen when it was asked for again")
				}
			})
		})
	}
}

// Without a restart it is dealt with before the next change is decided about.
func TestCutWhileItRuns(t *testing.T) {
	for name, c := range cutCases {
		t.Run(name, func(t *testing.T) {
			inHouse(t, func(t *testing.T, h *house) {
				anna, bob, _, dora := h.household()
				eve := h.stranger("Eve")
				h.withoutTrust(func() {
					anna.want(proto.CodeStorage, c.op, c.body(h, bob, eve))
					n := h.size()
					anna.want(proto.CodeStorage, c.op, c.body(h, bob, eve)) // no second one is logged
					if h.size() != n {
						t.Errorf("logged: %v", h.kinds(n))
					}
				})
				anna.must(proto.OpSetSettings, proto.SettingsChange{QuietHours: new("22:00-07:00")})
				if c.happened(h, bob, dora, eve) != c.happens {
					t.Errorf("after the next change it happened: %v", !c.happens)
				}
				h.restart()
				if c.happened(h, bob, dora, eve) != c.happens || h.a.keys.epoch != 1 || h.a.Settings().QuietHours == "" {
					t.Errorf("after the restart it happened: %v; epoch %d, %+v", !c.happens, h.a.keys.epoch, h.a.Settings())
				}
			})
		})
	}
}

// Whoever a cut revocation was about changes nothing any more.
func TestRevokedByACutChangesNothing(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna := h.owner("Anna")
		berta := anna.lets("Berta", proto.RoleOwner)
		bob := anna.lets("Bob", proto.RoleAdult)
		eve := h.stranger("Eve")
		for _, p := range []*person{berta, bob} {
			h.withoutTrust(func() {
				anna.want(proto.CodeStorage, proto.OpRevoke, proto.Revoke{Client: p.id})
			})
			p.want(proto.CodeRevoked, proto.OpStatus, nil) // it is in the log
			p.answers = nil
			if p == berta { // else nobody would be left who decides
				p.send(p.request(proto.OpRevoke, proto.Revoke{Client: anna.id}))
			} else { // else Eve's parent would be nobody
				p.send(p.request(proto.OpGrant, eve.grant(proto.RoleGuest)))
			}
			h.deliver()
			onlyRevoked(t, p, 1)
		}
		h.restart()
		if h.a.keys.epoch != 1 || anna.row() == nil || berta.row() != nil || bob.row() != nil || eve.row() != nil {
			t.Errorf("epoch %d", h.a.keys.epoch)
		}
	})
}

// A file that was put back to an earlier state never brings a removed member back. T22.
func TestStoreSetBack(t *testing.T) {
	revoke := func(h *house, anna, bob *person) { anna.must(proto.OpRevoke, proto.Revoke{Client: bob.id}) }
	other := func(h *house, anna, bob *person) {
		anna.must(proto.OpSetSettings, proto.SettingsChange{Name: new(time.Now().String())})
	}
	for name, c := range map[string]struct {
		changes []func(h *house, anna, bob *person)
		file    string
		epoch   uint64 // afterwards
		bob     bool   // he is a member afterwards
	}{
		"members, over the revocation":                 {[]func(*house, *person, *person){revoke}, fileTrust, 1, false},
		"members, over the revocation and before it":   {[]func(*house, *person, *person){other, revoke}, fileTrust, 2, false},
		"members, over the revocation and after it":    {[]func(*house, *person, *person){revoke, other}, fileTrust, 2, false},
		"members, over many changes":                   {[]func(*house, *person, *person){other, other, revoke, other}, fileTrust, 2, false},
		"log, over the revocation":                     {[]func(*house, *person, *person){revoke}, fileLogs, 2, false},
		"log, over many changes":                       {[]func(*house, *person, *person){other, revoke, other}, fileLogs, 2, false},
		"log, over another change":                     {[]func(*house, *person, *person){other}, fileLogs, 2, false},
		"members, over nothing":                        {nil, fileTrust, 1, true},
		"log, over nothing":                            {nil, fileLogs, 1, true},
		"members, over another change (is called off)": {[]func(*house, *person, *person){other}, fileTrust, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			inHouse(t, func(t *testing.T, h *house) {
				anna, bob, _, _ := h.household()
				var old []byte
				h.restart(func() { old = h.copyOf(c.file) })
				for _, change := range c.changes {
					change(h, anna, bob)
				}
				h.restart(func() { h.back(c.file, old) })
				if h.a.keys.epoch != c.epoch || (bob.row() != nil) != c.bob || (anna.row() != nil) != (c.epoch == 1) {
					t.Fatalf("epoch %d (%s), Bob %+v", h.a.keys.epoch, h.a.keys.reason, bob.row())
				}
				if c.epoch != 1 && (h.a.keys.reason != "the camera's store was rolled back to an earlier state" || h.health().State != health.Degraded) {
					t.Errorf("reason %q, health %+v", h.a.keys.reason, h.health())
				}
			})
		})
	}
}

// Rows that can't stand beside each other are damage: nobody gains by them.
func TestRowsThatContradictEachOther(t *testing.T) {
	for name, harm := range map[string]func(all *snapshot, anna, bob, carl *person){
		"a guest of nobody":     func(all *snapshot, _, _, carl *person) { changeRow(all, carl, func(m *member) { m.Parent = "" }) },
		"a guest of a stranger": func(all *snapshot, _, bob, _ *person) { delete(all.members, bob.id) },
		"a guest of a guest": func(all *snapshot, _, bob, carl *person) {
			changeRow(all, bob, func(m *member) { m.Role, m.Parent = proto.RoleGuest, carl.id })
		},
		"an adult of a parent": func(all *snapshot, anna, bob, _ *person) { changeRow(all, bob, func(m *member) { m.Parent = anna.id }) },
		"nobody is an owner": func(all *snapshot, anna, _, _ *person) {
			changeRow(all, anna, func(m *member) { m.Role = proto.RoleAdult })
		},
	} {
		t.Run(name, func(t *testing.T) {
			inHouse(t, func(t *testing.T, h *house) {
				anna, bob, carl, _ := h.household()
				if err := h.a.members.update(func(all *snapshot) { harm(all, anna, bob, carl) }, nil); err != nil {
					t.Fatal(err)
				}
				h.restart()
				if h.a.keys.epoch != 2 || h.a.Owned() {
					t.Errorf("epoch %d, owned %v", h.a.keys.epoch, h.a.Owned())
				}
			})
		})
	}
}

func changeRow(all *snapshot, p *person, f func(*member)) {
	m := *all.members[p.id]
	f(&m)
	all.members[p.id] = &m
}
