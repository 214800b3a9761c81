package pairing

import (
	"crypto/ecdh"
	"errors"
	"fmt"

	"github.com/camd-project/camd/pkg/auth/envelope"
)

// codeClaims are what a device says to the client whose code it took: its hello, whose h
// is the name of the code, and the receipt under the same h. docs/protocol.md 3.13.
type codeClaims struct {
	deviceClaims
	Receipt string `json:"receipt"`
}

// Confirm makes what a device sends to the client whose code it took, sealed for that.
// code is the code's name. Of d neither Secret nor Enroll or Setup are used.
func (d Device) Confirm(code string, key envelope.PublicKey, r Receipt) ([]byte, error) {
	receipt, err := d.receipt(code, key, r)
	if err != nil {
		return nil, err
	}
	return envelope.SealCode(codeClaims{d.claims(code), string(receipt)}, d.Identity, key.Enc)
}

// ErrElse is of a message that is no answer to this code.
var ErrElse = errors.New("message is about something else")

// Confirmed reads what came on the client's out topic: with is the private key of c.Enc,
// code the name of the code that was shown. Nothing is taken before the identity key in it
// is the label's. Errors: ErrElse, or ErrIdentity, ErrTampered and ErrProtocol of what names
// this code; whoever saw it can make such a message.
func (c Client) Confirmed(msg []byte, with *ecdh.PrivateKey, code string) (Paired, error) {
	jws, err := envelope.OpenCode(msg, with)
	if err != nil {
		return Paired{}, fmt.Errorf("%w: %w", ErrElse, err)
	}
	var claims codeClaims
	if err := envelope.Peek(jws, envelope.TypeCode, &claims); err != nil || claims.Hash != code {
		return Paired{}, ErrElse
	}
	p, err := c.verifyHello(jws, envelope.TypeCode, code)
	if err != nil {
		return Paired{}, err
	}
	return p, p.readReceipt([]byte(claims.Receipt), code, c.key().ClientID())
}
