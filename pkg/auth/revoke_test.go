package auth

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/proto"
)

// Who may remove whom, and who is left.
func TestRevokeWho(t *testing.T) {
	for name, c := range map[string]struct {
		by, whom string
		keep     bool
		want     proto.Code
		left     []string
		parent   string // of Dora
	}{
		"owner removes an adult and its guest":  {by: "Anna", whom: "Bob", want: proto.CodeOK, left: []string{"Anna", "Berta", "Carl"}},
		"owner keeps the guests of an adult":    {by: "Anna", whom: "Bob", keep: true, want: proto.CodeOK, left: []string{"Anna", "Berta", "Carl", "Dora"}, parent: "Anna"},
		"owner removes another owner":           {by: "Berta", whom: "Anna", want: proto.CodeOK, left: []string{"Berta", "Bob", "Dora"}, parent: "Bob"},
		"owner keeps the guests of an owner":    {by: "Berta", whom: "Anna", keep: true, want: proto.CodeOK, left: []string{"Berta", "Bob", "Carl", "Dora"}, parent: "Bob"},
		"owner removes a guest of somebody":     {by: "Berta", whom: "Dora", want: proto.CodeOK, left: []string{"Anna", "Berta", "Bob", "Carl"}},
		"owner keeps guests of one without any": {by: "Anna", whom: "Carl", keep: true, want: proto.CodeOK, left: []string{"Anna", "Berta", "Bob", "Dora"}, parent: "Bob"},
		"owner leaves":                          {by: "Anna", whom: "Anna", want: proto.CodeOK, left: []string{"Berta", "Bob", "Dora"}, parent: "Bob"},
		"owner leaves and wants to keep guests": {by: "Anna", whom: "Anna", keep: true, want: proto.CodeBadRequest},
		"adult removes its guest":               {by: "Bob", whom: "Dora", want: proto.CodeOK, left: []string{"Anna", "Berta", "Bob", "Carl"}},
		"adult leaves, and its guest goes":      {by: "Bob", whom: "Bob", want: proto.CodeOK, left: []string{"Anna", "Berta", "Carl"}},
		"adult removes an owner's guest":        {by: "Bob", whom: "Carl", want: proto.CodeScope},
		"adult removes an owner":                {by: "Bob", whom: "Anna", want: proto.CodeScope},
		"guest leaves":                          {by: "Dora", whom: "Dora", want: proto.CodeOK, left: []string{"Anna", "Berta", "Bob", "Carl"}},
		"guest removes its parent":              {by: "Dora", whom: "Bob", want: proto.CodeScope},
		"guest removes another guest":           {by: "Carl", whom: "Dora", want: proto.CodeScope},
		"who is gone already":                   {by: "Anna", whom: "Eve", want: proto.CodeOK, left: []string{"Anna", "Berta", "Bob", "Carl", "Dora"}, parent: "Bob"},
	} {
		t.Run(name, func(t *testing.T) {
			inHouse(t, func(t *testing.T, h *house) {
				anna, bob, carl, dora := h.household()
				berta := anna.lets("Berta", proto.RoleOwner)
				people := map[string]*person{"Anna": anna, "Berta": berta, "Bob": bob, "Carl": carl, "Dora": dora, "Eve": h.stranger("Eve")}
				by, whom := people[c.by], people[c.whom]
				by.must(proto.OpStatus, nil)
				before := h.size()
				a := by.ask(proto.OpRevoke, proto.Revoke{Client: whom.id, KeepGuests: c.keep})
				if a.Code != c.want {
					t.Fatalf("answer: %s, want %s", a.Code, c.want)
				}
				if c.want != proto.CodeOK {
					c.left, c.parent = []string{"Anna", "Berta", "Bob", "Carl", "Dora"}, "Bob"
				}
				var left []string
				for n, p := range people {
					if p.row() != nil {
						left = append(left, n)
					}
				}
				slices.Sort(left)
				if !slices.Equal(left, c.left) || dora.row() != nil && dora.row().Parent != people[c.parent].id {
					t.Errorf("left: %v", left)
				}
				if c.want == proto.CodeOK {
					got := read[proto.RevokeAnswer](t, a)
					gone := 5 - len(c.left)
					if len(got.Revoked) != gone || gone > 0 && got.Revoked[0] != whom.id || len(h.kinds(before)) != gone {
						t.Errorf("answer %+v, log %v", got, h.kinds(before))
					}
				}
				h.restart()
				for n, p := range people {
					if (p.row() != nil) != slices.Contains(c.left, n) {
						t.Errorf("after a restart %s is %+v", n, p.row())
					}
				}
			})
		})
	}
}

