package client

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/camd-project/camd/internal/pki"
	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

// calm fails the test if an alarm stands.
func calm(t *testing.T, c *Camera) {
	t.Helper()
	if a := c.Alarm(); a != nil {
		t.Errorf("alarm: %+v", a)
	}
}

// status makes a call that nothing is wrong with but the log.
func status(t *testing.T, c *Camera) {
	t.Helper()
	if _, err := c.Call(t.Context(), proto.OpStatus, "", nil); err != nil {
		t.Fatal(err)
	}
}

// kept is the checkpoint that lies in the home.
func kept(t *testing.T, c *Camera) accesslog.Checkpoint {
	t.Helper()
	return must(c.household.Checkpoint())
}

func guestCard(t *testing.T) (proto.Grant, *home.Keys) {
	t.Helper()
	keys := must(home.NewKeys())
	card := must(envelope.NewKeyCard(keys.Signer(), keys.Opener().PublicKey()))
	return proto.Grant{Card: string(card), Name: "Cara", Role: proto.RoleGuest, Scopes: []proto.Scope{proto.ScopeView}, Weekly: "Mo-Fr 08:00-17:00"}, keys
}

func TestEachAnswerMovesTheCheckpoint(t *testing.T) {
	d, c := dialled(t)
	status(t, c)
	if cp := kept(t, c); cp.Size != 2 {
		t.Fatalf("kept %d entries, want 2", cp.Size)
	}
	must(d.log.Append(accesslog.Entry{Kind: accesslog.KindPrivacy, Reason: "on"}))
	if _, err := c.Call(t.Context(), proto.OpLive, "s", nil); err != nil {
		t.Fatal(err)
	}
	if cp := kept(t, c); cp.Size != 4 {
		t.Errorf("kept %d entries, want 4", cp.Size)
	}
	if last := d.requests[len(d.requests)-1]; !strings.Contains(last.Checkpoint, "\n2\n") {
		t.Errorf("the request carried %q, want the checkpoint of 2 entries", last.Checkpoint)
	}
	calm(t, c)
}

