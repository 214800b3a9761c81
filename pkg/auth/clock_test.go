package auth

import (
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/auth/trustedtime"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

// noon is when a house begins.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// A right that ends, ends what is live, within the second or two that a review takes,
// and no sooner. T6.
func TestRightsEndWithTime(t *testing.T) {
	after := func(d time.Duration) int64 { return noon.Add(d).Unix() }
	for name, c := range map[string]struct {
		bob, carl, dora func(*proto.Grant) // an adult, a guest of the owner, a guest of the adult
		want            proto.Code
	}{
		"schedule":              {carl: weekly("Mo 08:00-12:30"), want: proto.CodeSchedule},
		"schedule over night":   {carl: weekly("Su 18:00-12:30"), want: proto.CodeSchedule},
		"expiry":                {carl: between(0, after(30*time.Minute)), want: proto.CodeExpired},
		"both, expiry first":    {carl: func(g *proto.Grant) { g.Weekly, g.Until = "Mo 12:00-13:00", after(30*time.Minute) }, want: proto.CodeExpired},
		"schedule of a parent":  {bob: weekly("Mo 08:00-12:30"), want: proto.CodeSchedule},
		"expiry of a parent":    {bob: between(0, after(30*time.Minute)), want: proto.CodeExpired},
		"narrower than parent":  {bob: weekly("Mo 08:00-15:00"), dora: weekly("Mo 09:00-12:30"), want: proto.CodeSchedule},
		"wider than its parent": {bob: weekly("Mo 08:00-12:30"), dora: weekly("Mo 08:00-15:00"), want: proto.CodeSchedule},
	} {
		t.Run(name, func(t *testing.T) {
			inHouse(t, func(t *testing.T, h *house) {
				anna := h.owner("Anna")
				if c.carl == nil {
					c.carl = func(*proto.Grant) {}
				}
				who, free := anna.lets("Carl", proto.RoleGuest, c.carl), anna.lets("Emil", proto.RoleGuest)
				if c.bob != nil {
					bob := anna.lets("Bob", proto.RoleAdult, c.bob)
					if c.dora == nil {
						c.dora = func(*proto.Grant) {}
					}
					who = bob.lets("Dora", proto.RoleGuest, c.dora)
				}
				s, other := who.watch("s1", proto.ScopeView), free.watch("s1", proto.ScopeView)
				time.Sleep(time.Until(time.Now().Add(30*time.Minute - 2*time.Second)))
				if s.over() {
					t.Fatalf("ended early: %s", s.reason)
				}
				time.Sleep(2*time.Second + 2*reviewPeriod)
				if !s.over() || s.reason != string(c.want) {
					t.Fatalf("over %v, reason %q, want %s", s.over(), s.reason, c.want)
				}
				if other.over() {
					t.Errorf("someone else's session ended: %s", other.reason)
				}
				who.want(c.want, proto.OpLive, view(proto.ScopeView), in("s2"))
				who.want(c.want, proto.OpStatus, nil)
				who.want(proto.CodeOK, proto.OpBye, nil, in("s1")) // ending is always allowed
			})
		})
	}
}

func TestRightsBeginWithTime(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna := h.owner("Anna")
		carl := anna.lets("Carl", proto.RoleGuest, between(noon.Add(time.Minute).Unix(), 0))
		carl.want(proto.CodeSchedule, proto.OpLive, view(proto.ScopeView), in("s1"))
		h.wall.set(noon.Add(time.Minute - time.Second))
		carl.want(proto.CodeSchedule, proto.OpLive, view(proto.ScopeView), in("s1"))
		h.wall.set(noon.Add(time.Minute))
		carl.watch("s1", proto.ScopeView)
	})
}

