package auth

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

// chained checks that each notice names the one before, beginning after last, and returns
// the kinds.
func (p *person) chained(last uint64) (kinds []accesslog.Kind) {
	p.h.t.Helper()
	p.h.deliver()
	for _, n := range p.notices {
		if n.Previous != last || n.Index <= last {
			p.h.t.Errorf("%s gets notice %d after %d, and knew %d", p.name, n.Index, n.Previous, last)
		}
		last = n.Index
	}
	if a := p.ask(proto.OpHello, nil, func(r *proto.Request) { r.Nonce = "" }); a.Noticed > last {
		p.h.t.Errorf("%s is told by an answer of notice %d, and got %d", p.name, a.Noticed, last)
	}
	return p.heard()
}

// last is the newest notice that p got or, if there is none, what an answer tells of.
func (p *person) lastNotice() uint64 {
	p.h.t.Helper()
	p.heard()
	return p.ask(proto.OpHello, nil, func(r *proto.Request) { r.Nonce = "" }).Noticed
}

func (h *house) rename(i int) {
	h.t.Helper()
	if _, err := h.a.ChangeSettings(proto.SettingsChange{Name: new(fmt.Sprint("porch ", i))}); err != nil {
		h.t.Fatal(err)
	}
}

// However much waits, and whatever became of the connection, nothing is lost, and all
// comes in order.
func TestNoticesAreKeptUntilTheyAreSent(t *testing.T) {
	for name, away := range map[string]Sender{"without a connection": deaf{}, "unacknowledged": lossy{}} {
		t.Run(name, func(t *testing.T) {
			inHouse(t, func(t *testing.T, h *house) {
				anna, bob, carl, dora := h.household()
				everyone := []*person{anna, bob, carl, dora}
				last := map[*person]uint64{}
				for _, p := range everyone {
					last[p] = p.lastNotice()
				}
				const n = 600
				h.line.use(away)
				for i := range n {
					h.rename(i)
				}
				time.Sleep(time.Minute)
				h.line.use(h.out)
				h.gate.Online()
				for _, p := range everyone {
					if got := p.chained(last[p]); len(got) != n {
						t.Errorf("%s gets %d notices, want %d", p.name, len(got), n)
					}
				}
				h.line.use(away) // and without Online, a while later
				h.rename(n)
				synctest.Wait()
				h.line.use(h.out)
				time.Sleep(retryAfter + 2*reviewPeriod)
				for _, p := range everyone {
					if got := p.heard(); len(got) != 1 {
						t.Errorf("%s gets %d notices, want 1", p.name, len(got))
					}
				}
			})
		})
	}
}

// slowLine acknowledges when the test says so.
type slowLine struct {
	*inbox
	acks chan func(error)
}

func (s *slowLine) Notify(to proto.ClientID, msg []byte, done func(error)) error {
	s.acks <- done
	return s.Send(to, msg)
}

// The next notice waits for the acknowledgement of the one before, so that one which is
// sent again does not come late; one member's wait is not another's.
func TestOneNoticeForAMemberIsOnItsWay(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna := h.owner("Anna")
		bob := anna.lets("Bob", proto.RoleAdult)
		last := map[*person]uint64{anna: anna.lastNotice(), bob: bob.lastNotice()}
		line := &slowLine{h.out, make(chan func(error), 64)}
		h.line.use(line)
		for i := range 3 {
			h.rename(i)
		}
		h.deliver()
		if len(anna.notices) != 1 || len(bob.notices) != 1 {
			t.Fatalf("%d and %d are on their way", len(anna.notices), len(bob.notices))
		}
		h.line.use(h.out)
		for range 2 {
			(<-line.acks)(nil)
		}
		for _, p := range []*person{anna, bob} {
			if got := p.chained(last[p]); len(got) != 3 {
				t.Errorf("%s gets %v", p.name, got)
			}
		}
	})
}