// TestWhatALogIsCaughtAt has a hostile camera: each case changes one answer, or the
// log below it, after the client has seen three entries.
func TestWhatALogIsCaughtAt(t *testing.T) {
	_, stranger, _ := ed25519.GenerateKey(nil)
	for _, c := range []struct {
		name, kind string
		op         proto.Op
		hurt       func(*device)
		tamper     func(*device, *proto.Answer)
	}{
		{"rolled back", home.AlarmRollback, proto.OpStatus, func(d *device) { d.log = d.newLog("Anna") }, nil},
		{"forked at the same size", home.AlarmFork, proto.OpStatus, func(d *device) {
			d.log = d.newLog("Eve")
			must(d.log.Append(accesslog.Entry{Kind: accesslog.KindPrivacy, Reason: "off"}))
		}, nil},
		{"forked and longer", home.AlarmProof, proto.OpStatus, func(d *device) {
			d.log = d.newLog("Eve")
			for range 4 {
				must(d.log.Append(accesslog.Entry{Kind: accesslog.KindPrivacy, Reason: "off"}))
			}
		}, nil},
		{"no proof", home.AlarmProof, proto.OpStatus, grown, func(_ *device, a *proto.Answer) { a.Proof = nil }},
		{"garbled proof", home.AlarmProof, proto.OpStatus, grown, func(_ *device, a *proto.Answer) { a.Proof = json.RawMessage(`{"con":["AA"]}`) }},
		{"no checkpoint", home.AlarmCheckpoint, proto.OpStatus, nil, func(_ *device, a *proto.Answer) { a.Checkpoint = "" }},
		{"another camera's", home.AlarmCheckpoint, proto.OpStatus, nil, func(d *device, a *proto.Answer) {
			a.Checkpoint = signedAs(d, accesslog.Origin(proto.NewDeviceID(), 1), d.logKey)
		}},
		{"another epoch's", home.AlarmCheckpoint, proto.OpStatus, nil, func(d *device, a *proto.Answer) {
			a.Checkpoint = signedAs(d, accesslog.Origin(d.id, 2), d.logKey)
		}},
		{"another key's", home.AlarmCheckpoint, proto.OpStatus, nil, func(d *device, a *proto.Answer) {
			a.Checkpoint = signedAs(d, accesslog.Origin(d.id, 1), stranger)
		}},
		{"session that is not in it", home.AlarmEntry, proto.OpLive, nil, func(d *device, a *proto.Answer) { entry(d, a, nil) }},
		{"somebody else's entry", home.AlarmEntry, proto.OpLive, nil, func(d *device, a *proto.Answer) { entry(d, a, new(uint64(1))) }},
		{"entry of a refusal instead", home.AlarmEntry, proto.OpLive, nil, func(d *device, a *proto.Answer) {
			entry(d, a, new(must(d.log.Append(accesslog.Entry{Kind: accesslog.KindRefused, Client: d.client.ClientID(), Op: proto.OpLive, Session: "s"}))))
		}},
		{"entry beyond it", home.AlarmEntry, proto.OpLive, nil, func(_ *device, a *proto.Answer) {
			var p accesslog.Proof
			_ = json.Unmarshal(a.Proof, &p)
			p.Entry.Index++
			a.Proof = must(json.Marshal(p))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, camera := dialled(t)
			must(d.log.Append(accesslog.Entry{Kind: accesslog.KindPrivacy, Reason: "on"}))
			status(t, camera)
			calm(t, camera)
			have := kept(t, camera)
			if c.hurt != nil {
				c.hurt(d)
			}
			d.mu.Lock()
			d.tamper = func(r proto.Request, a *proto.Answer) {
				if c.tamper != nil && r.Op == c.op {
					c.tamper(d, a)
				}
			}
			d.mu.Unlock()
			if _, err := camera.Call(t.Context(), c.op, "s", nil); err != nil {
				t.Fatalf("the answer is withheld: %v", err)
			}
			a := camera.Alarm()
			if a == nil || a.Kind != c.kind || a.Have != have.Note {
				t.Fatalf("alarm %+v, want %s", a, c.kind)
			}
			if first := <-camera.Alarms(); first.Kind != c.kind {
				t.Errorf("announced %+v", first)
			}
			if now := kept(t, camera); now.Note != have.Note {
				t.Errorf("the base is now %d entries", now.Size)
			}
		})
	}
}

func grown(d *device) {
	must(d.log.Append(accesslog.Entry{Kind: accesslog.KindPrivacy, Reason: "off"}))
}

// entry changes which entry an answer proves.
func entry(d *device, a *proto.Answer, index *uint64) {
	from := d.requests[len(d.requests)-1].Checkpoint
	cp, p, _, err := d.log.Prove(from, index)
	if err != nil {
		d.t.Error(err)
	}
	a.Checkpoint, a.Proof = cp.Note, must(json.Marshal(p))
}

func signedAs(d *device, origin string, key ed25519.PrivateKey) string {
	db := d.store()
	l := must(accesslog.Open(db, 1, origin, key))
	for range 3 {
		must(l.Append(accesslog.Entry{Kind: accesslog.KindEpoch, Reason: "x"}))
	}
	return must(l.Checkpoint()).Note
}

func TestGrantIsComparedWithItsEntry(t *testing.T) {
	for _, c := range []struct {
		name  string
		wrong func(*accesslog.Entry)
	}{
		{"as asked", func(*accesslog.Entry) {}},
		{"another key", func(e *accesslog.Entry) { e.Subject = proto.ClientID(strings.Repeat("A", 43)) }},
		{"another name", func(e *accesslog.Entry) { e.SubjectName = "Eve" }},
		{"without the schedule", func(e *accesslog.Entry) { e.Weekly = "" }},
		{"without an end", func(e *accesslog.Entry) { e.Until = 5 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, camera := dialled(t)
			g, _ := guestCard(t)
			d.tamper = func(r proto.Request, a *proto.Answer) {
				if e, ok := entryOf(r); ok && r.Op == proto.OpGrant {
					c.wrong(&e)
					entry(d, a, new(must(d.log.Append(e))))
				}
			}
			d.handle = func(proto.Request) (proto.Code, any) { return proto.CodeOK, proto.GrantAnswer{} }
			if _, err := camera.Grant(t.Context(), g); err != nil {
				t.Fatal(err)
			}
			if a := camera.Alarm(); (a != nil) != (c.name != "as asked") {
				t.Errorf("alarm %+v", a)
			}
		})
	}
}

