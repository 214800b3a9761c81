package envelope

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"fmt"

	"github.com/camd-project/camd/pkg/proto"
)

// NewKeyCard shows a client's keys: a JWS by sig over both. docs/protocol.md 2.3.
func NewKeyCard(sig crypto.Signer, enc *ecdh.PublicKey) ([]byte, error) {
	key, _ := sig.Public().(*ecdsa.PublicKey)
	public := PublicKey{Sig: key, Enc: enc}
	keys, err := NewKeys(public)
	if err != nil {
		return nil, err
	}
	return Sign(TypeKeyCard, string(public.ClientID()), keys, sig)
}

// VerifyKeyCard reads a key card and proves that its maker holds the signing key.
// Errors: ErrOversized, ErrGarbled, ErrKey, ErrSignature, ErrClaims.
func VerifyKeyCard(card []byte) (PublicKey, error) {
	var keys Keys
	return VerifyOwn(card, TypeKeyCard, &keys)
}

// Trio is what the device identity says of a household epoch: whose device, which
// epoch, and its three public keys. docs/protocol.md 2.4.
type Trio struct {
	Device proto.DeviceID
	Epoch  uint64
	Sig    *ecdsa.PublicKey  // hhSig signs answers, signals and receipts
	Enc    *ecdh.PublicKey   // hhEnc is what requests are sealed for
	Log    ed25519.PublicKey // log signs checkpoints of the access log
}

// trioClaims are those of docs/protocol.md 2.4.
type trioClaims struct {
	Device proto.DeviceID `json:"deviceId"`
	Epoch  uint64         `json:"ep"`
	Sig    JWK            `json:"hhSig"`
	Enc    JWK            `json:"hhEnc"`
	Log    JWK            `json:"log"`
}

// SignTrio makes the signed trio by the device identity.
func SignTrio(t Trio, identity crypto.Signer) ([]byte, error) {
	sig, err := SigJWK(t.Sig)
	if err != nil {
		return nil, err
	}
	enc, err := EncJWK(t.Enc)
	if err != nil {
		return nil, err
	}
	log, err := LogJWK(t.Log)
	if err != nil {
		return nil, err
	}
	return Sign(TypeTrio, "", trioClaims{Device: t.Device, Epoch: t.Epoch, Sig: sig, Enc: enc, Log: log}, identity)
}

// VerifyTrio reads a signed trio. Whether the device is the wanted one and the
// epoch the current one is the caller's to check. Errors: ErrOversized,
// ErrGarbled, ErrKey, ErrSignature, ErrClaims.
func VerifyTrio(jws []byte, identity *ecdsa.PublicKey) (Trio, error) {
	var c trioClaims
	if err := Verify(jws, TypeTrio, "", identity, &c); err != nil {
		return Trio{}, err
	}
	if !c.Device.Valid() || c.Epoch == 0 {
		return Trio{}, fmt.Errorf("%w: deviceId or ep", ErrClaims)
	}
	t := Trio{Device: c.Device, Epoch: c.Epoch}
	var err error
	if t.Sig, err = c.Sig.Sig(); err != nil {
		return Trio{}, err
	}
	if t.Enc, err = c.Enc.Enc(); err != nil {
		return Trio{}, err
	}
	if t.Log, err = c.Log.Log(); err != nil {
		return Trio{}, err
	}
	return t, nil
}
