package auth

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/auth/naming"
	"github.com/camd-project/camd/pkg/proto"
)

// Whatever comes, as a message or as the claims of a stranger's or a member's
// well-signed one, nothing starts and nothing panics.
func FuzzReceive(f *testing.F) {
	a := openAuthority(f, newState(f))
	anna := newKeys(f)
	enrol(f, a, anna, proto.OwnerScopes()...)
	g := newGate(a, Deps{Sender: &inbox{}})
	g.journal = &fakeJournal{}
	started := make(chan struct{}, 1)
	g.Handle(proto.OpLive, forSession(func(context.Context, Request) (any, Running, error) {
		started <- struct{}{}
		return nil, nil, nil
	}))
	ctx, cancel := context.WithCancel(f.Context())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- g.Run(ctx, func() { close(ready) }) }()
	<-ready
	f.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			f.Error(err)
		}
	})
	good, err := envelope.SealRequest(proto.Request{Audience: g.device, Epoch: 1, ID: "x", Op: proto.OpHello}, anna.sig, g.keys.enc.PublicKey())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good, "live", "", uint64(1))
	f.Add([]byte("a.b.c.d.e"), "hello", "AAAA", uint64(0))
	f.Fuzz(func(t *testing.T, msg []byte, op, nonce string, seq uint64) {
		g.Receive(t.Context(), anna.id, msg)
		sealed, err := envelope.SealRequest(proto.Request{Audience: g.device, Epoch: 1, Nonce: nonce, Sequence: seq,
			ID: "x", Op: proto.Op(op), Session: op}, anna.sig, g.keys.enc.PublicKey())
		if err == nil {
			g.Receive(t.Context(), anna.id, sealed)
		}
		select {
		case <-started:
			t.Error("a session started")
		default:
		}
	})
}

// Whatever a member signs as a grant: what is taken is within the role's bounds, can be
// stored and read again, and its entry fits the log. One that doesn't would look like a
// storage that fails, and end what everyone sees.
func FuzzGrant(f *testing.F) {
	anna, eve := newKeys(f), newKeys(f)
	card, err := envelope.NewKeyCard(eve.sig, eve.enc.PublicKey())
	if err != nil {
		f.Fatal(err)
	}
	long := strings.Repeat(`"`, naming.MaxBytes)
	by := actor{&member{id: anna.id, Name: long}}
	f.Add("Eve", "guest", `["view","listen"]`, "Mo-Fr 08:00-17:00", int64(0), int64(0), "")
	f.Add(long, "adult", `["view"]`, strings.Join(slices.Repeat([]string{"Mo,We,Fr 00:00-00:01"}, 11), ";"), int64(1), int64(maxInteger), "")
	f.Add("Eve", "owner", `[]`, "", int64(0), int64(0), `{"name":"Eve","Name":"Anna"}`)
	f.Fuzz(func(t *testing.T, name, role, scopes, weekly string, from, until int64, raw string) {
		var q proto.Grant
		if decode([]byte(raw), false, &q) {
			_, _ = readGrant(q)
		}
		g := proto.Grant{Card: string(card), Name: name, Role: proto.Role(role), Weekly: weekly, From: from, Until: until}
		_ = json.Unmarshal([]byte(scopes), &g.Scopes)
		body, err := json.Marshal(g)
		if err != nil {
			t.Fatal(err)
		}
		q = proto.Grant{}
		if !decode(body, false, &q) {
			t.Fatalf("%s is not decoded", body)
		}
		m, err := readGrant(q)
		if err != nil {
			return
		}
		if !m.within(m.Role.Most()) || len(m.Scopes) == 0 || m.Role == proto.RoleOwner && (m.timed() || !m.holds(proto.OwnerScopes())) {
			t.Errorf("taken: %+v", m)
		}
		if _, err := by.grantEntry(m, body).Bytes(); err != nil {
			t.Error(err)
		}
		row, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := parseMember(eve.id, row); err != nil || again.weekly.String() != m.Weekly || again.Name != m.Name {
			t.Errorf("read again: %+v, %v", again, err)
		}
	})
}

// The same for settings.
func FuzzSettings(f *testing.F) {
	a := openAuthority(f, newState(f))
	by := actor{&member{id: newKeys(f).id, Name: strings.Repeat(`"`, naming.MaxBytes)}}
	f.Add(`{"name":"porch","time_zone":"Europe/Berlin","privacy_off":"device","quiet_hours":"22:00-07:00","talk":"accepted","update_hours":"Mo-Fr 02:00-05:00"}`)
	f.Add(`{"quiet_hours":"` + strings.Repeat(" ", 200) + `22:00-07:00"}`)
	f.Add(`{"name":"a","Name":"b"}`)
	f.Fuzz(func(t *testing.T, body string) {
		var c proto.SettingsChange
		if envelope.Decode([]byte(body), &c) != nil {
			return
		}
		set, err := a.judgeSettings(by, c)
		if err != nil {
			return
		}
		e := by.entry(accesslog.KindSettings)
		e.Set = set
		if _, err := e.Bytes(); err != nil || c.PrivacyOff != nil && *c.PrivacyOff != proto.PrivacyOffDevice {
			t.Errorf("%q, %v", set, err)
		}
	})
}

// Whatever an update server, a bundle or RAUC says, it fits the log and can be shown.
func FuzzUpdateStep(f *testing.F) {
	f.Add("1.2.0", "its camera gave no picture.")
	f.Add("1.2.0\n", strings.Repeat("\x00\"\\é\u2028", 500))
	f.Add(strings.Repeat("9", 65), "\xff")
	f.Fuzz(func(t *testing.T, version, reason string) {
		e := accesslog.Entry{Version: accesslog.Version, Kind: accesslog.KindUpdate, Time: 1, Epoch: 1, Step: proto.StepRefused,
			Release: fitVersion(version), Reason: fitReason(reason)}
		text, err := e.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		again, err := accesslog.Parse(text)
		if err != nil || again.Release != e.Release || again.Reason != e.Reason || len(e.Reason) > proto.MaxUpdateReason {
			t.Errorf("%q, %q: %+v, %v", version, reason, again, err)
		}
	})
}