func TestSessionsAndSettingsAreComparedWithTheirEntries(t *testing.T) {
	both := []proto.Scope{proto.ScopeView, proto.ScopeListen}
	name, zone := "Hall", "Europe/Berlin"
	given := proto.CertificateRequest{Do: proto.CertificateDoSet, Chain: must(must(pki.NewCA("authority")).Device(proto.NewDeviceID(), nil)).Certificate}
	network := proto.WiFiRequest{Do: proto.WiFiDoJoin, WiFi: &proto.WiFi{SSID: "home", Password: "correct horse"}}
	for _, c := range []struct {
		name  string
		op    proto.Op
		body  any
		wrong func(*accesslog.Entry)
	}{
		{"session as asked", proto.OpLive, proto.LiveRequest{Scopes: both}, nil},
		{"session without the sound", proto.OpLive, proto.LiveRequest{Scopes: both}, func(e *accesslog.Entry) { e.Scopes = both[:1] }},
		{"session with the sound", proto.OpLive, proto.LiveRequest{Scopes: both[:1]}, func(e *accesslog.Entry) { e.Scopes = both }},
		{"talk as asked", proto.OpTalk, proto.TalkRequest{Live: "l"}, nil},
		{"talk that the others take for watching", proto.OpTalk, proto.TalkRequest{Live: "l"}, func(e *accesslog.Entry) { e.Scopes = both }},
		{"talk that is a session", proto.OpTalk, proto.TalkRequest{Live: "l"}, func(e *accesslog.Entry) { e.Kind = accesslog.KindLive }},
		{"settings as asked", proto.OpSetSettings, proto.SettingsChange{Name: &name, TimeZone: &zone}, nil},
		{"another value", proto.OpSetSettings, proto.SettingsChange{TimeZone: &zone}, func(e *accesslog.Entry) { e.Set = []string{"time_zone=UTC"} }},
		{"one too few", proto.OpSetSettings, proto.SettingsChange{Name: &name, TimeZone: &zone}, func(e *accesslog.Entry) { e.Set = e.Set[:1] }},
		{"an update put off", proto.OpUpdate, proto.UpdateRequest{Do: proto.UpdateDoPostpone, Until: 1796295600}, nil},
		{"an update put off for longer", proto.OpUpdate, proto.UpdateRequest{Do: proto.UpdateDoPostpone, Until: 1796295600}, func(e *accesslog.Entry) { e.Until++ }},
		{"another step of an update", proto.OpUpdate, proto.UpdateRequest{Do: proto.UpdateDoInstall}, func(e *accesslog.Entry) { e.Step = proto.StepConfirmed }},
		{"a look at the update", proto.OpUpdate, proto.UpdateRequest{Do: proto.UpdateDoCheck}, nil},
		{"a certificate as given", proto.OpCertificate, given, nil},
		{"another certificate", proto.OpCertificate, given, func(e *accesslog.Entry) { e.Until++ }},
		{"another Wi-Fi network", proto.OpWiFi, network, nil},
		{"another Wi-Fi network and a looser rule", proto.OpWiFi, network, func(e *accesslog.Entry) { e.Set = append(e.Set, "privacy_off=members") }},
		{"another Wi-Fi network that is a switch of privacy", proto.OpWiFi, network, func(e *accesslog.Entry) { e.Kind, e.Reason = accesslog.KindPrivacy, "on" }},
		{"a look at the Wi-Fi", proto.OpWiFi, proto.WiFiRequest{Do: proto.WiFiDoNetworks}, nil},
		{"a look at the certificate", proto.OpCertificate, proto.CertificateRequest{Do: proto.CertificateDoStatus}, nil},
		{"one too many", proto.OpSetSettings, proto.SettingsChange{Name: &name}, func(e *accesslog.Entry) { e.Set = append(e.Set, "privacy_off=members") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, camera := dialled(t)
			d.tamper = func(r proto.Request, a *proto.Answer) {
				if e, ok := entryOf(r); ok && r.Op == c.op && c.wrong != nil {
					c.wrong(&e)
					entry(d, a, new(must(d.log.Append(e))))
				}
			}
			if _, err := camera.Call(t.Context(), c.op, map[proto.Op]string{proto.OpLive: "s", proto.OpTalk: "s"}[c.op], c.body); err != nil {
				t.Fatal(err)
			}
			if a := camera.Alarm(); (a != nil) != (c.wrong != nil) || a != nil && a.Kind != home.AlarmEntry {
				t.Errorf("alarm %+v", a)
			}
		})
	}
}

