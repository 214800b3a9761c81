package auth

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/proto"
)

// withWiFi has the gate begin changes of Wi-Fi; meanwhile runs before each is logged.
func (h *house) withWiFi(meanwhile func()) {
	h.stop()
	h.gate.Handle(proto.OpWiFi, Query[proto.WiFiRequest]{Scopes: Needs[proto.WiFiRequest](proto.ScopeSettings), Check: OwnersOnly[proto.WiFiRequest], Answer: func(_ context.Context, r Request, q proto.WiFiRequest) (Result, error) {
		h.did(string(q.Do))
		if q.Do != proto.WiFiDoJoin {
			return Result{}, nil
		}
		meanwhile()
		entry, err := h.a.NewWiFiLog(r).Begun()
		if err != nil {
			return Result{}, err
		}
		return Result{Entry: &entry}, nil
	}})
	h.run()
}

var joinWiFi = proto.WiFiRequest{Do: proto.WiFiDoJoin, WiFi: &proto.WiFi{SSID: "Anna's attic", Password: "correct horse"}}

// Owners alone see and change the Wi-Fi, whatever scopes others hold. A change is logged
// and everyone is told, of the network nothing.
func TestWiFiIsForOwners(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna, bob, carl, _ := h.household()
		eve := anna.lets("Eve", proto.RoleAdult, func(g *proto.Grant) { g.Scopes = proto.OwnerScopes() })
		h.withWiFi(func() {})
		for _, p := range []*person{anna, bob, carl, eve} {
			p.hello()
			p.heard()
		}
		before := h.size()
		for _, p := range []*person{eve, bob, carl} {
			for _, q := range []proto.WiFiRequest{joinWiFi, {Do: proto.WiFiDoStatus}, {Do: proto.WiFiDoNetworks}} {
				p.want(proto.CodeScope, proto.OpWiFi, q)
			}
		}
		if got := h.deeds(); len(got) != 0 {
			t.Errorf("it was done: %v", got)
		}
		if got := h.kinds(before); !slices.Equal(got, []accesslog.Kind{accesslog.KindRefused, accesslog.KindRefused, accesslog.KindRefused}) {
			t.Errorf("refused, and logged: %v", got)
		}
		before = h.size()
		anna.must(proto.OpWiFi, proto.WiFiRequest{Do: proto.WiFiDoStatus})
		anna.must(proto.OpWiFi, proto.WiFiRequest{Do: proto.WiFiDoNetworks})
		anna.must(proto.OpWiFi, joinWiFi)
		if got := h.kinds(before); !slices.Equal(got, []accesslog.Kind{accesslog.KindSettings}) {
			t.Fatalf("logged: %v", got)
		}
		e := h.entries(before)[0]
		if e.Client != anna.id || e.Name != "Anna" || e.Network != accesslog.NetMQTT || !slices.Equal(e.Set, []string{"set_up=wifi"}) ||
			anna.proof.Entry == nil || anna.proof.Entry.Index != before {
			t.Errorf("%+v", e)
		}
		for _, p := range []*person{anna, carl} {
			if got := p.heard(); !slices.Equal(got, []accesslog.Kind{accesslog.KindSettings}) {
				t.Errorf("%s hears of %v", p.name, got)
			}
		}
		for _, q := range []proto.WiFiRequest{{}, {Do: "melt"}, {Do: proto.WiFiDoJoin}, {Do: proto.WiFiDoStatus, WiFi: joinWiFi.WiFi}, {Do: proto.WiFiDoNetworks, WiFi: joinWiFi.WiFi}} {
			anna.want(proto.CodeBadRequest, proto.OpWiFi, q)
		}
	})
}

// Who stops being an owner in that moment changes nothing.
func TestWiFiOfAFormerOwner(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna := h.owner("Anna")
		for name, change := range map[string]func(*person){
			"removed":      func(p *person) { anna.must(proto.OpRevoke, proto.Revoke{Client: p.id}) },
			"an adult now": func(p *person) { anna.must(proto.OpGrant, p.grant(proto.RoleAdult)) },
		} {
			bob := anna.lets(strings.ReplaceAll(name, " ", ""), proto.RoleOwner)
			held := make(chan struct{})
			h.withWiFi(func() { <-held })
			anna.hello()
			bob.hello()
			h.deeds()
			bob.send(bob.request(proto.OpWiFi, joinWiFi))
			change(bob)
			before := h.size()
			close(held)
			h.deliver()
			if got := h.deeds(); !slices.Equal(got, []string{"join"}) || slices.Contains(h.kinds(before), accesslog.KindSettings) {
				t.Errorf("%s: did %v, logged %v", name, got, h.kinds(before))
			}
		}
	})
}

// A change that did not work is taken back, once, and nothing else is by its number. It
// counts as one of the household's changes: what a later one rests on is known.
func TestWiFiThatWasNotTaken(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna := h.owner("Anna")
		h.withWiFi(func() {})
		anna.hello()
		anna.heard()
		before := h.size()
		anna.must(proto.OpWiFi, joinWiFi)
		for range 2 { // camd was started anew while it said so
			h.a.WiFiNotTaken(before)
		}
		h.a.WiFiNotTaken(0)           // some other entry
		h.a.WiFiNotTaken(before + 70) // of an epoch that is over
		l := h.entries(before)
		if len(l) != 2 || l[1].Kind != accesslog.KindEnd || l[1].Start != before || l[1].Reason != accesslog.ReasonNotApplied || l[1].Op != proto.OpWiFi {
			t.Errorf("%+v", l)
		}
		if got := anna.heard(); !slices.Equal(got, []accesslog.Kind{accesslog.KindSettings, accesslog.KindEnd}) {
			t.Errorf("Anna hears of %v", got)
		}
		h.withoutLog(func() {
			if _, err := h.a.NewWiFiLog(Request{member: h.a.members.get(anna.id)}).Begun(); !refused(err, proto.CodeStorage) {
				t.Errorf("without a log: %v", err)
			}
		})
	})
}

// A member's changes fill the access log no further than its sessions do.
func TestWiFiWithoutEnd(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna := h.owner("Anna")
		h.withWiFi(func() {})
		anna.hello()
		before := h.size()
		var last proto.Code
		for range maxStarts + 1 {
			last = anna.code(proto.OpWiFi, joinWiFi)
		}
		if last != proto.CodeBusy || h.size()-before > maxStarts {
			t.Errorf("the last one: %s, of %d entries", last, h.size()-before)
		}
	})
}