func TestLastOwnerStays(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna := h.owner("Anna")
		anna.want(proto.CodeLastOwner, proto.OpRevoke, proto.Revoke{Client: anna.id})
		berta := anna.lets("Berta", proto.RoleOwner)
		anna.must(proto.OpRevoke, proto.Revoke{Client: anna.id}) // positive control: with another one
		berta.want(proto.CodeLastOwner, proto.OpRevoke, proto.Revoke{Client: berta.id})
	})
}

// The answer comes when the last packet to everyone who was removed has left. T5.
func TestRevokeWaitsForTheLastPacket(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna, bob, carl, dora := h.household()
		h.linger = make(chan struct{})
		gone := []*stream{bob.watch("s1", proto.ScopeView), bob.watch("s2", proto.ScopeListen), dora.watch("s1", proto.ScopeView)}
		stays := carl.watch("s1", proto.ScopeView)
		h.deliver()
		anna.answers = nil
		index := h.size()
		anna.send(anna.request(proto.OpRevoke, proto.Revoke{Client: bob.id}))
		time.Sleep(time.Minute)
		h.deliver()
		if len(anna.answers) != 0 {
			t.Errorf("answered while packets leave: %+v", anna.answers)
		}
		for i, s := range gone {
			if s.ctx.Err() == nil || s.over() {
				t.Errorf("session %d: right %v, over %v", i, s.ctx.Err(), s.over())
			}
		}
		close(h.linger)
		h.deliver()
		if len(anna.answers) != 1 || anna.answers[0].Code != proto.CodeOK {
			t.Fatalf("answers: %+v", anna.answers)
		}
		for i, s := range gone {
			if !s.over() || s.reason != string(proto.CodeRevoked) {
				t.Errorf("session %d: over %v, reason %q", i, s.over(), s.reason)
			}
		}
		if stays.over() || stays.ctx.Err() != nil {
			t.Error("somebody else's session ended")
		}
		l := h.entries(index)
		if l[0].Kind != accesslog.KindRevoke || l[0].Subject != bob.id || l[0].SubjectName != "Bob" || l[0].Client != anna.id ||
			l[1].Kind != accesslog.KindRevoke || l[1].Subject != dora.id || l[1].Start != index || l[1].Reason != reasonGuest {
			t.Errorf("entries: %+v", l[:2])
		}
	})
}