func TestAlarmStaysUntilItIsAcknowledged(t *testing.T) {
	d, h, keys, r := paired(t)
	d.connect()
	c := must(Dial(t.Context(), h, keys, r, quiet))
	must(d.log.Append(accesslog.Entry{Kind: accesslog.KindPrivacy, Reason: "on"}))
	status(t, c)
	d.log = d.newLog("Anna")
	status(t, c)
	first := c.Alarm()
	c.Close()

	c = must(Dial(t.Context(), h, keys, r, quiet))
	defer c.Close()
	status(t, c)
	if a := c.Alarm(); a == nil || a.Kind != home.AlarmRollback || a.At != first.At {
		t.Fatalf("alarm %+v, want the first one", a)
	}
	if l := h.Warnings(r); len(l) != 1 || !strings.Contains(l[0], "shorter than it was") || !strings.Contains(l[0], "--acknowledge") {
		t.Errorf("warnings %q", l)
	}
	for _, want := range []bool{true, false} {
		if was, err := h.Acknowledge(r); err != nil || was != want {
			t.Fatalf("Acknowledge = %v, %v", was, err)
		}
	}
	calm(t, c)
	status(t, c)
	calm(t, c)
	if cp := kept(t, c); cp.Size < 2 || cp.Note == first.Have {
		t.Errorf("the base is %d entries", cp.Size)
	}
	if _, err := os.Stat(d.file(".acknowledged")); err != nil {
		t.Errorf("the evidence is gone: %v", err)
	}
}

func TestAlarmIsToldToTheOthersOnce(t *testing.T) {
	d, c := dialled(t)
	must(d.log.Append(accesslog.Entry{Kind: accesslog.KindPrivacy, Reason: "on"}))
	status(t, c)
	have := kept(t, c).Note
	d.log = d.newLog("Anna")
	status(t, c)
	status(t, c)
	d.mu.Lock()
	defer d.mu.Unlock()
	var told []proto.Alarm
	for _, r := range d.requests {
		if r.Op == proto.OpAlarm {
			var a proto.Alarm
			if err := json.Unmarshal(r.Body, &a); err != nil {
				t.Fatal(err)
			}
			told = append(told, a)
		}
	}
	if len(told) != 1 || told[0].Have != have || !strings.Contains(told[0].Got, "\n2\n") {
		t.Errorf("told %+v", told)
	}
	if a := c.Alarm(); !a.Told {
		t.Error("the alarm is not marked as told")
	}
}

