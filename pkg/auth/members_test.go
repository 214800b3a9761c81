package auth

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/naming"
	"github.com/camd-project/camd/pkg/proto"
)

// pages reads all pages of something, as a good client does.
func pages[T any, B any](t *testing.T, p *person, op proto.Op, body func(from int) any, read1 func(B) ([]T, int)) (all []T, n int) {
	t.Helper()
	for from := 0; ; n++ {
		l, next := read1(read[B](t, p.must(op, body(from))))
		all = append(all, l...)
		if next == 0 {
			return all, n + 1
		}
		if next <= from {
			t.Fatalf("the page after %d begins at %d", from, next)
		}
		from = next
	}
}

func allMembers(t *testing.T, p *person) ([]proto.Member, int) {
	t.Helper()
	return pages(t, p, proto.OpMembers, func(from int) any { return proto.MembersRequest{From: from} },
		func(a proto.MembersAnswer) ([]proto.Member, int) { return a.Members, a.Next })
}

func allRecords(t *testing.T, p *person) ([]proto.LogRecord, int) {
	t.Helper()
	return pages(t, p, proto.OpLog, func(from int) any { return proto.LogRequest{From: uint64(from)} },
		func(a proto.LogAnswer) ([]proto.LogRecord, int) { return a.Records, int(a.Next) })
}

// Who decides or audits sees everyone; a guest sees itself and who let it in.
func TestMembersAreVisibleTo(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna, bob, carl, dora := h.household()
		blind := anna.lets("Emil", proto.RoleAdult, scopesOf(proto.ScopeView))
		auditor := anna.lets("Fritz", proto.RoleAdult, scopesOf(proto.ScopeAudit))
		for _, c := range []struct {
			who  *person
			sees []string
		}{
			{anna, []string{"Anna", "Bob", "Emil", "Fritz", "Carl", "Dora"}},
			{bob, []string{"Anna", "Bob", "Emil", "Fritz", "Carl", "Dora"}},
			{auditor, []string{"Anna", "Bob", "Emil", "Fritz", "Carl", "Dora"}},
			{blind, []string{"Emil"}},
			{carl, []string{"Anna", "Carl"}},
			{dora, []string{"Bob", "Dora"}},
		} {
			l, _ := allMembers(t, c.who)
			var names []string
			for _, m := range l {
				names = append(names, m.Name)
			}
			if !slices.Equal(names, c.sees) {
				t.Errorf("%s sees %v, want %v", c.who.name, names, c.sees)
			}
		}
	})
}

// What is told of a member.
func TestMembersAreDescribed(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna := h.owner("Anna")
		carl := anna.lets("Carl", proto.RoleGuest, weekly("Mo 08:00-12:30"), between(1, noon.Add(time.Hour).Unix()))
		carl.watch("s1", proto.ScopeView)
		carl.watch("s2", proto.ScopeListen, proto.ScopeView)
		describe := func() proto.Member {
			l, _ := allMembers(t, anna)
			return l[1]
		}
		want := proto.Member{Client: carl.id, Name: "Carl", Role: proto.RoleGuest, Scopes: proto.RoleGuest.Preset(), Weekly: "Mo 08:00-12:30",
			From: 1, Until: noon.Add(time.Hour).Unix(), Parent: anna.id, By: "Anna", Added: carl.row().Added / 1000, Standing: proto.CodeOK,
			Watching: []proto.Scope{proto.ScopeView, proto.ScopeListen}}
		if got := describe(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%+v, want %+v", got, want)
		}
		h.wall.set(noon.Add(2 * time.Hour))
		time.Sleep(3 * time.Second)
		want.Standing, want.Watching = proto.CodeExpired, nil
		if got := describe(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
}

// Who lacks audit reads what is about itself, and nothing else.
func TestLogIsVisibleTo(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna, bob, carl, dora := h.household()
		for _, p := range []*person{anna, bob, carl, dora} {
			p.watch("s1", proto.ScopeView).bye()
		}
		h.deliver()
		size := h.size()
		for _, p := range []*person{anna, bob} {
			if l, _ := allRecords(t, p); uint64(len(l)) != size {
				t.Errorf("%s reads %d of %d", p.name, len(l), size)
			}
		}
		for _, p := range []*person{carl, dora} {
			l, _ := allRecords(t, p)
			if len(l) != 3 { // its grant, its session, the end
				t.Errorf("%s reads %+v", p.name, l)
			}
			for _, r := range l {
				e, err := accesslog.Parse([]byte(r.Text))
				if err != nil || e.Client != p.id && e.Subject != p.id {
					t.Errorf("%s reads %+v, %v", p.name, e, err)
				}
			}
		}
		if l, err := h.a.LogPage(0, size-2); err != nil || len(l.Records) != 2 || l.Next != 0 || l.Size != size {
			t.Errorf("at the device: %+v, %v", l, err)
		}
		if l, err := h.a.LogPage(0, 1<<60); err != nil || len(l.Records) != 0 || l.Next != 0 {
			t.Errorf("beyond the end: %+v, %v", l, err)
		}
	})
}