// Who may not read the log now is told of nothing; afterwards of no more of that time
// than log shows. Nobody takes that for a gap.
func TestNoticesToThoseWhoRest(t *testing.T) {
	day := weekly("Mo-Su 08:00-13:00")
	for name, c := range map[string]struct {
		role  proto.Role
		grant func(*proto.Grant)
		rest  func(h *house)
		back  func(h *house, anna *person) // nil: never
		// All that happened meanwhile comes afterwards; else only what the member did itself.
		all bool
	}{
		"a guest outside its hours":  {proto.RoleGuest, day, at(14), func(h *house, _ *person) { at(33)(h) }, false},
		"an adult outside its hours": {proto.RoleAdult, day, at(14), func(h *house, _ *person) { at(33)(h) }, true},
		"a guest before its first day": {proto.RoleGuest, between(noon.Add(time.Hour).Unix(), 0), func(*house) {},
			func(h *house, _ *person) { at(14)(h) }, false},
		"a guest without a clock": {proto.RoleGuest, day, func(h *house) { h.wall.unsynchronise(true) },
			func(h *house, _ *person) { h.wall.unsynchronise(false) }, false},
		"a guest while no owner is heard": {proto.RoleGuest, func(*proto.Grant) {},
			func(h *house) { time.Sleep(31 * 24 * time.Hour) },
			func(_ *house, anna *person) { anna.must(proto.OpStatus, nil) }, false},
		"a guest whose time is over": {proto.RoleGuest, between(0, noon.Add(time.Hour).Unix()), at(14), nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			inHouse(t, func(t *testing.T, h *house) {
				anna := h.owner("Anna")
				carl := anna.lets("Carl", c.role, c.grant)
				last := carl.lastNotice()
				inForce := carl.code(proto.OpLive, view(proto.ScopeView), in("s1")) == proto.CodeOK
				if got := carl.chained(last); inForce != (len(got) == 1) {
					t.Fatalf("in force %v, and told of %v", inForce, got)
				}
				if last = carl.lastNotice(); inForce && last == 0 {
					t.Fatal("no notice is known of")
				}
				c.rest(h)
				time.Sleep(2 * reviewPeriod) // what lives ends
				h.rename(1)
				if got := carl.chained(last); len(got) != 0 {
					t.Errorf("while it rests it is told of %v", got)
				}
				if c.back == nil {
					return
				}
				c.back(h, anna)
				time.Sleep(2 * reviewPeriod)
				var want []accesslog.Kind
				if inForce {
					want = append(want, accesslog.KindEnd) // of its own session
				}
				if c.all {
					want = append(want, accesslog.KindSettings)
				}
				if got := carl.chained(last); !slices.Equal(got, want) {
					t.Errorf("of the time between it is told of %v, want %v", got, want)
				}
				last = carl.lastNotice()
				h.rename(2)
				if got := carl.chained(last); !slices.Equal(got, []accesslog.Kind{accesslog.KindSettings}) {
					t.Errorf("afterwards it is told of %v", got)
				}
			})
		})
	}
}

// at sets the clock to an hour of the first day.
func at(hour int) func(*house) {
	return func(h *house) { h.wall.set(noon.Add(time.Duration(hour-12) * time.Hour)) }
}

// What could not be sent before a member's right rested comes when it is in force again,
// and to who was removed all up to that.
func TestWhatWaitedBeforeARest(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna := h.owner("Anna")
		carl := anna.lets("Carl", proto.RoleGuest, weekly("Mo-Su 08:00-13:00"))
		emil := anna.lets("Emil", proto.RoleGuest)
		last := map[*person]uint64{carl: carl.lastNotice(), emil: emil.lastNotice()}
		h.line.use(deaf{})
		h.rename(1)
		at(14)(h)
		h.rename(2)
		at(33)(h)
		h.rename(3)
		change := h.a.changes.begin()
		if _, err := h.a.revoke(anna.row(), emil.row(), false); err != nil {
			t.Error(err)
		}
		change()
		h.rename(4)
		h.line.use(h.out)
		h.gate.Online()
		settings := accesslog.KindSettings
		if got := carl.chained(last[carl]); !slices.Equal(got, []accesslog.Kind{settings, settings, accesslog.KindRevoke, settings}) {
			t.Errorf("Carl is told of %v", got)
		}
		h.deliver()
		if got := emil.heard(); !slices.Equal(got, []accesslog.Kind{settings, settings, settings, accesslog.KindRevoke}) {
			t.Errorf("Emil, who was removed, is told of %v", got)
		}
	})
}

