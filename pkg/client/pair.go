package client

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/proto"
)

// Pair takes keys through the handshake with the camera of label and returns what
// to keep of it. What login names (address, authority, certificate, password)
// goes before what the camera tells of its broker and gives of a login. Of known, the
// record of an earlier pairing, an address that was named then and what else the
// camera does not give stay; nil: there is none.
func Pair(ctx context.Context, conn pairing.Conn, label pairing.Label, keys *Keys, login Broker, known *Record) (Record, error) {
	if err := login.For(keys.ID()); err != nil {
		return Record{}, err
	}
	return SetUp(ctx, conn, label, keys, known, func(_ context.Context, t *pairing.Talk) (Broker, error) {
		return login, t.Set(proto.SetupSettings{}, nil)
	})
}

// SetUp is Pair with a conversation in which the camera can be asked and set up
// (docs/protocol.md 3.11). talk holds it, until Talk.Set has returned nil, and returns the
// login.
func SetUp(ctx context.Context, conn pairing.Conn, label pairing.Label, keys *Keys, known *Record, talk func(context.Context, *pairing.Talk) (Broker, error)) (Record, error) {
	var login Broker
	var wrong error
	p, err := pairing.Initiate(ctx, conn, pairing.Client{Label: label, Sig: keys.Signer(), Enc: keys.Opener().PublicKey(),
		Setup: func(ctx context.Context, t *pairing.Talk) error {
			login, wrong = talk(ctx, t)
			return wrong
		}})
	switch {
	case wrong != nil && !pairing.IsFailure(wrong): // the client's own
		return Record{}, wrong
	case err != nil:
		return Record{}, problem(err, "%s", pairing.Sentence(err))
	}
	return newRecord(p, label, login, known)
}

// newRecord is what to keep of a camera that has just paired.
func newRecord(p pairing.Paired, label pairing.Label, login Broker, known *Record) (Record, error) {
	identity, err := x509.MarshalPKIXPublicKey(p.Identity)
	if err != nil {
		return Record{}, fmt.Errorf("write identity key: %w", err)
	}
	said, name := p.Receipt.Broker, ""
	if known != nil && bytes.Equal(known.Identity, identity) {
		login, name = login.again(known.Broker, said), known.Name
	}
	login = login.or(said)
	login.Said = said.URL
	r := Record{Version: recordVersion, Device: label.Device, Name: name, Member: p.Receipt.Name, Role: p.Receipt.Role,
		Identity: identity, Trio: string(p.TrioJWS), Epoch: p.Trio.Epoch, Paired: time.Now().Unix(), Broker: login}
	_, err = r.check()
	return r, err
}