// Schedules go by the household's clock on the wall, in summer and winter.
func TestScheduleAcrossSummerTime(t *testing.T) {
	for name, c := range map[string]struct {
		weekly string
		at     map[string]proto.Code // UTC
	}{
		"an hour that does not come": {"Su 02:00-03:00", map[string]proto.Code{
			"2026-03-29T00:59:59Z": proto.CodeSchedule, "2026-03-29T01:00:00Z": proto.CodeSchedule, "2026-03-29T01:30:00Z": proto.CodeSchedule}},
		"over the hour that does not come": {"Su 01:30-03:30", map[string]proto.Code{
			"2026-03-29T00:29:59Z": proto.CodeSchedule, "2026-03-29T00:30:00Z": proto.CodeOK,
			"2026-03-29T01:29:59Z": proto.CodeOK, "2026-03-29T01:30:00Z": proto.CodeSchedule}},
		"an hour that comes twice": {"Su 02:00-03:00", map[string]proto.Code{
			"2026-10-24T23:59:59Z": proto.CodeSchedule, "2026-10-25T00:00:00Z": proto.CodeOK, "2026-10-25T00:59:59Z": proto.CodeOK,
			"2026-10-25T01:00:00Z": proto.CodeOK, "2026-10-25T01:59:59Z": proto.CodeOK, "2026-10-25T02:00:00Z": proto.CodeSchedule}},
		"the same hour all year": {"08:00-09:00", map[string]proto.Code{
			"2026-03-28T07:30:00Z": proto.CodeOK, "2026-03-30T07:30:00Z": proto.CodeSchedule, "2026-03-30T06:30:00Z": proto.CodeOK}},
	} {
		t.Run(name, func(t *testing.T) {
			for at, want := range c.at {
				when, err := time.Parse(time.RFC3339, at)
				if err != nil {
					t.Fatal(err)
				}
				inHouse(t, func(t *testing.T, h *house) {
					h.wall.set(when)
					anna := h.owner("Anna")
					anna.must(proto.OpSetSettings, proto.SettingsChange{TimeZone: new("Europe/Berlin")})
					carl := anna.lets("Carl", proto.RoleGuest, weekly(c.weekly))
					h.wall.set(when)
					if got := carl.code(proto.OpLive, view(proto.ScopeView), in("s1")); got != want {
						t.Errorf("%s: %s, want %s", at, got, want)
					}
				})
			}
		})
	}
}

// A session over the end of summer time lasts through both of its hours.
func TestSessionAcrossSummerTime(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		h.wall.set(time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC))
		anna := h.owner("Anna")
		anna.must(proto.OpSetSettings, proto.SettingsChange{TimeZone: new("Europe/Berlin")})
		s := anna.lets("Carl", proto.RoleGuest, weekly("Su 02:00-03:00")).watch("s1", proto.ScopeView)
		time.Sleep(89 * time.Minute)
		if s.over() {
			t.Fatalf("ended early: %s", s.reason)
		}
		time.Sleep(2 * time.Minute)
		if !s.over() || s.reason != string(proto.CodeSchedule) {
			t.Errorf("over %v, reason %q", s.over(), s.reason)
		}
	})
}

// A change of the time zone counts at once.
func TestTimeZoneMovesASchedule(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna := h.owner("Anna")
		s := anna.lets("Carl", proto.RoleGuest, weekly("Mo 11:00-12:30")).watch("s1", proto.ScopeView)
		anna.must(proto.OpSetSettings, proto.SettingsChange{TimeZone: new("Europe/Berlin")})
		h.deliver()
		if !s.over() || s.reason != string(proto.CodeSchedule) {
			t.Errorf("over %v, reason %q", s.over(), s.reason)
		}
	})
}

// Who sets the clock gains nothing beyond the window that the floor leaves. T6.
func TestForgedClock(t *testing.T) {
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		forge func(*wall)
		want  proto.Code // for a right with an end in 40 days
	}{
		"untouched":       {func(*wall) {}, proto.CodeOK},
		"back a year":     {func(w *wall) { w.set(noon.Add(-365 * day)) }, proto.CodeClock},
		"back 25 hours":   {func(w *wall) { w.set(noon.Add(-25 * time.Hour)) }, proto.CodeClock},
		"back 23 hours":   {func(w *wall) { w.set(noon.Add(-23 * time.Hour)) }, proto.CodeOK},
		"forward 29 days": {func(w *wall) { w.set(noon.Add(29 * day)) }, proto.CodeOK},
		"forward 31 days": {func(w *wall) { w.set(noon.Add(31 * day)) }, proto.CodeClock},
		"forward a year":  {func(w *wall) { w.set(noon.Add(365 * day)) }, proto.CodeClock},
		"unsynchronised":  {func(w *wall) { w.unsynchronise(true) }, proto.CodeClock},
		"to 1970":         {func(w *wall) { w.set(time.Unix(0, 0)) }, proto.CodeClock},
	} {
		t.Run(name, func(t *testing.T) {
			inHouse(t, func(t *testing.T, h *house) {
				anna := h.owner("Anna")
				bob := anna.lets("Bob", proto.RoleAdult, between(0, noon.Add(40*day).Unix()))
				free := anna.lets("Carl", proto.RoleGuest)
				s, other := bob.watch("s1", proto.ScopeView), free.watch("s1", proto.ScopeView)
				c.forge(&h.wall)
				time.Sleep(2 * reviewPeriod)
				h.deliver()
				if s.over() != (c.want != proto.CodeOK) || s.over() && s.reason != string(c.want) {
					t.Errorf("over %v, reason %q", s.over(), s.reason)
				}
				bob.want(c.want, proto.OpLive, view(proto.ScopeView), in("s2"))
				if other.over() {
					t.Errorf("a right without a time ended: %s", other.reason)
				}
				before := h.a.policy.time.Floor()
				bob.ask(proto.OpStatus, nil)
				free.ask(proto.OpStatus, nil)
				if got := h.a.policy.time.Floor(); !got.Equal(before) {
					t.Errorf("the floor moved from %v to %v", before, got)
				}
				h.wall.unsynchronise(false)
				h.wall.set(noon.Add(time.Minute))
				bob.want(proto.CodeOK, proto.OpLive, view(proto.ScopeView), in("s3")) // the clock is right again
			})
		})
	}
}

