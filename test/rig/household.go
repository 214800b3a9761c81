package rig

import (
	"context"
	"crypto/ecdsa"
	"testing"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

// Invite lets a new key in as by may, hands it its camera card, and connects it. Of
// grant, Card is filled in, and Role and Scopes where they are empty: a guest with its
// preset.
func (r *Rig) Invite(by *client.Camera, grant proto.Grant) *client.Camera {
	r.TB.Helper()
	keys, err := home.NewKeys()
	if err != nil {
		r.TB.Fatal(err)
	}
	grant = Complete(r.TB, keys, grant)
	r.Grant(by, keys, grant)
	return r.Dial(keys, r.Card(by, keys, grant))
}

// Grant lets keys in, or changes what they may do.
func (r *Rig) Grant(by *client.Camera, keys *home.Keys, grant proto.Grant) {
	r.TB.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	if _, err := by.Members(ctx); err != nil { // has the newest checkpoint, as a person has looked
		r.TB.Fatal(err)
	}
	if _, err := by.Grant(ctx, Complete(r.TB, keys, grant)); err != nil {
		r.TB.Fatalf("grant to %s: %v", grant.Name, err)
	}
}

// Complete fills in what a grant lacks.
func Complete(tb testing.TB, keys *home.Keys, grant proto.Grant) proto.Grant {
	tb.Helper()
	card, err := envelope.NewKeyCard(keys.Signer(), keys.Opener().PublicKey())
	if err != nil {
		tb.Fatal(err)
	}
	grant.Card = string(card)
	if grant.Role == "" {
		grant.Role = proto.RoleGuest
	}
	if grant.Scopes == nil {
		grant.Scopes = grant.Role.Preset()
	}
	return grant
}

// Card makes the camera card for keys and opens it, as camctl add does.
func (r *Rig) Card(by *client.Camera, keys *home.Keys, grant proto.Grant) home.Record {
	r.TB.Helper()
	to := envelope.PublicKey{Sig: keys.Signer().Public().(*ecdsa.PublicKey), Enc: keys.Opener().PublicKey()}
	card, err := by.Record().Card(by.Keys(), to, grant.Name, grant.Role, r.Login(keys))
	if err != nil {
		r.TB.Fatal(err)
	}
	h, err := home.Open(r.TB.TempDir())
	if err != nil {
		r.TB.Fatal(err)
	}
	in, err := h.OpenCard(card, keys)
	if err != nil {
		r.TB.Fatal(err)
	}
	return in.Record
}
