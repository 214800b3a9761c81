package client

import (
	"context"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/camd-project/camd/pkg/auth/pairing"
)

// Pair takes keys through the handshake with the camera of label and returns what
// to keep of it. What login names (address, authority, certificate, password)
// goes before what the camera tells of its broker and gives of a login.
func Pair(ctx context.Context, conn pairing.Conn, label pairing.Label, keys *Keys, login Broker) (Record, error) {
	p, err := pairing.Initiate(ctx, conn, pairing.Client{Label: label, Sig: keys.Signer(), Enc: keys.Opener().PublicKey()})
	if err != nil {
		return Record{}, problem(err, "%s", pairing.Sentence(err))
	}
	identity, err := x509.MarshalPKIXPublicKey(p.Identity)
	if err != nil {
		return Record{}, fmt.Errorf("write identity key: %w", err)
	}
	login = login.or(p.Receipt.Broker)
	r := Record{Version: recordVersion, Device: label.Device, Member: p.Receipt.Name, Role: p.Receipt.Role,
		Identity: identity, Trio: string(p.TrioJWS), Epoch: p.Trio.Epoch, Paired: time.Now().Unix(), Broker: login}
	_, err = r.check()
	return r, err
}