// A session that is being started while its member is removed does not begin.
func TestRevokeWhileASessionStarts(t *testing.T) {
	t.Run("in its handler", func(t *testing.T) {
		inHouse(t, func(t *testing.T, h *house) {
			anna, _, carl, _ := h.household()
			h.entered = make(chan struct{})
			carl.send(carl.request(proto.OpLive, view(proto.ScopeView), in("s1")))
			synctest.Wait()
			anna.answers = nil
			anna.send(anna.request(proto.OpRevoke, proto.Revoke{Client: carl.id}))
			h.deliver()
			if len(anna.answers) != 0 || h.streams[0].ctx.Err() == nil {
				t.Errorf("answers %+v, right %v", anna.answers, h.streams[0].ctx.Err())
			}
			carl.answers = nil
			close(h.entered)
			h.deliver()
			if len(anna.answers) != 1 || anna.answers[0].Code != proto.CodeOK || !h.streams[0].over() {
				t.Errorf("answers %+v, over %v", anna.answers, h.streams[0].over())
			}
			onlyRevoked(t, carl, 1)
		})
	})
	t.Run("before its handler", func(t *testing.T) {
		inHouse(t, func(t *testing.T, h *house) {
			anna, _, carl, _ := h.household()
			slow := &slowJournal{appender: h.a.journal, wait: make(chan struct{})}
			h.gate.journal = slow
			carl.send(carl.request(proto.OpLive, view(proto.ScopeView), in("s1")))
			synctest.Wait()
			anna.must(proto.OpRevoke, proto.Revoke{Client: carl.id})
			carl.answers = nil
			close(slow.wait)
			h.deliver()
			if len(h.streams) != 0 {
				t.Error("the handler was called")
			}
			onlyRevoked(t, carl, 1)
			if l := h.entries(h.size() - 1); l[0].Kind != accesslog.KindEnd || l[0].Reason != string(proto.CodeRevoked) {
				t.Errorf("entry: %+v", l[0])
			}
		})
	})
}

// slowJournal appends when the test says so.
type slowJournal struct {
	appender
	wait chan struct{}
}

func (j *slowJournal) Append(l ...accesslog.Entry) (uint64, error) {
	<-j.wait
	return j.appender.Append(l...)
}

// onlyRevoked checks that someone was told n times that it is no member, and nothing
// else: no nonce, nothing of the log.
func onlyRevoked(t *testing.T, p *person, n int) {
	t.Helper()
	if len(p.answers) != n {
		t.Errorf("%d answers, want %d", len(p.answers), n)
	}
	for _, a := range p.answers {
		want := proto.Answer{Issuer: p.h.gate.device, Audience: p.id, Epoch: p.h.gate.keys.epoch, Re: a.Re, Code: proto.CodeRevoked}
		if fmt.Sprint(a) != fmt.Sprint(want) {
			t.Errorf("answer: %+v", a)
		}
	}
}

// Whatever a former member sends, it hears that it is one, and nothing happens.
func TestFormerMember(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna, bob, carl, dora := h.household()
		anna.must(proto.OpRevoke, proto.Revoke{Client: bob.id})
		h.deliver()
		before := h.size()
		for _, p := range []*person{bob, dora} {
			for _, op := range []proto.Op{proto.OpHello, proto.OpStatus, proto.OpMembers, proto.OpLog, proto.OpPrivacy, proto.OpGrant, proto.OpRevoke, proto.OpBye, "fly"} {
				p.answers = nil
				p.send(p.request(op, proto.Privacy{On: true}, in("s1")))
				h.deliver()
				onlyRevoked(t, p, 1)
			}
			p.answers = nil
			p.send(p.request(proto.OpLive, view(proto.ScopeView), in("s1"), func(r *proto.Request) { r.Nonce = "junk" }))
			h.deliver()
			onlyRevoked(t, p, 1)
		}
		if h.size() != before || len(h.streams) != 0 || h.a.Settings().Privacy || h.gate.Drops().Unknown == 0 {
			t.Errorf("%d entries, %d sessions, drops %+v", h.size()-before, len(h.streams), h.gate.Drops())
		}
		h.restart()
		bob.answers = nil
		bob.send(bob.request(proto.OpStatus, nil))
		h.deliver()
		onlyRevoked(t, bob, 1) // remembered
		carl.must(proto.OpStatus, nil)
		eve := h.stranger("Eve") // who never was a member hears nothing
		eve.send(eve.request(proto.OpHello, nil))
		h.deliver()
		if len(eve.answers) != 0 {
			t.Errorf("a stranger is answered: %+v", eve.answers)
		}
	})
}

