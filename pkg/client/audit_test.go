package client

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

// pages answers op log with two entries at a time, and members with one that is us.
func (d *device) pages(scopes []proto.Scope, change func([]proto.LogRecord) []proto.LogRecord) func(proto.Request) (proto.Code, any) {
	return func(r proto.Request) (proto.Code, any) {
		if r.Op == proto.OpMembers {
			return proto.CodeOK, proto.MembersAnswer{Members: []proto.Member{{Client: d.client.ClientID(), Scopes: scopes}}}
		}
		var q proto.LogRequest
		if r.Op != proto.OpLog || json.Unmarshal(r.Body, &q) != nil {
			return proto.CodeOK, nil
		}
		a := proto.LogAnswer{Size: must(d.log.Head())}
		for _, rec := range must(d.log.Read(q.From, 2)) {
			a.Records = append(a.Records, proto.LogRecord{Index: rec.Index, Text: string(rec.Text)})
		}
		if q.From+2 < a.Size {
			a.Next = q.From + 2
		}
		a.Records = change(a.Records)
		return proto.CodeOK, a
	}
}

func same(l []proto.LogRecord) []proto.LogRecord { return l }

func TestWholeLogIsComparedWithWhatWasSigned(t *testing.T) {
	at := func(index uint64, change func(*proto.LogRecord)) func([]proto.LogRecord) []proto.LogRecord {
		return func(l []proto.LogRecord) []proto.LogRecord {
			for i := range l {
				if l[i].Index == index {
					change(&l[i])
				}
			}
			return l
		}
	}
	for _, c := range []struct {
		name   string
		change func([]proto.LogRecord) []proto.LogRecord
		texts  uint64
		bad    bool
	}{
		{"as it is", same, 5, false},
		{"a text was dropped", at(3, func(r *proto.LogRecord) {
			h := accesslogLeaf(r.Text)
			r.Text, r.Hash = "", base64.RawURLEncoding.EncodeToString(h[:])
		}), 4, false},
		{"a text was changed", at(3, func(r *proto.LogRecord) { r.Text = strings.Replace(r.Text, `"on"`, `"off"`, 1) }), 5, true},
		{"a hash is another", at(3, func(r *proto.LogRecord) { r.Text, r.Hash = "", base64.RawURLEncoding.EncodeToString(make([]byte, 32)) }), 4, true},
		{"a hash is none", at(3, func(r *proto.LogRecord) { r.Text, r.Hash = "", "AA" }), 4, true},
		{"an entry is missing", func(l []proto.LogRecord) []proto.LogRecord { return l[1:] }, 2, true},
		{"the end is missing", func(l []proto.LogRecord) []proto.LogRecord {
			if l[0].Index == 4 {
				return nil
			}
			return l
		}, 4, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, camera := dialled(t)
			for range 3 {
				must(d.log.Append(accesslog.Entry{Kind: accesslog.KindPrivacy, Reason: "on"}))
			}
			d.handle = d.pages(nil, c.change)
			got, err := camera.VerifyLog(t.Context())
			if (err != nil) != c.bad || got.Entries != 5 && !c.bad || got.Texts != c.texts && !c.bad || !got.Complete {
				t.Errorf("VerifyLog = %+v, %v", got, err)
			}
			if a := camera.Alarm(); (a != nil) != c.bad || a != nil && a.Kind != home.AlarmTexts {
				t.Errorf("alarm %+v", a)
			}
		})
	}
}

func accesslogLeaf(text string) [32]byte {
	return must(accesslog.Root(accesslog.Front{}, []accesslog.Record{{Text: []byte(text)}})) // the root of a tree of one
}

func TestMemberWithoutAuditVerifiesItsOwnEntries(t *testing.T) {
	d, h, keys, r := paired(t)
	d.connect()
	r.Role = proto.RoleGuest
	c := must(Dial(t.Context(), h, keys, r, quiet))
	defer c.Close()
	must(d.log.Append(accesslog.Entry{Kind: accesslog.KindPrivacy, Reason: "on"}))
	d.handle = d.pages([]proto.Scope{proto.ScopeView}, func(l []proto.LogRecord) []proto.LogRecord { return l[:1] })
	got, err := c.VerifyLog(t.Context())
	if err != nil || got.Complete || got.Entries != 3 || got.Texts != 2 {
		t.Errorf("VerifyLog = %+v, %v", got, err)
	}
	calm(t, c)
}

