package client

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

// TestTouches shows which changes of others a person must hear of before something is
// carried out, and which bear on nothing.
func TestTouches(t *testing.T) {
	const self, dora = proto.ClientID("self"), proto.ClientID("dora")
	g, keys := guestCard(t)
	always := g
	always.Weekly = ""
	grant := func(to proto.ClientID, name string) accesslog.Entry {
		return accesslog.Entry{Kind: accesslog.KindGrant, Client: ben, Subject: to, SubjectName: name}
	}
	revoke := func(who proto.ClientID) accesslog.Entry {
		return accesslog.Entry{Kind: accesslog.KindRevoke, Client: ben, Subject: who}
	}
	set := func(l ...string) accesslog.Entry {
		return accesslog.Entry{Kind: accesslog.KindSettings, Client: ben, Set: l}
	}
	private := func(why string) accesslog.Entry {
		return accesslog.Entry{Kind: accesslog.KindPrivacy, Client: ben, Reason: why}
	}
	name, hours, zone := "Hall", "22:00-07:00", "Asia/Tokyo"
	keep := proto.Revoke{Client: dora, KeepGuests: true}
	for what, c := range map[string]struct {
		op      proto.Op
		body    any
		entry   accesslog.Entry
		touches bool
	}{
		"a grant, and another's":                   {proto.OpGrant, g, grant(dora, "Dora"), false},
		"a grant, and another's removal":           {proto.OpGrant, g, revoke(dora), false},
		"a grant, and quiet hours":                 {proto.OpGrant, g, set("quiet_hours=" + hours), false},
		"a grant, and privacy":                     {proto.OpGrant, g, private("on"), false},
		"a grant, and one for the same key":        {proto.OpGrant, g, grant(keys.ID(), "Dora"), true},
		"a grant, and the removal of its key":      {proto.OpGrant, g, revoke(keys.ID()), true},
		"a grant, and one under its name":          {proto.OpGrant, g, grant(dora, "cara"), true},
		"a grant, and a name that looks like it":   {proto.OpGrant, g, grant(dora, "Ｃａｒａ"), true},
		"a grant with hours, and the time zone":    {proto.OpGrant, g, set("time_zone=" + zone), true},
		"a grant without, and the time zone":       {proto.OpGrant, always, set("time_zone=" + zone), false},
		"a grant, and one's own rights":            {proto.OpGrant, g, grant(self, "Anna"), true},
		"a grant, and one's own removal":           {proto.OpGrant, g, revoke(self), true},
		"a grant, and an alarm":                    {proto.OpGrant, g, accesslog.Entry{Kind: accesslog.KindAlarm, Client: ben}, true},
		"a grant, and a storage that was put back": {proto.OpGrant, g, accesslog.Entry{Kind: accesslog.KindRollback, Client: ben}, true},
		"a setting, and another":                   {proto.OpSetSettings, proto.SettingsChange{Name: &name}, set("talk=accepted"), false},
		"a setting, and the same value":            {proto.OpSetSettings, proto.SettingsChange{Name: &name}, set("name=Hall"), false},
		"a setting, and another value":             {proto.OpSetSettings, proto.SettingsChange{Name: &name}, set("talk=accepted", "name=Flur"), true},
		"quiet hours, and the time zone":           {proto.OpSetSettings, proto.SettingsChange{QuietHours: &hours}, set("time_zone=" + zone), true},
		"update hours, and the time zone":          {proto.OpSetSettings, proto.SettingsChange{UpdateHours: &hours}, set("time_zone=" + zone), true},
		"the time zone, and update hours":          {proto.OpSetSettings, proto.SettingsChange{TimeZone: &zone}, set("update_hours=" + hours), true},
		"the time zone, and quiet hours":           {proto.OpSetSettings, proto.SettingsChange{TimeZone: &zone}, set("quiet_hours=" + hours), true},
		"privacy off, and a guest":                 {proto.OpPrivacy, proto.Privacy{}, grant(dora, "Dora"), false},
		"privacy off, and off":                     {proto.OpPrivacy, proto.Privacy{}, private("off"), false},
		"privacy off, and on":                      {proto.OpPrivacy, proto.Privacy{}, private("on"), true},
		"a removal that keeps guests, and another": {proto.OpRevoke, keep, revoke(keys.ID()), false},
		"a removal that keeps guests, and itself":  {proto.OpRevoke, keep, revoke(dora), true},
		"a removal that keeps guests, and a guest": {proto.OpRevoke, keep, accesslog.Entry{Kind: accesslog.KindGrant, Client: dora, Subject: keys.ID()}, true},
	} {
		r := proto.Request{Op: c.op, Body: must(json.Marshal(c.body))}
		if got := touches(c.entry, r, self); got != c.touches {
			t.Errorf("%s: touches = %t", what, got)
		}
	}
}

