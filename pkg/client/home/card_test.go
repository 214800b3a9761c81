package home

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/camd-project/camd/internal/pki"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/proto"
)

func public(k *Keys) envelope.PublicKey {
	return must(envelope.VerifyKeyCard(must(envelope.NewKeyCard(k.Signer(), k.Opener().PublicKey()))))
}

func TestUnusableCards(t *testing.T) {
	_, known, record := saved(t)
	mixer := record
	mixer.Member = "\u0410nna"
	home := must(Open(t.TempDir()))
	keys, other := must(home.Keys()), must(NewKeys())
	good := must(record.Card(known, public(keys), "Cara", proto.RoleGuest, Broker{}))
	mixed := must(mixer.Card(known, public(keys), "Cara", proto.RoleGuest, Broker{}))
	for name, card := range map[string][]byte{
		"empty": nil, "text": []byte("hello"), "cut": good[:len(good)-2], "huge": bytes.Repeat([]byte("a"), 1<<20),
		"for another key": must(record.Card(known, public(other), "Cara", proto.RoleGuest, Broker{})),
		"half a login":    must(record.Card(known, public(keys), "Cara", proto.RoleGuest, Broker{Key: "x"})),
		"unknown role":    must(record.Card(known, public(keys), "Cara", "guest\x1b]0;owned\x07", Broker{})),
		"name that acts":  must(record.Card(known, public(keys), "Cara\x1b[31m\r\n", proto.RoleGuest, Broker{})),
		"name that turns": must(record.Card(known, public(keys), "Cara\u200f", proto.RoleGuest, Broker{})),
		"mixed name":      must(record.Card(known, public(keys), "\u0421ara", proto.RoleGuest, Broker{})),
		"wide blank":      must(record.Card(known, public(keys), "Cara\u3000Maria", proto.RoleGuest, Broker{})),
		"unseen name":     must(record.Card(known, public(keys), "\u2800", proto.RoleGuest, Broker{})),
		"signer's name":   mixed,
		"URL that turns":  must(record.Card(known, public(keys), "Cara", proto.RoleGuest, Broker{URL: "mqtts://evil.example\u202e:8883"})),
		"user in the URL": must(record.Card(known, public(keys), "Cara", proto.RoleGuest, Broker{URL: "mqtts://good.example:8883@evil.example"})),
		"no broker":       must(record.Card(known, public(keys), "Cara", proto.RoleGuest, Broker{URL: "http://x"})),
	} {
		var p *Problem
		if _, err := home.OpenCard(card, keys); !errors.Is(err, ErrCard) || !errors.As(err, &p) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A login of another's lets nobody in, and would be found out by whoever opens the card.
func TestCardTakesNoLoginOfAnothers(t *testing.T) {
	ca := must(pki.NewCA("test"))
	login := func(id proto.ClientID) Broker {
		cert := must(ca.Viewer(id))
		return Broker{Certificate: string(pki.CertificatePEM(cert)), Key: string(must(pki.KeyPEM(cert)))}
	}
	_, own, record := saved(t)
	keys, other := must(NewKeys()), must(NewKeys())
	mixed := login(keys.ID())
	mixed.Key = login(keys.ID()).Key
	for name, login := range map[string]Broker{
		"another member's": login(other.ID()), "the owner's": login(own.ID()), "of another key": mixed,
		"no certificate": {Certificate: "x", Key: "y"}, "no key": {Certificate: login(keys.ID()).Certificate},
	} {
		var p *Problem
		if card, err := record.Card(own, public(keys), "Cara", proto.RoleGuest, login); card != nil || !errors.As(err, &p) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := record.Card(own, public(keys), "Cara", proto.RoleGuest, login(other.ID()))
	if want := "its common name must be " + string(keys.ID()); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
	if _, err := record.Card(own, public(keys), "Cara", proto.RoleGuest, login(keys.ID())); err != nil {
		t.Error(err)
	}
}

func TestCardNeverReplacesWhatIsKnown(t *testing.T) {
	camera := newCamera()
	maker, known := must(NewKeys()), camera.record(1)
	home := must(Open(t.TempDir()))
	keys := must(home.Keys())
	record := known
	if err := home.Save(known); err != nil {
		t.Fatal(err)
	}
	if _, err := home.OpenCard(must(record.Card(maker, public(keys), "Cara", proto.RoleGuest, Broker{})), keys); err != nil {
		t.Errorf("the same camera again: %v", err)
	}

	impostor := newCamera() // says that it is the other one
	impostor.device = camera.device
	lie := impostor.record(1)
	claims := envelope.CameraCard{Key: string(must(envelope.NewKeyCard(keys.Signer(), keys.Opener().PublicKey()))), By: "Eve", Device: camera.device,
		Identity: lie.Identity, Trio: lie.Trio, Epoch: 1, Member: "Cara", Role: proto.RoleGuest,
		Broker: envelope.BrokerLogin{URL: "mqtts://evil.example"}}
	_, err := home.OpenCard(must(envelope.SealCard(claims, keys.Signer(), keys.Opener().PublicKey())), keys)
	if !errors.Is(err, ErrCard) || !strings.Contains(err.Error(), "another key") {
		t.Errorf("another device: %v", err)
	}

	known = camera.record(2)
	if err := home.Save(known); err != nil {
		t.Fatal(err)
	}
	_, err = home.OpenCard(must(record.Card(maker, public(keys), "Cara", proto.RoleGuest, Broker{})), keys)
	if !errors.Is(err, ErrCard) || !strings.Contains(err.Error(), "earlier household") {
		t.Errorf("an earlier epoch: %v", err)
	}
}

func FuzzOpenCard(f *testing.F) {
	home := must(Open(f.TempDir()))
	keys := must(home.Keys())
	f.Add([]byte("a.b.c.d.e"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if inv, err := home.OpenCard(data, keys); err == nil {
			t.Errorf("opened %+v", inv)
		}
	})
}

// A client in a browser finds the broker by its card, so every card passes the address on.
func TestCardTellsBrowsersWhereTheBrokerIs(t *testing.T) {
	home, known, record := saved(t)
	record.Broker.Web = "wss://broker.example/mqtt"
	keys := must(NewKeys())
	for name, c := range map[string]struct {
		login Broker
		want  string
	}{
		"the record's":      {Broker{User: "cara"}, "wss://broker.example/mqtt"},
		"of another broker": {Broker{URL: "mqtts://other.example", Web: "wss://other.example"}, "wss://other.example"},
		"of none":           {Broker{URL: "mqtts://other.example"}, ""},
	} {
		card := must(record.Card(known, public(keys), "Cara", proto.RoleGuest, c.login))
		if in := must(home.OpenCard(card, keys)); in.Record.Broker.Web != c.want {
			t.Errorf("%s: the card says %q, want %q", name, in.Record.Broker.Web, c.want)
		}
	}
	said := envelope.BrokerLogin{URL: "mqtts://broker.example", Web: "wss://broker.example"}
	if b := (Broker{}).Complete(nil, said); b.Web != said.Web {
		t.Errorf("of the pairing %q is kept, want %q", b.Web, said.Web)
	}
	if b := (Broker{URL: "mqtts://named.example"}).Complete(nil, said); b.Web != "" {
		t.Errorf("beside a broker that a person named %q is kept", b.Web)
	}
}
