package client

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/camd-project/camd/pkg/auth/pairing"
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
	p, err := pairing.Initiate(ctx, conn, pairing.Client{Label: label, Sig: keys.Signer(), Enc: keys.Opener().PublicKey()})
	if err != nil {
		return Record{}, problem(err, "%s", pairing.Sentence(err))
	}
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