// Over a restart, an orderly one or none, who may read the whole log at any time is sent
// what could not be sent before; to the others that is a gap. Where somebody may have
// rested nobody knows what it was told: then nothing looks like a gap.
func TestNoticesThatWaitOverARestart(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna, bob, carl, _ := h.household()
		emil := anna.lets("Emil", proto.RoleGuest, weekly("Mo-Su 08:00-13:00"))
		last := map[*person]uint64{}
		for _, p := range []*person{anna, bob, carl, emil} {
			last[p] = p.lastNotice()
		}
		h.rename(0) // this one everybody gets
		for _, p := range []*person{anna, bob, carl, emil} {
			if got := p.chained(last[p]); len(got) != 1 {
				t.Errorf("%s is told of %v", p.name, got)
			}
			last[p] = p.lastNotice()
		}
		h.line.use(deaf{})
		for i := range 5 {
			h.rename(i)
		}
		h.restart()
		h.gate.Online()
		for _, p := range []*person{anna, bob} {
			if got := p.chained(last[p]); len(got) != 5 {
				t.Errorf("%s is told of %v", p.name, got)
			}
		}
		missed := h.a.journal.notices.noticed.Load()
		if n := carl.lastNotice(); n != missed {
			t.Errorf("Carl does not hear of a gap: %d, want %d", n, missed)
		}
		if n := emil.lastNotice(); n != 0 {
			t.Errorf("an answer tells Emil of notice %d", n)
		}
		h.rename(6)
		h.deliver()
		for p, want := range map[*person]uint64{carl: missed, emil: missed + 1} {
			if len(p.notices) != 1 || p.notices[0].Previous != want {
				t.Errorf("%s gets %+v, want one after %d", p.name, p.notices, want)
			}
		}
		// All was told; what was logged last may come twice, and no more.
		index := anna.lastNotice()
		h.restart()
		h.gate.Online()
		h.deliver()
		if n := len(anna.notices); n > 1 || n == 1 && anna.notices[0].Index != index {
			t.Errorf("after another restart: %+v", anna.notices)
		}
	})
}

// What the log has dropped before it could be told is a gap, and nothing that looks whole.
func TestNoticeWhoseTextIsGoneIsAGap(t *testing.T) {
	for name, buckets := range map[string][]string{"its text": {"texts/1"}, "altogether": {"texts/1", "tree/1"}} {
		t.Run(name, func(t *testing.T) {
			inHouse(t, func(t *testing.T, h *house) {
				anna := h.owner("Anna")
				last := anna.lastNotice()
				h.line.use(deaf{})
				h.rename(1)
				dropped := h.a.journal.notices.noticed.Load()
				h.rename(2)
				synctest.Wait() // what is being told has been read, and was not taken
				for _, b := range buckets {
					drop := func(tx *store.Tx) error { return store.Plain(b).Delete(tx, store.Key64(dropped)) }
					if err := h.a.logs.Update(drop); err != nil {
						t.Fatal(err)
					}
				}
				h.line.use(h.out)
				h.gate.Online()
				h.deliver()
				if len(anna.notices) != 1 || anna.notices[0].Previous != dropped || dropped == last {
					t.Errorf("%+v, want one after %d", anna.notices, dropped)
				}
			})
		})
	}
}

// Whose right comes and goes while the broker is away is remembered within bounds.
func TestSpansAreBounded(t *testing.T) {
	w := &delivery{known: true}
	for i := range uint64(5 * maxSpans) {
		w.owe(i+1, i, i%2 == 0)
	}
	if n := len(w.owed); n != maxSpans || w.last != w.owed[0].from-1 {
		t.Errorf("%d spans from %d, the last told is %d", n, w.owed[0].from, w.last)
	}
	w = &delivery{}
	w.owe(3, 2, false)
	w.owe(9, 8, false) // 4 to 8 were while it was no member
	if !slices.Equal(w.owed, []span{{3, 4, false}, {9, 10, false}}) {
		t.Errorf("owed: %+v", w.owed)
	}
}
