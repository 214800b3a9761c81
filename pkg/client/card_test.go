package client

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/proto"
)

func TestCardBringsANewMemberToTheCamera(t *testing.T) {
	d, c := dialled(t)
	home := must(OpenHome(t.TempDir()))
	keys := must(home.Keys())
	card := must(c.MakeCard(public(keys), "Cara", proto.RoleGuest, d.login(keys.ID())))
	if bytes.Contains(card, []byte("Cara")) {
		t.Error("the card is not sealed")
	}
	got, err := home.OpenCard(append([]byte("  "), append(card, '\n')...), keys)
	if err != nil {
		t.Fatal(err)
	}
	r := got.Record
	if got.By != "Anna" || got.Signer != c.keys.ID() || r.Device != d.id || r.Member != "Cara" || r.Role != proto.RoleGuest ||
		r.Broker.URL != c.record.Broker.URL || r.Broker.CA != c.record.Broker.CA || r.Broker.Certificate == "" || r.Broker.Certificate == c.record.Broker.Certificate {
		t.Errorf("%+v", got)
	}
	if err := home.Save(r); err != nil {
		t.Fatal(err)
	}
	d.mu.Lock()
	d.client = public(keys) // as after a grant
	d.mu.Unlock()
	guest := must(Dial(t.Context(), home, keys, must(home.Camera("")), quiet))
	defer guest.Close()
	status(t, guest)
	calm(t, guest)
}

func public(k *Keys) envelope.PublicKey {
	return must(envelope.VerifyKeyCard(must(envelope.NewKeyCard(k.Signer(), k.Opener().PublicKey()))))
}

func identityOf(d *device) []byte {
	return must(x509.MarshalPKIXPublicKey(d.identity.PrivateKey.(*ecdsa.PrivateKey).Public()))
}

func trioOf(d *device, id proto.DeviceID, epoch uint64) []byte {
	key := d.identity.PrivateKey.(*ecdsa.PrivateKey)
	trio := must(envelope.VerifyTrio(d.trio, &key.PublicKey))
	trio.Device, trio.Epoch = id, epoch
	return must(envelope.SignTrio(trio, key))
}

func TestUnusableCards(t *testing.T) {
	_, _, known, record := paired(t)
	c := &Camera{keys: known, record: record}
	record.Member = "\u0410nna"
	mixer := &Camera{keys: known, record: record}
	home := must(OpenHome(t.TempDir()))
	keys, other := must(home.Keys()), must(NewKeys())
	good := must(c.MakeCard(public(keys), "Cara", proto.RoleGuest, Broker{}))
	mixed := must(mixer.MakeCard(public(keys), "Cara", proto.RoleGuest, Broker{}))
	for name, card := range map[string][]byte{
		"empty": nil, "text": []byte("hello"), "cut": good[:len(good)-2], "huge": bytes.Repeat([]byte("a"), 1<<20),
		"for another key": must(c.MakeCard(public(other), "Cara", proto.RoleGuest, Broker{})),
		"half a login":    must(c.MakeCard(public(keys), "Cara", proto.RoleGuest, Broker{Key: "x"})),
		"unknown role":    must(c.MakeCard(public(keys), "Cara", "guest\x1b]0;owned\x07", Broker{})),
		"name that acts":  must(c.MakeCard(public(keys), "Cara\x1b[31m\r\n", proto.RoleGuest, Broker{})),
		"name that turns": must(c.MakeCard(public(keys), "Cara\u200f", proto.RoleGuest, Broker{})),
		"mixed name":      must(c.MakeCard(public(keys), "\u0421ara", proto.RoleGuest, Broker{})),
		"wide blank":      must(c.MakeCard(public(keys), "Cara\u3000Maria", proto.RoleGuest, Broker{})),
		"unseen name":     must(c.MakeCard(public(keys), "\u2800", proto.RoleGuest, Broker{})),
		"signer's name":   mixed,
		"URL that turns":  must(c.MakeCard(public(keys), "Cara", proto.RoleGuest, Broker{URL: "mqtts://evil.example\u202e:8883"})),
		"user in the URL": must(c.MakeCard(public(keys), "Cara", proto.RoleGuest, Broker{URL: "mqtts://good.example:8883@evil.example"})),
		"no broker":       must(c.MakeCard(public(keys), "Cara", proto.RoleGuest, Broker{URL: "http://x"})),
	} {
		var p *Problem
		if _, err := home.OpenCard(card, keys); !errors.Is(err, ErrCard) || !errors.As(err, &p) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A login of another's lets nobody in, and would be found out by whoever opens the card.
func TestCardTakesNoLoginOfAnothers(t *testing.T) {
	d, c := dialled(t)
	keys, other := must(NewKeys()), must(NewKeys())
	mixed := d.login(keys.ID())
	mixed.Key = d.login(keys.ID()).Key
	for name, login := range map[string]Broker{
		"another member's": d.login(other.ID()), "the owner's": d.login(c.keys.ID()), "of another key": mixed,
		"no certificate": {Certificate: "x", Key: "y"}, "no key": {Certificate: d.login(keys.ID()).Certificate},
	} {
		var p *Problem
		if card, err := c.MakeCard(public(keys), "Cara", proto.RoleGuest, login); card != nil || !errors.As(err, &p) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := c.MakeCard(public(keys), "Cara", proto.RoleGuest, d.login(other.ID()))
	if want := "its common name must be " + string(keys.ID()); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
	if _, err := c.MakeCard(public(keys), "Cara", proto.RoleGuest, d.login(keys.ID())); err != nil {
		t.Error(err)
	}
}

func TestCardNeverReplacesWhatIsKnown(t *testing.T) {
	d, c := dialled(t)
	home := must(OpenHome(t.TempDir()))
	keys := must(home.Keys())
	known := c.record
	if err := home.Save(known); err != nil {
		t.Fatal(err)
	}
	if _, err := home.OpenCard(must(c.MakeCard(public(keys), "Cara", proto.RoleGuest, Broker{})), keys); err != nil {
		t.Errorf("the same camera again: %v", err)
	}

	impostor := newDevice(t) // says that it is d
	impostor.id = d.id
	claims := envelope.CameraCard{Key: string(must(envelope.NewKeyCard(keys.Signer(), keys.Opener().PublicKey()))), By: "Eve", Device: d.id,
		Identity: identityOf(impostor), Trio: string(trioOf(impostor, d.id, 1)), Epoch: 1, Member: "Cara", Role: proto.RoleGuest,
		Broker: envelope.BrokerLogin{URL: "mqtts://evil.example"}}
	_, err := home.OpenCard(must(envelope.SealCard(claims, keys.Signer(), keys.Opener().PublicKey())), keys)
	if !errors.Is(err, ErrCard) || !strings.Contains(err.Error(), "another key") {
		t.Errorf("another device: %v", err)
	}

	known.Epoch, known.Trio = 2, string(trioOf(d, d.id, 2))
	if err := home.Save(known); err != nil {
		t.Fatal(err)
	}
	_, err = home.OpenCard(must(c.MakeCard(public(keys), "Cara", proto.RoleGuest, Broker{})), keys)
	if !errors.Is(err, ErrCard) || !strings.Contains(err.Error(), "earlier household") {
		t.Errorf("an earlier epoch: %v", err)
	}
}

func FuzzOpenCard(f *testing.F) {
	home := must(OpenHome(f.TempDir()))
	keys := must(home.Keys())
	f.Add([]byte("a.b.c.d.e"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if inv, err := home.OpenCard(data, keys); err == nil {
			t.Errorf("opened %+v", inv)
		}
	})
}
