package client

import (
	"context"

	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

// Pair pairs keys with the camera of label, and returns the record to keep. What login
// has (address, authority, certificate, password) counts before what the camera says of
// its broker. known is the record of an earlier pairing, or nil; see
// [home.Broker.Complete].
func Pair(ctx context.Context, conn pairing.Conn, label pairing.Label, keys *home.Keys, login home.Broker, known *home.Record) (home.Record, error) {
	if err := login.CheckFor(keys.ID()); err != nil {
		return home.Record{}, err
	}
	return SetUp(ctx, conn, label, keys, known, func(_ context.Context, t *pairing.Talk) (home.Broker, error) {
		return login, t.Set(proto.SetupSettings{}, nil)
	})
}

// SetUp is Pair with a conversation in which the camera can be asked and set up
// (docs/protocol.md 3.11). talk leads the conversation until Talk.Set has returned nil, and
// returns the login.
func SetUp(ctx context.Context, conn pairing.Conn, label pairing.Label, keys *home.Keys, known *home.Record, talk func(context.Context, *pairing.Talk) (home.Broker, error)) (home.Record, error) {
	var login home.Broker
	var wrong error
	p, err := pairing.Initiate(ctx, conn, pairing.Client{Label: label, Sig: keys.Signer(), Enc: keys.Opener().PublicKey(),
		Setup: func(ctx context.Context, t *pairing.Talk) error {
			login, wrong = talk(ctx, t)
			return wrong
		}})
	switch {
	case wrong != nil && !pairing.IsFailure(wrong): // the client's own
		return home.Record{}, wrong
	case err != nil:
		return home.Record{}, home.NewProblem(err, "%s", pairing.Sentence(err))
	}
	var before *home.Broker
	if known.IsOf(p.Identity) {
		before = &known.Broker
	}
	return home.NewRecord(p, label.Device, login.Complete(before, p.Receipt.Broker), known)
}
