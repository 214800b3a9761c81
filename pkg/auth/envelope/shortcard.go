package envelope

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// A code for the lens is too small for a key card as text. It has the parts of one: both
// keys as compressed points (SEC 1 section 2.3.3), and the signature.

// ShortCard is a key card without what can be computed from the rest. docs/protocol.md 3.12.3.
type ShortCard struct{ Sig, Enc, Signature []byte }

// Shorten takes the parts out of a key card that has the one form which Long writes, as
// those of NewKeyCard have.
func Shorten(card []byte) (ShortCard, error) {
	key, err := VerifyKeyCard(card)
	if err != nil {
		return ShortCard{}, err
	}
	point, err := key.Sig.Bytes()
	if err != nil {
		return ShortCard{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	parts := bytes.Split(card, []byte("."))
	s := ShortCard{Sig: compress(point), Enc: compress(key.Enc.Bytes())}
	if s.Signature, err = decodeBase64(string(parts[2])); err != nil {
		return ShortCard{}, err
	}
	if long, err := s.Long(); err != nil || !bytes.Equal(long, card) {
		return ShortCard{}, fmt.Errorf("%w: a key card of another form", ErrGarbled)
	}
	return s, nil
}

// Long writes the whole key card and verifies it.
func (s ShortCard) Long() ([]byte, error) {
	sig, err := decompress(s.Sig)
	if err != nil {
		return nil, err
	}
	enc, err := decompress(s.Enc)
	if err != nil {
		return nil, err
	}
	agree, err := enc.ECDH()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	public := PublicKey{Sig: sig, Enc: agree}
	keys, err := NewKeys(public)
	if err != nil {
		return nil, err
	}
	// In the order in which Sign writes them.
	header, err := json.Marshal(struct {
		Alg string `json:"alg"`
		Kid string `json:"kid"`
		Typ string `json:"typ"`
	}{"ES256", string(public.ClientID()), TypeKeyCard})
	if err != nil {
		return nil, fmt.Errorf("write key card: %w", err)
	}
	claims, err := json.Marshal(keys)
	if err != nil {
		return nil, fmt.Errorf("write key card: %w", err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	card := []byte(b64(header) + "." + b64(claims) + "." + b64(s.Signature))
	_, err = VerifyKeyCard(card)
	return card, err
}

// compress takes an uncompressed point of P-256.
func compress(point []byte) []byte {
	return append([]byte{2 + point[len(point)-1]&1}, point[1:1+coordinateLen]...)
}

func decompress(short []byte) (*ecdsa.PublicKey, error) {
	x, y := elliptic.UnmarshalCompressed(elliptic.P256(), short)
	if x == nil {
		return nil, fmt.Errorf("%w: %d bytes are no point of P-256", ErrKey, len(short))
	}
	point := make([]byte, 1+2*coordinateLen)
	point[0] = 4
	x.FillBytes(point[1 : 1+coordinateLen])
	y.FillBytes(point[1+coordinateLen:])
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return key, nil
}

// SealCode signs by the device identity what it says to the client whose code it took, and
// seals it for that client. docs/protocol.md 3.13.
func SealCode(claims any, by crypto.Signer, to *ecdh.PublicKey) ([]byte, error) {
	return signAndSeal(TypeCode, claims, by, to)
}

// OpenCode decrypts what SealCode made, or an Out, and returns the JWS, of which nothing
// is verified. Errors: ErrOversized, ErrGarbled.
func OpenCode(msg []byte, with *ecdh.PrivateKey) ([]byte, error) { return unseal(msg, with) }
