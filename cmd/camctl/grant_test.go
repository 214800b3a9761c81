package main

import (
	"slices"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/auth/schedule"
	"github.com/camd-project/camd/pkg/proto"
)

func TestTimesAreThoseOfTheHousehold(t *testing.T) {
	berlin, err := schedule.Zone("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"2026-12-03 12:00":          "2026-12-03T11:00:00Z",
		"2026-07-03 12:00":          "2026-07-03T10:00:00Z",
		"2026-07-03T12:00":          "2026-07-03T10:00:00Z",
		"2026-07-03 12:00:30":       "2026-07-03T10:00:30Z",
		"2026-12-03T12:00:00+05:30": "2026-12-03T06:30:00Z",
		"2026-12-03T12:00:00Z":      "2026-12-03T12:00:00Z",
	} {
		got, err := parseTime("--from", text, berlin)
		if s := time.Unix(got, 0).UTC().Format(time.RFC3339); err != nil || s != want {
			t.Errorf("%s: %s, %v, want %s", text, s, err, want)
		}
	}
	for _, text := range []string{"tomorrow", "2026-13-01 12:00", "12:00", "1960-01-01T00:00:00Z"} {
		if got, err := parseTime("--from", text, berlin); err == nil {
			t.Errorf("%s is read as %d", text, got)
		}
	}
}

func TestScopesOfARole(t *testing.T) {
	got, err := parseScopes("view, listen,view", proto.RoleGuest)
	if err != nil || !slices.Equal(got, []proto.Scope{proto.ScopeView, proto.ScopeListen}) {
		t.Errorf("%v, %v", got, err)
	}
	for _, list := range []string{"members", "", "view,,listen", "View"} {
		if got, err := parseScopes(list, proto.RoleGuest); err == nil {
			t.Errorf("%q is read as %v", list, got)
		}
	}
}

func TestMembersTable(t *testing.T) {
	l := []proto.Member{
		{Client: "a", Name: "Anna", Role: proto.RoleOwner, Scopes: proto.OwnerScopes(), Standing: proto.CodeOK, Watching: []proto.Scope{proto.ScopeView}},
		{Client: "c", Name: "Ca\x1bra", Role: proto.RoleGuest, Scopes: []proto.Scope{proto.ScopeView}, Parent: "a", By: "Ben",
			Weekly: "Mo-Fr 08:00-17:00", Until: 1796295600, Standing: proto.CodeSchedule},
	}
	want := `NAME   ROLE   MAY         WHEN                                       ADDED BY             NOW
Anna   owner  everything  always                                     paired at the camera uses view
Ca\u001bra  guest  view        Mo-Fr 08:00-17:00, until 2026-12-03 11:00  Ben, guest of Anna   no access now: outside its hours`
	if got := membersText(l, time.UTC, false); squeeze(got) != squeeze(want) {
		t.Errorf("table:\n%s\nwant:\n%s", got, want)
	}
}

// squeeze leaves the widths of columns to the table.
func squeeze(s string) string {
	out := []rune{}
	for _, r := range s {
		if r == ' ' && len(out) > 0 && out[len(out)-1] == ' ' {
			continue
		}
		out = append(out, r)
	}
	return string(out)
}