// An owner who is none any more gets its own entries, which is no contradiction. A
// camera that leaves entries out without saying why is caught.
func TestDemotedOwnerIsToldSo(t *testing.T) {
	for role, scopes := range map[proto.Role][]proto.Scope{proto.RoleGuest: {proto.ScopeView}, proto.RoleOwner: proto.OwnerScopes()} {
		d, c := dialled(t)
		d.handle = func(r proto.Request) (proto.Code, any) {
			if r.Op == proto.OpMembers {
				return proto.CodeOK, proto.MembersAnswer{Members: []proto.Member{{Client: c.keys.ID(), Name: "Ann", Role: role, Scopes: scopes}}}
			}
			return d.pages(scopes, func(l []proto.LogRecord) []proto.LogRecord { return l[1:] })(r)
		}
		_, err := c.VerifyLog(t.Context())
		kept := must(d.home.Camera(""))
		if role == proto.RoleOwner {
			if a := c.Alarm(); err == nil || a == nil || a.Kind != home.AlarmTexts || kept.Member != "Anna" {
				t.Errorf("of an owner: %v, alarm %+v, kept %q", err, a, kept.Member)
			}
			continue
		}
		if !errors.Is(err, ErrDemoted) || !strings.Contains(err.Error(), "no owner any more, but guest") {
			t.Errorf("VerifyLog = %v", err)
		}
		if kept.Role != proto.RoleGuest || kept.Member != "Ann" {
			t.Errorf("kept as %s (%s)", kept.Member, kept.Role)
		}
		calm(t, c)
	}
}

func TestLogPage(t *testing.T) {
	d, c := dialled(t)
	d.handle = d.pages(nil, same)
	a, err := c.LogPage(t.Context(), 1)
	if err != nil || a.Size != 2 || len(a.Records) != 1 || a.Records[0].Index != 1 {
		t.Errorf("LogPage = %+v, %v", a, err)
	}
}

// The sentence names who may, which depends on what the household chose.
func TestRefusalToEndPrivacyNamesWhoMay(t *testing.T) {
	d, c := dialled(t)
	for code, says := range map[proto.Code]string{
		proto.CodeAtDevice: "Only someone at the camera can do this.",
		proto.CodeScope:    "Only an owner, another member with the right to change settings, or someone at the camera can",
		proto.CodeStorage:  proto.CodeStorage.Sentence(),
	} {
		d.handle = func(proto.Request) (proto.Code, any) { return code, nil }
		_, err := c.Privacy(t.Context(), false)
		var refused *Refused
		if !errors.As(err, &refused) || refused.Code != code || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", code, err, says)
		}
	}
}

func TestSettingsAndPrivacyAreTyped(t *testing.T) {
	d, c := dialled(t)
	d.handle = func(r proto.Request) (proto.Code, any) {
		switch r.Op {
		case proto.OpSettings, proto.OpSetSettings:
			return proto.CodeOK, proto.Settings{Name: "Hall", TimeZone: "Europe/Berlin"}
		case proto.OpPrivacy:
			return proto.CodeOK, r.Body
		}
		return proto.CodeOK, nil
	}
	name := "Hall"
	for _, get := range []func() (proto.Settings, error){
		func() (proto.Settings, error) { return c.Settings(t.Context()) },
		func() (proto.Settings, error) { return c.SetSettings(t.Context(), proto.SettingsChange{Name: &name}) },
	} {
		if s, err := get(); err != nil || s.Name != "Hall" || s.TimeZone != "Europe/Berlin" {
			t.Errorf("settings %+v, %v", s, err)
		}
	}
	for _, on := range []bool{true, false} {
		if p, err := c.Privacy(t.Context(), on); err != nil || p.On != on {
			t.Errorf("Privacy(%v) = %+v, %v", on, p, err)
		}
	}
	calm(t, c)
	d.handle = nil // an answer without a body
	if _, err := c.Settings(t.Context()); err == nil || !strings.Contains(err.Error(), "can't be read") {
		t.Errorf("Settings = %v", err)
	}
}
