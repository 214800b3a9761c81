package auth

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/proto"
)

// A member's flood of changes is busy once its allowance is used up, and no other's. T18.
func TestChangesAreLimited(t *testing.T) {
	const n = maxStarts + 9
	for name, c := range map[string]struct {
		requests, busy int
		op             proto.Op
		body           func(h *house, eve *person, i int) any
	}{
		"settings": {n, 10, proto.OpSetSettings, func(_ *house, _ *person, i int) any { return proto.SettingsChange{Name: new(fmt.Sprint("n", i))} }},
		// What narrows is never busy: whoever has a copy of the key could keep it so.
		"privacy": {2 * n, 10, proto.OpPrivacy, func(_ *house, _ *person, i int) any { return proto.Privacy{On: i%2 == 0} }},
		"grants":  {n, 10, proto.OpGrant, func(_ *house, eve *person, _ int) any { return eve.grant(proto.RoleGuest) }},
		"revokes": {n, 0, proto.OpRevoke, func(h *house, _ *person, _ int) any { return proto.Revoke{Client: newKeys(h.t).id} }},
		"alarms":  {n, 10, proto.OpAlarm, func(*house, *person, int) any { return proto.Alarm{} }},
	} {
		t.Run(name, func(t *testing.T) {
			inHouse(t, func(t *testing.T, h *house) {
				h.cfg.Household.PrivacyOff = proto.PrivacyOffMembers
				h.restart()
				anna := h.owner("Anna")
				berta := anna.lets("Berta", proto.RoleOwner) // one of Anna's
				eve := h.stranger("Eve")
				before, busy := h.size(), 0
				for i := range c.requests {
					if anna.code(c.op, c.body(h, eve, i)) == proto.CodeBusy {
						busy++
					}
				}
				if busy != c.busy || h.size()-before > 2*maxStarts {
					t.Errorf("%d were refused, %d entries", busy, h.size()-before)
				}
				berta.must(proto.OpPrivacy, proto.Privacy{On: true})
				anna.must(proto.OpStatus, nil) // reading goes on
				time.Sleep(startEvery)
				anna.must(proto.OpRevoke, proto.Revoke{Client: berta.id})
			})
		})
	}
}

// Short sessions are merged hourly, so that one member can't push the others out.
func TestShortSessionsAreMerged(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		carl := h.owner("Anna").lets("Carl", proto.RoleGuest)
		for i := range 130 {
			if i == 110 {
				time.Sleep(10 * time.Minute)
			}
			carl.watch(fmt.Sprint("s", i), proto.ScopeView).bye()
			h.deliver()
		}
		time.Sleep(time.Hour)
		e := lastEntry(t, h.a)
		if e.Kind != accesslog.KindMerged || e.Client != carl.id || e.Count == 0 {
			t.Errorf("last entry: %+v", e)
		}
		carl.must(proto.OpStatus, nil) // whose proofs go on
	})
}

// Texts go after 90 days, by a time that owners vouch for and no other.
func TestOldTextsGo(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna := h.owner("Anna")
		for _, at := range []time.Time{noon, noon.AddDate(0, 0, 60)} {
			if _, err := h.a.journal.Append(accesslog.Entry{Kind: accesslog.KindHostile, Time: at.UnixMilli()}); err != nil {
				t.Fatal(err)
			}
		}
		kept := func() int {
			l, err := h.a.journal.log.Read(0, accesslog.MaxRead)
			if err != nil {
				t.Fatal(err)
			}
			return len(slices.DeleteFunc(l, func(r accesslog.Record) bool { return r.Text == nil }))
		}
		all := kept()
		h.wall.set(noon.AddDate(0, 0, 91))
		time.Sleep(hostilePeriod + time.Second)
		if kept() != all {
			t.Errorf("a clock alone dropped %d of %d", all-kept(), all)
		}
		anna.must(proto.OpStatus, nil)
		time.Sleep(hostilePeriod + time.Second)
		if kept() != 1 {
			t.Errorf("%d are kept", kept())
		}
		anna.must(proto.OpStatus, nil)
	})
}
