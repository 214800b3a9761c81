package auth

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/proto"
)

// An adult who invites many keys of its own has the allowance of one member and of one
// member's guests, not that of many; and the guests don't use up the adult's.
func TestGuestsShareAnAllowance(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		bob := h.owner("Anna").lets("Bob", proto.RoleAdult)
		guests := []*person{bob.lets("Carl", proto.RoleGuest), bob.lets("Dora", proto.RoleGuest), bob.lets("Emil", proto.RoleGuest)}
		before, begun := h.size(), 0
		for i := range 2 * maxStarts {
			g := guests[i%len(guests)]
			if g.ask(proto.OpLive, view(proto.ScopeView), in(fmt.Sprint("s", i))).Code == proto.CodeOK {
				begun++
			}
			g.want(proto.CodeScope, proto.OpLive, view(proto.ScopeTalk), in(fmt.Sprint("t", i)))
		}
		refused := 0
		for from := before; from < h.size(); from += accesslog.MaxRead {
			for _, k := range h.kinds(from) {
				if k == accesslog.KindRefused {
					refused++
				}
			}
		}
		if begun != maxStarts || refused != 1 {
			t.Errorf("%d sessions began and %d refusals were logged, want %d and 1", begun, refused, maxStarts)
		}
		bob.watch("mine", proto.ScopeView)
	})
}

// Whoever stands at the camera comes first: the eviction is durable before it waits for
// a session, and one that never ends does not hold it up for ever.
func TestEvictionIsDurableBeforeItWaits(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna, _, carl, _ := h.household()
		aborted := make(chan string, 1)
		h.a.sessions.abort = func(reason string) { aborted <- reason }
		h.linger = make(chan struct{})
		carl.watch("s1", proto.ScopeView)
		done := make(chan error, 1)
		go func() { done <- h.a.Evict() }()
		synctest.Wait()
		if p, err := readPending(h.cfg.State); err != nil || p == nil || p.Reset {
			t.Errorf("the eviction is not durable: %+v, %v", p, err)
		}
		if len(done) != 0 || len(aborted) != 0 {
			t.Error("it did not wait at all")
		}
		time.Sleep(patience + time.Second)
		synctest.Wait()
		if len(aborted) == 0 {
			t.Error("camd waits for ever")
		}
		close(h.linger)
		if err := <-done; err != nil {
			t.Error(err)
		}
		old := oldHome{keys: h.a.keys, anna: anna}
		h.restart()
		h.ended(old, reasonEvicted)
	})
}

// A reset that was decided is not made an eviction by a second press.
func TestAResetStaysOne(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		h.household()
		for _, end := range []func() error{h.a.Reset, h.a.Evict} {
			if err := end(); err != nil {
				t.Fatal(err)
			}
		}
		if p, err := readPending(h.cfg.State); err != nil || p == nil || !p.Reset {
			t.Errorf("pending: %+v, %v", p, err)
		}
	})
}

// Eviction needs no room on the disk: without it the members' file goes.
func TestEvictionOnAFullDisk(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna, _, _, _ := h.household()
		blocked := filepath.Join(h.cfg.State, filePending)
		if err := os.MkdirAll(filepath.Join(blocked, "x"), 0o700); err != nil { // so that no file takes its place
			t.Fatal(err)
		}
		if err := h.a.Evict(); err != nil {
			t.Fatal(err)
		}
		h.restart(func() {
			if err := os.RemoveAll(blocked); err != nil {
				t.Fatal(err)
			}
		})
		if h.a.Owned() || h.a.keys.epoch != 2 || anna.row() != nil {
			t.Errorf("epoch %d, owned %v", h.a.keys.epoch, h.a.Owned())
		}
	})
}

// A revocation that is in the log and not in the store holds at once, and is made as
// soon as the store lets it.
func TestRevocationHoldsThoughTheStoreFails(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna, _, carl, _ := h.household()
		s := carl.watch("s1", proto.ScopeView)
		h.withoutTrust(func() {
			anna.want(proto.CodeStorage, proto.OpRevoke, proto.Revoke{Client: carl.id})
			if !s.over() {
				t.Error("Carl goes on watching")
			}
			carl.want(proto.CodeRevoked, proto.OpLive, view(proto.ScopeView), in("s2"))
		})
		time.Sleep(2 * nonceLife) // without another change
		synctest.Wait()
		if carl.row() != nil || h.a.changes.interrupted != nil {
			t.Error("the revocation is not made")
		}
		h.restart()
		if carl.row() != nil || h.a.keys.epoch != 1 {
			t.Errorf("after a restart: epoch %d", h.a.keys.epoch)
		}
	})
}