// changing has a device that, as a real one, takes a grant only of who has seen the
// newest change.
func changing(t *testing.T, scopes []proto.Scope) (*device, *Camera) {
	t.Helper()
	d, c := dialled(t)
	status(t, c)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.handle = func(r proto.Request) (proto.Code, any) {
		switch r.Op {
		case proto.OpMembers:
			return proto.CodeOK, proto.MembersAnswer{Members: []proto.Member{{Client: c.keys.ID(), Name: "Anna", Scopes: scopes}}}
		case proto.OpSettings:
			return proto.CodeOK, proto.Settings{TimeZone: "UTC"}
		case proto.OpLog:
			var q proto.LogRequest
			var a proto.LogAnswer
			_ = json.Unmarshal(r.Body, &q)
			for _, l := range must(d.log.Read(q.From, 100)) {
				a.Records = append(a.Records, proto.LogRecord{Index: l.Index, Text: string(l.Text)})
			}
			return proto.CodeOK, a
		}
		if cp, _, size, err := d.log.Prove(r.Checkpoint, nil); err != nil || size < cp.Size {
			return proto.CodeStateChanged, nil
		}
		return proto.CodeOK, proto.GrantAnswer{}
	}
	return d, c
}

func TestChangeIsAskedForAgainWhereNothingContradicts(t *testing.T) {
	dora := must(home.NewKeys()).ID()
	g, keys := guestCard(t)
	for what, c := range map[string]struct {
		entry  accesslog.Entry
		scopes []proto.Scope
		want   string // of the news; empty: it is not done
	}{
		"another member":        {accesslog.Entry{Kind: accesslog.KindRevoke, Client: ben, Name: "Ben", Subject: dora, SubjectName: "Dora"}, proto.OwnerScopes(), "Ben removed Dora"},
		"the same member":       {accesslog.Entry{Kind: accesslog.KindRevoke, Client: ben, Name: "Ben", Subject: keys.ID(), SubjectName: "Cara"}, proto.OwnerScopes(), ""},
		"who can't see the log": {accesslog.Entry{Kind: accesslog.KindRevoke, Client: ben, Name: "Ben", Subject: dora, SubjectName: "Dora"}, []proto.Scope{proto.ScopeSettings}, ""},
		"of a version unknown":  {accesslog.Entry{Kind: "later", Client: ben, Name: "Ben"}, proto.OwnerScopes(), "-"},
		"nothing but a look":    {accesslog.Entry{Kind: accesslog.KindLive, Client: ben, Name: "Ben"}, proto.OwnerScopes(), "-"},
	} {
		t.Run(what, func(t *testing.T) {
			d, camera := changing(t, c.scopes)
			must(d.log.Append(c.entry))
			news, err := camera.Change(t.Context(), proto.OpGrant, g, func() error { _, err := camera.Grant(t.Context(), g); return err })
			var refused *Refused
			switch {
			case c.want == "" && (!errors.As(err, &refused) || refused.Code != proto.CodeStateChanged):
				t.Errorf("Change = %q, %v, want the refusal", news, err)
			case c.want == "":
				if ops, _ := d.ops(); ops[len(ops)-1] == proto.OpGrant && len(ops) > 4 {
					t.Errorf("it was asked for again: %v", ops)
				}
			case err != nil || c.want != "-" && !strings.Contains(strings.Join(news, " "), c.want):
				t.Errorf("Change = %q, %v", news, err)
			}
			calm(t, camera)
		})
	}
}

// TestAlarmIsNoChangeBySomeoneElse has a camera whose storage was put back: what its
// owner has seen is not what it shows, and no look at the members mends that.
func TestAlarmIsNoChangeBySomeoneElse(t *testing.T) {
	d, c := changing(t, proto.OwnerScopes())
	g, _ := guestCard(t)
	d.mu.Lock()
	d.log = d.newLog("Eve")
	d.mu.Unlock()
	ask := func() error { _, err := c.Grant(t.Context(), g); return err }
	for range 2 { // the first raises the alarm
		_, err := c.Change(t.Context(), proto.OpGrant, g, ask)
		if err == nil || strings.Contains(err.Error(), "someone else") || !strings.Contains(err.Error(), "camctl log --acknowledge") {
			t.Errorf("Change = %v", err)
		}
	}
}