// What waited in the queue of someone who is removed is not carried out.
func TestRevokeEmptiesTheQueue(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		release, calls := make(chan struct{}), 0
		h.stop()
		h.gate = newGate(h.a, Deps{Sender: h.out})
		h.gate.Handle(proto.OpStatus, forQuery(func(context.Context, Request) (Result, error) {
			calls++
			<-release
			return Result{Body: "members only"}, nil
		}))
		h.run()
		close(release)
		anna := h.owner("Anna")
		carl := anna.lets("Carl", proto.RoleGuest)
		calls, release = 0, make(chan struct{})
		carl.must(proto.OpMembers, nil, as("members"))
		carl.send(carl.request(proto.OpStatus, nil))
		carl.send(carl.request(proto.OpMembers, nil))
		carl.send(carl.request(proto.OpPrivacy, proto.Privacy{On: true}))
		carl.send(carl.request(proto.OpMembers, nil, as("members"))) // its first answer is known
		anna.must(proto.OpRevoke, proto.Revoke{Client: carl.id})
		h.deliver()
		carl.answers = nil
		close(release)
		h.deliver()
		onlyRevoked(t, carl, 4)
		if calls != 1 || h.a.Settings().Privacy {
			t.Errorf("%d calls, settings %+v", calls, h.a.Settings())
		}
	})
}

// A lost answer is asked for again, under the same jti.
func TestRevokeRepeated(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna, bob, _, _ := h.household()
		index := h.size()
		first := anna.must(proto.OpRevoke, proto.Revoke{Client: bob.id}, as("same"))
		again := anna.must(proto.OpRevoke, proto.Revoke{Client: bob.id}, as("same"))
		if string(first.Body) != string(again.Body) || anna.proof.Entry == nil || anna.proof.Entry.Index != index {
			t.Errorf("again: %s, proof %+v", again.Body, anna.proof.Entry)
		}
		if got := read[proto.RevokeAnswer](t, anna.must(proto.OpRevoke, proto.Revoke{Client: bob.id})); len(got.Revoked) != 0 {
			t.Errorf("another request: %+v", got)
		}
		h.restart() // which forgets first answers, but not that Bob is gone
		if got := read[proto.RevokeAnswer](t, anna.must(proto.OpRevoke, proto.Revoke{Client: bob.id}, as("same"))); len(got.Revoked) != 0 {
			t.Errorf("after a restart: %+v", got)
		}
		if n := count(kindNames(h.kinds(index)), "revoke"); n != 2 {
			t.Errorf("%d entries of revocation", n)
		}
	})
}

func kindNames(l []accesslog.Kind) (names []string) {
	for _, k := range l {
		names = append(names, string(k))
	}
	return names
}

// Someone who is let in again gets rights, but nothing from before works: not the
// requests of its first time, and no session.
func TestLetInAgain(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna, _, carl, _ := h.household()
		old := carl.seal(carl.request(proto.OpLive, view(proto.ScopeView), in("s1")))
		h.gate.Receive(t.Context(), carl.id, old)
		h.deliver()
		anna.must(proto.OpRevoke, proto.Revoke{Client: carl.id})
		anna.must(proto.OpGrant, carl.grant(proto.RoleGuest))
		h.gate.Receive(t.Context(), carl.id, old) // its nonce is live
		h.deliver()
		if len(h.streams) != 1 || !h.streams[0].over() {
			t.Errorf("%d sessions", len(h.streams))
		}
		carl.watch("s2", proto.ScopeView) // positive control
	})
}