// Who rests can take away, but not give; whose time is over can do neither.
func TestWhoRestsCanNarrow(t *testing.T) {
	for name, c := range map[string]struct {
		until bool
		want  proto.Code
	}{
		"outside its hours":      {false, proto.CodeOK},
		"after its time is over": {true, proto.CodeExpired},
	} {
		t.Run(name, func(t *testing.T) {
			inHouse(t, func(t *testing.T, h *house) {
				anna := h.owner("Anna")
				bob := h.stranger("Bob")
				g := bob.grant(proto.RoleAdult)
				if g.Weekly = "Mo 08:00-17:00"; c.until {
					now, _ := h.wall.now()
					g.Weekly, g.Until = "", now.Add(8*time.Hour).Unix()
				}
				anna.must(proto.OpGrant, g)
				bob.must(proto.OpStatus, nil) // has seen the log
				carl := bob.lets("Carl", proto.RoleGuest)
				now, _ := h.wall.now()
				h.wall.set(now.Add(9 * time.Hour))
				anna.must(proto.OpStatus, nil)
				bob.want(c.want, proto.OpPrivacy, proto.Privacy{On: true})
				bob.want(c.want, proto.OpRevoke, proto.Revoke{Client: carl.id})
				bob.ask(proto.OpStatus, nil)
				if code := bob.code(proto.OpGrant, h.stranger("Eve").grant(proto.RoleGuest)); code == proto.CodeOK {
					t.Error("let someone in")
				}
			})
		})
	}
}

// Against a clock that is held back: an owner whose own is a day ahead ends what
// depends on the time, until an owner agrees; a restart does not help.
func TestAClockThatAnOwnerContradictsIsNotBelieved(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna := h.owner("Anna")
		carl := h.stranger("Carl")
		g := carl.grant(proto.RoleGuest)
		now, _ := h.wall.now()
		g.Until = now.Add(10 * 24 * time.Hour).Unix()
		anna.must(proto.OpGrant, g)
		carl.watch("s1", proto.ScopeView)
		for range 2 {
			anna.must(proto.OpStatus, nil, func(r *proto.Request) { r.IssuedAt = now.Add(12 * 24 * time.Hour).Unix() })
			carl.want(proto.CodeClock, proto.OpLive, view(proto.ScopeView), in("s2"))
			h.restart()
			carl.want(proto.CodeClock, proto.OpLive, view(proto.ScopeView), in("s3"))
			anna.must(proto.OpStatus, nil)
			carl.must(proto.OpLive, view(proto.ScopeView), in("s4"))
		}
	})
}

// The number of the newest notice outlives a restart, however long ago it was.
func TestNoticedIsKept(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		h.owner("Anna")
		want := h.a.journal.notices.noticed.Load()
		for range accesslog.MaxRead + 1 {
			if _, err := h.a.journal.Append(accesslog.Entry{Kind: accesslog.KindHostile}); err != nil {
				t.Fatal(err)
			}
		}
		h.restart()
		if got := h.a.journal.notices.noticed.Load(); got != want || want == 0 {
			t.Errorf("%d, want %d", got, want)
		}
	})
}

// Each is a name that a person may read as somebody else's, or as nobody's.
func TestNamesThatMislead(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna := h.owner("Anna")
		anna.lets("Ånne", proto.RoleGuest)
		for _, name := range []string{"Someone at the camera", "someone", "The camera", "\u0410nna", "An\u03bda", "Anna\u3164", "Anna\ufe0f",
			"\u3164", "An\u00adna", "An\u200bna", "\u202eannA", "Anna  Maria", "Anna\u00a0Maria", "Anna\u2800", "\u13aanna", "ＳＯＭＥＯＮＥ", "S0meone"} {
			g := h.stranger("Eve").grant(proto.RoleGuest)
			g.Name = name
			anna.want(proto.CodeBadName, proto.OpGrant, g)
		}
		for _, name := range []string{"anna", "ANNA", "Ａｎｎａ", "𝐀nna", "ΑΝΝΑ", "A\u030anne", "ÅNNE"} {
			g := h.stranger("Eve").grant(proto.RoleGuest)
			g.Name = name
			anna.want(proto.CodeNameTaken, proto.OpGrant, g)
		}
		for _, name := range []string{"Анна", "Άννα", "安娜", "Änne O'Brien-Müller", "Dr. J. Doe"} {
			anna.lets(name, proto.RoleGuest)
		}
	})
}

// What an evicted household filled up is no burden to the next.
func TestTreesOfEarlierEpochsGo(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		h.owner("Anna")
		n := h.size()
		if err := h.a.Evict(); err != nil {
			t.Fatal(err)
		}
		h.restart()
		l, err := h.a.journal.log.ReadEpoch(1, 0, accesslog.MaxRead)
		if err != nil || uint64(len(l)) != n+1 || slices.ContainsFunc(l, func(r accesslog.Record) bool { return r.Text == nil }) {
			t.Errorf("the old log's texts: %d of %d, %v", len(l), n+1, err)
		}
		other, err := accesslog.Open(h.a.logs, 1, accesslog.Origin(h.a.identity.DeviceID(), 1), h.a.keys.log)
		if err == nil {
			t.Errorf("the old tree is still there: %+v", other)
		}
	})
}
