package auth

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/proto"
)

// withCertificate has the gate take certificates that last until a time; meanwhile runs
// while one is tried.
func (h *house) withCertificate(until time.Time, meanwhile func()) {
	h.stop()
	h.gate.Handle(proto.OpCertificate, Query[proto.CertificateRequest]{Scopes: proto.CertificateRequest.Scopes, Check: CheckCertificate, Answer: func(_ context.Context, r Request, q proto.CertificateRequest) (Result, error) {
		h.did(string(q.Do))
		if q.Do != proto.CertificateDoSet {
			return Result{}, nil
		}
		meanwhile()
		log := h.a.CertificateTaken(&r)
		if err := log.Taken(until); err != nil {
			return Result{}, err
		}
		return Result{Entry: &log.Entry}, nil
	}})
	h.run()
}

var (
	askCertificate = proto.CertificateRequest{Do: proto.CertificateDoRequest}
	setCertificate = proto.CertificateRequest{Do: proto.CertificateDoSet, Chain: [][]byte{{1}}}
)

// Owners alone ask for a certificate and give one, whatever scopes others hold; that one is
// taken is logged, and everyone is told.
func TestCertificateIsForOwners(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna, bob, carl, _ := h.household()
		eve := anna.lets("Eve", proto.RoleAdult, func(g *proto.Grant) { g.Scopes = proto.OwnerScopes() })
		h.withCertificate(time.Unix(1796295600, 0), func() {})
		for _, p := range []*person{anna, bob, carl, eve} {
			p.hello()
			p.must(proto.OpCertificate, proto.CertificateRequest{Do: proto.CertificateDoStatus})
			p.heard()
		}
		h.deeds()
		before := h.size()
		for _, p := range []*person{eve, bob, carl} {
			p.want(proto.CodeScope, proto.OpCertificate, setCertificate)
			p.want(proto.CodeScope, proto.OpCertificate, askCertificate)
		}
		if got := h.deeds(); len(got) != 0 {
			t.Errorf("it was done: %v", got)
		}
		if got := h.kinds(before); !slices.Equal(got, []accesslog.Kind{accesslog.KindRefused, accesslog.KindRefused, accesslog.KindRefused}) {
			t.Errorf("refused, and logged: %v", got)
		}
		before = h.size()
		anna.must(proto.OpCertificate, askCertificate)
		anna.must(proto.OpCertificate, setCertificate)
		if got := h.kinds(before); !slices.Equal(got, []accesslog.Kind{accesslog.KindCertificate}) {
			t.Fatalf("logged: %v", got)
		}
		e := h.entries(before)[0]
		if e.Client != anna.id || e.Op != proto.OpCertificate || e.Until != 1796295600 || e.Network != accesslog.NetMQTT ||
			anna.proof.Entry == nil || anna.proof.Entry.Index != before {
			t.Errorf("%+v", e)
		}
		for _, p := range []*person{anna, carl} {
			if got := p.heard(); !slices.Equal(got, []accesslog.Kind{accesslog.KindCertificate}) {
				t.Errorf("%s hears of %v", p.name, got)
			}
		}
		for _, q := range []proto.CertificateRequest{{}, {Do: "melt"}, {Do: proto.CertificateDoSet}, {Do: proto.CertificateDoStatus, Chain: [][]byte{{1}}}} {
			anna.want(proto.CodeBadRequest, proto.OpCertificate, q)
		}
	})
}

// Who stops being an owner while the certificate is tried has not given one.
func TestCertificateOfAFormerOwner(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna := h.owner("Anna")
		for name, change := range map[string]func(*person){
			"removed":      func(p *person) { anna.must(proto.OpRevoke, proto.Revoke{Client: p.id}) },
			"an adult now": func(p *person) { anna.must(proto.OpGrant, p.grant(proto.RoleAdult)) },
		} {
			bob := anna.lets(strings.ReplaceAll(name, " ", ""), proto.RoleOwner)
			tried := make(chan struct{})
			h.withCertificate(time.Unix(1796295600, 0), func() { <-tried })
			anna.hello()
			bob.hello()
			h.deeds()
			bob.send(bob.request(proto.OpCertificate, setCertificate))
			change(bob)
			before := h.size()
			close(tried)
			h.deliver()
			if got := h.deeds(); !slices.Equal(got, []string{"set"}) || slices.Contains(h.kinds(before), accesslog.KindCertificate) {
				t.Errorf("%s: did %v, logged %v", name, got, h.kinds(before))
			}
		}
	})
}

// What the camera renews by itself is by nobody. One that could not be kept is taken back,
// and where the log can't be written there is none.
func TestCertificateByItself(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna := h.owner("Anna")
		anna.heard()
		before := h.size()
		log := h.a.CertificateTaken(nil)
		if err := log.Taken(time.Unix(1796295600, 0)); err != nil {
			t.Fatal(err)
		}
		log.NotTaken()
		l := h.entries(before)
		if len(l) != 2 || l[0].Kind != accesslog.KindCertificate || l[0].Client != "" || l[0].Network != "" ||
			l[1].Kind != accesslog.KindEnd || l[1].Start != log.Entry || l[1].Reason != accesslog.ReasonNotApplied || l[1].Op != proto.OpCertificate {
			t.Errorf("%+v", l)
		}
		if got := anna.heard(); !slices.Equal(got, []accesslog.Kind{accesslog.KindCertificate, accesslog.KindEnd}) {
			t.Errorf("Anna hears of %v", got)
		}
		h.withoutLog(func() {
			if err := log.Taken(time.Unix(1796295600, 0)); !refused(err, proto.CodeStorage) {
				t.Errorf("without a log: %v", err)
			}
		})
	})
}

// A member's certificates fill the access log no further than its sessions do.
func TestCertificatesWithoutEnd(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna := h.owner("Anna")
		h.withCertificate(time.Unix(1796295600, 0), func() {})
		anna.hello()
		before := h.size()
		var last proto.Code
		for range maxStarts + 1 {
			last = anna.code(proto.OpCertificate, setCertificate)
		}
		if last != proto.CodeBusy || h.size()-before > maxStarts {
			t.Errorf("the last one: %s, of %d entries", last, h.size()-before)
		}
	})
}
