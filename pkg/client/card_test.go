package client

import (
	"bytes"
	"testing"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

func TestCardBringsANewMemberToTheCamera(t *testing.T) {
	d, c := dialled(t)
	h := must(home.Open(t.TempDir()))
	keys := must(h.Keys())
	card := must(c.record.Card(c.keys, public(keys), "Cara", proto.RoleGuest, d.login(keys.ID())))
	if bytes.Contains(card, []byte("Cara")) {
		t.Error("the card is not sealed")
	}
	got, err := h.OpenCard(append([]byte("  "), append(card, '\n')...), keys)
	if err != nil {
		t.Fatal(err)
	}
	r := got.Record
	if got.By != "Anna" || got.Signer != c.keys.ID() || r.Device != d.id || r.Member != "Cara" || r.Role != proto.RoleGuest ||
		r.Broker.URL != c.record.Broker.URL || r.Broker.CA != c.record.Broker.CA || r.Broker.Certificate == "" || r.Broker.Certificate == c.record.Broker.Certificate {
		t.Errorf("%+v", got)
	}
	if err := h.Save(r); err != nil {
		t.Fatal(err)
	}
	d.mu.Lock()
	d.client = public(keys) // as after a grant
	d.mu.Unlock()
	guest := must(Dial(t.Context(), h, keys, must(h.Camera("")), quiet))
	defer guest.Close()
	status(t, guest)
	calm(t, guest)
}

func public(k *home.Keys) envelope.PublicKey {
	return must(envelope.VerifyKeyCard(must(envelope.NewKeyCard(k.Signer(), k.Opener().PublicKey()))))
}