// TestProcessesShareTheCheckpoint has two processes of one home whose answers cross.
func TestProcessesShareTheCheckpoint(t *testing.T) {
	d, h, keys, r := paired(t)
	d.connect()
	a, b := must(Dial(t.Context(), h, keys, r, quiet)), must(Dial(t.Context(), h, keys, r, quiet))
	defer a.Close()
	defer b.Close()
	done := make(chan error)
	for _, c := range []*Camera{a, b} {
		go func() {
			for range 20 {
				if _, err := c.Call(t.Context(), proto.OpLive, randomID(), nil); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	if err := errors.Join(<-done, <-done); err != nil {
		t.Fatal(err)
	}
	status(t, a)
	calm(t, a)
	if cp := kept(t, b); cp.Size != 42 {
		t.Errorf("kept %d entries, want 42", cp.Size)
	}
}

func TestDamagedCheckpointIsNotPassedOver(t *testing.T) {
	d, h, keys, r := paired(t)
	d.connect()
	path := d.file(".cp")
	for _, data := range []string{"", "junk", accesslog.Origin(d.id, 1) + "\n2\n"} {
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Dial(t.Context(), h, keys, r, quiet); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: Dial = %v", data, err)
		}
		if got := must(os.ReadFile(path)); string(got) != data {
			t.Errorf("it is now %q", got)
		}
	}
	if err := os.WriteFile(path, []byte(signedAs(d, accesslog.Origin(d.id, 7), d.logKey)), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Dial(t.Context(), h, keys, r, quiet)
	if err != nil {
		t.Fatalf("another epoch's checkpoint: %v", err)
	}
	c.Close()
}

func TestWideningIsBoundToWhatWasSeen(t *testing.T) {
	d, c := dialled(t)
	g, _ := guestCard(t)
	d.handle = func(proto.Request) (proto.Code, any) { return proto.CodeOK, proto.GrantAnswer{} }
	if _, err := c.Grant(t.Context(), g); err != nil { // the first of all: something is looked at before
		t.Fatal(err)
	}
	if r := d.requests[len(d.requests)-1]; !strings.Contains(r.Checkpoint, "\n2\n") {
		t.Errorf("the first grant carried %q", r.Checkpoint)
	}
	if err := c.PinCheckpoint(); err != nil {
		t.Fatal(err)
	}
	must(d.log.Append(accesslog.Entry{Kind: accesslog.KindRevoke}))
	status(t, c) // a look that the person has no part in
	d.handle = func(r proto.Request) (proto.Code, any) {
		if strings.Contains(r.Checkpoint, "\n3\n") && r.Op == proto.OpGrant {
			return proto.CodeStateChanged, nil
		}
		return proto.CodeOK, proto.GrantAnswer{}
	}
	_, err := c.Grant(t.Context(), g)
	var refused *Refused
	if !errors.As(err, &refused) || refused.Code != proto.CodeStateChanged {
		t.Fatalf("Grant = %v, want state_changed", err)
	}
	if _, err := c.Grant(t.Context(), g); err != nil { // now the person knows
		t.Errorf("Grant = %v", err)
	}
	calm(t, c)
}

func TestRetriesKeepTheCheckpoint(t *testing.T) {
	d, h, keys, r := paired(t)
	d.connect()
	a, b := must(Dial(t.Context(), h, keys, r, quiet)), must(Dial(t.Context(), h, keys, r, quiet))
	defer a.Close()
	defer b.Close()
	status(t, a)
	g, _ := guestCard(t)
	d.mu.Lock()
	d.nonce, d.requests = randomID(), nil
	d.handle = func(proto.Request) (proto.Code, any) { return proto.CodeOK, proto.GrantAnswer{} }
	d.mu.Unlock()
	must(d.log.Append(accesslog.Entry{Kind: accesslog.KindPrivacy, Reason: "on"}))
	if _, err := a.Grant(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.requests) != 2 || d.requests[0].Checkpoint != d.requests[1].Checkpoint || d.requests[0].ID != d.requests[1].ID {
		t.Errorf("requests %+v", d.requests)
	}
}

func TestLostAnswerIsAskedForAgain(t *testing.T) {
	d, c := dialled(t)
	status(t, c)
	g, guest := guestCard(t)
	d.mu.Lock()
	d.deaf, d.requests = 1, nil
	d.handle = func(proto.Request) (proto.Code, any) { return proto.CodeOK, proto.GrantAnswer{Client: guest.ID()} }
	d.mu.Unlock()
	a, err := c.Grant(t.Context(), g)
	if err != nil || a.Client != guest.ID() {
		t.Fatalf("Grant = %+v, %v", a, err)
	}
	if n := must(d.log.Head()); n != 3 || len(d.requests) != 2 {
		t.Errorf("%d entries after %d requests, want 3 after 2", n, len(d.requests))
	}
	calm(t, c)
}

func TestClockThatIsADayOffIsTold(t *testing.T) {
	d, c := dialled(t)
	d.tamper = func(_ proto.Request, a *proto.Answer) { a.Clock = 1000 }
	status(t, c)
	if l := c.Warnings(t.Context()); len(l) != 1 || !strings.Contains(l[0], "The camera's clock says 1970-01-01") {
		t.Errorf("warnings %q", l)
	}
}