// What moves the floor: an owner's request under a live nonce, signed within a day of
// a synchronised clock. The device tells the owner when the two contradict each other.
func TestFloor(t *testing.T) {
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		who   string
		op    proto.Op
		drift time.Duration // of who asks, from noon tomorrow, where the device's clock is
		f     func(*proto.Request)
		lost  bool
		moves bool
		clk   bool
	}{
		"owner":                    {who: "Anna", op: proto.OpStatus, moves: true},
		"owner 23 hours ahead":     {who: "Anna", op: proto.OpStatus, drift: 23 * time.Hour, moves: true},
		"owner 23 hours behind":    {who: "Anna", op: proto.OpStatus, drift: -23 * time.Hour, moves: true},
		"owner 25 hours ahead":     {who: "Anna", op: proto.OpStatus, drift: 25 * time.Hour, clk: true},
		"owner 25 hours behind":    {who: "Anna", op: proto.OpStatus, drift: -25 * time.Hour, clk: true},
		"owner a year ahead":       {who: "Anna", op: proto.OpStatus, drift: 365 * day, clk: true},
		"owner is refused":         {who: "Anna", op: "fly"},
		"device unsynchronised":    {who: "Anna", op: proto.OpStatus, lost: true},
		"hello":                    {who: "Anna", op: proto.OpHello},
		"without a nonce":          {who: "Anna", op: proto.OpStatus, f: func(r *proto.Request) { r.Nonce = "" }},
		"with a repeated sequence": {who: "Anna", op: proto.OpStatus, f: func(r *proto.Request) { r.Sequence-- }},
		"adult":                    {who: "Bob", op: proto.OpStatus},
		"guest":                    {who: "Carl", op: proto.OpStatus},
		"adult a year ahead":       {who: "Bob", op: proto.OpStatus, drift: 365 * day},
	} {
		t.Run(name, func(t *testing.T) {
			inHouse(t, func(t *testing.T, h *house) {
				anna, bob, carl, _ := h.household()
				before := h.a.policy.time.Floor()
				h.wall.set(noon.Add(day))
				h.wall.unsynchronise(c.lost)
				p := map[string]*person{"Anna": anna, "Bob": bob, "Carl": carl}[c.who]
				p.drift = c.drift
				f := c.f
				if f == nil {
					f = func(*proto.Request) {}
				}
				a := p.once(p.request(c.op, nil, f))
				after := h.a.policy.time.Floor()
				if after.After(before) != c.moves || after.Before(before) || c.moves && after.Unix() != noon.Add(day+c.drift).Unix() {
					t.Errorf("the floor went from %v to %v", before, after)
				}
				if now, _ := h.wall.now(); (a.Clock != 0) != c.clk || c.clk && a.Clock != now.Unix() {
					t.Errorf("clk %d", a.Clock)
				}
			})
		})
	}
}

// The floor is there after a restart, at most a day older, and the build's time is one.
func TestFloorIsKept(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna := h.owner("Anna")
		h.restart()
		if got := h.a.policy.time.Floor(); noon.Sub(got) > 24*time.Hour {
			t.Errorf("after a restart: %v", got)
		}
		h.wall.set(noon.Add(48 * time.Hour))
		anna.must(proto.OpStatus, nil)
		h.restart()
		if got := h.a.policy.time.Floor(); got.Unix() != noon.Add(48*time.Hour).Unix() {
			t.Errorf("two days later: %v", got)
		}
		h.cfg.Built = noon.Add(96 * time.Hour)
		h.restart()
		if got := h.a.policy.time.Floor(); !got.Equal(h.cfg.Built) {
			t.Errorf("newer software: %v", got)
		}
	})
}