// A text that was dropped is told of by its hash, and to nobody whom it may not be about.
func TestDroppedTexts(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna, _, carl, _ := h.household()
		for _, at := range []time.Time{noon, noon.AddDate(5, 0, 0)} { // the others are older than any that can be
			if _, err := h.a.journal.Append(accesslog.Entry{Kind: accesslog.KindHostile, Time: at.UnixMilli()}); err != nil {
				t.Fatal(err)
			}
		}
		n, err := h.a.journal.log.DropBefore(noon.AddDate(1, 0, 0))
		if err != nil || uint64(n) != h.size()-1 {
			t.Fatal(n, err)
		}
		l, _ := allRecords(t, anna)
		for _, r := range l[:n] {
			if r.Text != "" || len(r.Hash) != 43 {
				t.Errorf("dropped: %+v", r)
			}
		}
		if l, _ := allRecords(t, carl); len(l) != 0 {
			t.Errorf("Carl reads %+v", l)
		}
	})
}

// The fullest household and log there can be are read in pages that fit an envelope.
func TestPagesFitAnEnvelope(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		long := func(i int) string { return fmt.Sprintf("%s%02d", strings.Repeat("<", naming.MaxBytes-2), i) } // six bytes each in JSON
		anna := h.owner(long(0))
		first := anna.seen.Note
		week := strings.Join(slices.Repeat([]string{"Mo,We,Fr 00:00-23:59"}, 11), "; ")
		for i := 1; i < proto.MaxMembers; i++ {
			anna.must(proto.OpGrant, h.stranger(long(i)).grant(proto.RoleAdult, scopesOf(proto.OwnerScopes()...), weekly(week), between(maxInteger-1, maxInteger)))
		}
		for range 5000 / 100 { // a deep tree
			if _, err := h.a.journal.log.Append(slices.Repeat([]accesslog.Entry{{Kind: accesslog.KindHostile, Reason: strings.Repeat("<", 900)}}, 100)...); err != nil {
				t.Fatal(err)
			}
		}
		l, n := allMembers(t, anna)
		if len(l) != proto.MaxMembers || n < 2 {
			t.Errorf("%d members on %d pages", len(l), n)
		}
		for at, seen := uint64(0), 0; seen < 10; seen++ {
			a := anna.must(proto.OpLog, proto.LogRequest{From: at}, func(r *proto.Request) { r.Checkpoint = first })
			p := read[proto.LogAnswer](t, a)
			if len(p.Records) == 0 || p.Next <= at {
				t.Fatalf("page at %d: %d records, the next at %d", at, len(p.Records), p.Next)
			}
			at = p.Next + h.size()/11
		}
	})
}