// Nor what a broker held back, nor what waited in the queue, nor what was being started,
// however soon the same key is let in again; and nobody's nonce outlives a removal.
func TestNothingOfBeforeARemovalCounts(t *testing.T) {
	for name, c := range map[string]struct {
		revoke func(anna, carl *person)
		retry  bool // the store took the removal only later
	}{
		"removed": {revoke: func(anna, carl *person) { anna.must(proto.OpRevoke, proto.Revoke{Client: carl.id}) }},
		"left":    {revoke: func(_, carl *person) { carl.must(proto.OpRevoke, proto.Revoke{Client: carl.id}) }},
		"removed while the store failed": {retry: true, revoke: func(anna, carl *person) {
			carl.h.withoutTrust(func() { anna.want(proto.CodeStorage, proto.OpRevoke, proto.Revoke{Client: carl.id}) })
		}},
	} {
		t.Run(name, func(t *testing.T) {
			inHouse(t, func(t *testing.T, h *house) {
				anna, bob, carl, _ := h.household()
				nonces := []string{anna.nonce, bob.nonce, carl.nonce}
				held := carl.seal(carl.request(proto.OpLive, view(proto.ScopeView), in("s1"),
					func(r *proto.Request) { r.Sequence += 1 << 20 }))
				c.revoke(anna, carl)
				if c.retry {
					h.a.changes.retry()
				}
				if carl.row() != nil {
					t.Fatal("Carl is a member")
				}
				nonces = append(nonces, carl.nonce)
				anna.must(proto.OpStatus, nil)
				anna.must(proto.OpGrant, carl.grant(proto.RoleGuest))
				h.gate.Receive(t.Context(), carl.id, held)
				h.deliver()
				if len(h.streams) != 0 {
					t.Error("what was held back is carried out")
				}
				for i, n := range nonces {
					if time.Now().Before(h.gate.queues.nonces.until(n, 0)) {
						t.Errorf("nonce %d is live", i)
					}
				}
				carl.watch("s2", proto.ScopeView) // positive control
			})
		})
	}
	t.Run("in the queue", func(t *testing.T) {
		inHouse(t, func(t *testing.T, h *house) {
			release := make(chan struct{})
			h.gate.ops["slow"] = forQuery(func(context.Context, Request) (Result, error) { <-release; return Result{}, nil })
			anna, _, carl, _ := h.household()
			carl.send(carl.request("slow", nil))
			carl.send(carl.request(proto.OpLive, view(proto.ScopeView), in("s1")))
			carl.send(carl.request(proto.OpPrivacy, proto.Privacy{On: true}))
			anna.must(proto.OpRevoke, proto.Revoke{Client: carl.id})
			anna.must(proto.OpGrant, carl.grant(proto.RoleGuest))
			close(release)
			h.deliver()
			if len(h.streams) != 0 || h.a.Settings().Privacy {
				t.Error("what waited is carried out")
			}
		})
	})
	t.Run("being started", func(t *testing.T) {
		inHouse(t, func(t *testing.T, h *house) {
			anna, _, carl, _ := h.household()
			slow := &slowJournal{appender: h.a.journal, wait: make(chan struct{})}
			h.gate.journal = slow
			carl.send(carl.request(proto.OpLive, view(proto.ScopeView), in("s1")))
			synctest.Wait()
			anna.must(proto.OpRevoke, proto.Revoke{Client: carl.id})
			anna.must(proto.OpGrant, carl.grant(proto.RoleGuest))
			close(slow.wait)
			h.deliver()
			if len(h.streams) != 0 {
				t.Error("it begins")
			}
		})
	})
}

// What is kept of those who were removed is bounded, in RAM and in the store.
func TestFormerMembersAreBounded(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna := h.owner("Anna")
		var first, last *person
		for i := range maxFormer + 6 {
			last = anna.lets(fmt.Sprint("guest ", i), proto.RoleGuest)
			if i == 0 {
				first = last
			}
			anna.must(proto.OpRevoke, proto.Revoke{Client: last.id})
			time.Sleep(time.Minute) // its allowance
		}
		all := h.a.members.current.Load()
		if len(all.former) != maxFormer || all.former[first.id] != nil || all.former[last.id] == nil {
			t.Errorf("%d are remembered", len(all.former))
		}
		time.Sleep(3 * nonceLife)
		h.gate.queues.mu.Lock()
		defer h.gate.queues.mu.Unlock()
		if len(h.gate.queues.byMember) != 1 || h.gate.queues.byMember[anna.id] == nil {
			t.Errorf("the gate keeps %d", len(h.gate.queues.byMember))
		}
	})
}