// Before an owner was ever heard, and without a time of the build, no clock is believed.
func TestNoClockIsBelievedAtFirst(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		if _, ok := h.a.policy.time.Now(); ok {
			t.Error("believed without a floor")
		}
		h.owner("Anna")
		if _, ok := h.a.policy.time.Now(); !ok {
			t.Error("not believed after an owner agreed")
		}
	})
}

// Guests rest after 30 days without an owner, and go on when one is heard.
func TestGuestsRestWithoutAnOwner(t *testing.T) {
	const month = 30 * 24 * time.Hour
	// alone lets the device run without anyone for d. What the gate does hourly is done,
	// not what it does each second.
	alone := func(h *house, d time.Duration) {
		h.stop()
		for range int(d / time.Hour) {
			time.Sleep(time.Hour)
			h.a.policy.time.Tick()
			h.a.journal.tidy(h.a.policy.time.Floor())
		}
		h.restart()
	}
	for name, c := range map[string]struct {
		spend func(h *house)
		rests bool
	}{
		"29 days of uptime": {func(h *house) {
			h.wall.unsynchronise(true)
			alone(h, month-24*time.Hour)
		}, false},
		"30 days of uptime": {func(h *house) {
			h.wall.unsynchronise(true)
			alone(h, month+24*time.Hour)
		}, true},
		"30 days of uptime, with restarts": {func(h *house) {
			h.wall.unsynchronise(true)
			for range 4 {
				alone(h, month/4+2*time.Hour)
			}
		}, true},
		"29 days by the clock, switched off": {func(h *house) { h.restart(func() { h.wall.set(noon.Add(month - 24*time.Hour)) }) }, false},
		"30 days by the clock, switched off": {func(h *house) { h.restart(func() { h.wall.set(noon.Add(month)) }) }, true},
		"a year by the clock, switched off":  {func(h *house) { h.restart(func() { h.wall.set(noon.Add(12 * month)) }) }, true},
		"30 days, restarted each day": {func(h *house) {
			for range 31 {
				alone(h, 23*time.Hour)
				time.Sleep(time.Hour)
			}
		}, true},
		"a clock set forward while the owner is there": {func(h *house) { h.wall.set(noon.Add(12 * month)) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			inHouse(t, func(t *testing.T, h *house) {
				anna, bob, carl, dora := h.household()
				c.spend(h)
				want := proto.CodeOK
				if c.rests {
					want = proto.CodeSuspended
				}
				bob.want(proto.CodeOK, proto.OpLive, view(proto.ScopeView), in("a")) // adults don't rest
				for _, p := range []*person{carl, dora} {
					p.hello() // counts for nothing
					p.want(want, proto.OpLive, view(proto.ScopeView), in("b"))
				}
				anna.hello()
				carl.want(want, proto.OpStatus, nil)
				anna.must(proto.OpStatus, nil)
				carl.want(proto.CodeOK, proto.OpLive, view(proto.ScopeView), in("c"))
				h.restart()
				carl.want(proto.CodeOK, proto.OpLive, view(proto.ScopeView), in("d"))
			})
		})
	}
}

// The suspension ends a session too.
func TestSuspensionEndsASession(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna, _, carl, _ := h.household()
		s, own := carl.watch("s1", proto.ScopeView), anna.watch("s1", proto.ScopeView)
		// As if no owner had been heard for 30 days less a minute.
		err := h.a.trust.Update(func(tx *store.Tx) error {
			return meta.PutNumber(tx, "alone", uint64((30*24*time.Hour-time.Minute)/time.Second))
		})
		if err == nil {
			h.a.sessions.mu.Lock() // which each review takes
			h.a.policy.time, err = trustedtime.Load(h.a.trust, h.wall.now, time.Time{}, h.a.log)
			h.a.sessions.mu.Unlock()
		}
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(55 * time.Second)
		if s.over() {
			t.Fatalf("ended early: %s", s.reason)
		}
		time.Sleep(10 * time.Second)
		if !s.over() || s.reason != string(proto.CodeSuspended) || own.over() {
			t.Errorf("over %v, reason %q, the owner's over %v", s.over(), s.reason, own.over())
		}
	})
}
