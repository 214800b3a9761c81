package envelope

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"github.com/camd-project/camd/pkg/proto"
)

// JWK is a public key as RFC 7517 and RFC 8037 write it, with the required
// members and no other: kty EC with crv P-256, or kty OKP with crv Ed25519.
// docs/protocol.md 2.1.
type JWK struct {
	Kty string `json:"kty"`
	Crv string `json:"crv"`
	X   string `json:"x"`
	Y   string `json:"y,omitempty"`
}

var jwkMembers = []string{"kty", "crv", "x", "y"}

// UnmarshalJSON refuses any other member, a private key's "d" above all.
func (j *JWK) UnmarshalJSON(data []byte) error {
	if err := onlyMembers(data, jwkMembers); err != nil {
		return fmt.Errorf("%w: %w", ErrKey, err)
	}
	type plain JWK // without this method
	return Decode(data, (*plain)(j))
}

// coordinateLen is the size in bytes of a P-256 coordinate and of an Ed25519 key.
const coordinateLen = 32

// PublicKey is what a client shows of itself: a P-256 key that signs and a P-256
// key that others seal for. docs/protocol.md 2.2.
type PublicKey struct {
	Sig *ecdsa.PublicKey
	Enc *ecdh.PublicKey
}

// ClientID names k by its signing key; empty if that is no P-256 key.
func (k PublicKey) ClientID() proto.ClientID {
	id, err := Thumbprint(k.Sig)
	if err != nil {
		return ""
	}
	return id
}

// Equal reports whether both keys of k and o are the same.
func (k PublicKey) Equal(o PublicKey) bool {
	return k.Sig != nil && o.Sig != nil && k.Enc != nil && o.Enc != nil &&
		k.Sig.Equal(o.Sig) && k.Enc.Equal(o.Enc)
}

// Thumbprint is the RFC 7638 SHA-256 thumbprint of a P-256 signing key, which is
// its owner's name. docs/protocol.md 1.2.
func Thumbprint(key *ecdsa.PublicKey) (proto.ClientID, error) {
	j, err := SigJWK(key)
	if err != nil {
		return "", err
	}
	return proto.ClientID(j.thumbprint()), nil
}

// thumbprint of an EC key: RFC 7638 3.2, required members in lexicographic order,
// no white space.
func (j JWK) thumbprint() string {
	sum := sha256.Sum256([]byte(`{"crv":"` + j.Crv + `","kty":"` + j.Kty + `","x":"` + j.X + `","y":"` + j.Y + `"}`))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// SigJWK writes a P-256 signing key.
func SigJWK(key *ecdsa.PublicKey) (JWK, error) {
	if key == nil || key.Curve != elliptic.P256() {
		return JWK{}, fmt.Errorf("%w: signing keys are on P-256", ErrKey)
	}
	point, err := key.Bytes()
	if err != nil {
		return JWK{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return pointJWK(point), nil
}

// EncJWK writes a P-256 key agreement key.
func EncJWK(key *ecdh.PublicKey) (JWK, error) {
	if key == nil || key.Curve() != ecdh.P256() {
		return JWK{}, fmt.Errorf("%w: encryption keys are on P-256", ErrKey)
	}
	return pointJWK(key.Bytes()), nil
}

// LogJWK writes an Ed25519 key.
func LogJWK(key ed25519.PublicKey) (JWK, error) {
	if len(key) != ed25519.PublicKeySize {
		return JWK{}, fmt.Errorf("%w: log keys are Ed25519", ErrKey)
	}
	return JWK{Kty: "OKP", Crv: "Ed25519", X: base64.RawURLEncoding.EncodeToString(key)}, nil
}

// pointJWK takes an uncompressed P-256 point: 0x04, X, Y.
func pointJWK(point []byte) JWK {
	return JWK{
		Kty: "EC", Crv: "P-256",
		X: base64.RawURLEncoding.EncodeToString(point[1 : 1+coordinateLen]),
		Y: base64.RawURLEncoding.EncodeToString(point[1+coordinateLen:]),
	}
}

// Sig reads a P-256 signing key; a point off the curve is refused.
func (j JWK) Sig() (*ecdsa.PublicKey, error) {
	point, err := j.point()
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return key, nil
}

// Enc reads a P-256 key agreement key; a point off the curve is refused.
func (j JWK) Enc() (*ecdh.PublicKey, error) {
	point, err := j.point()
	if err != nil {
		return nil, err
	}
	key, err := ecdh.P256().NewPublicKey(point)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return key, nil
}

// Log reads an Ed25519 key.
func (j JWK) Log() (ed25519.PublicKey, error) {
	if j.Kty != "OKP" || j.Crv != "Ed25519" || j.Y != "" {
		return nil, fmt.Errorf("%w: want an OKP key on Ed25519", ErrKey)
	}
	return decodeCoordinate(j.X)
}

func (j JWK) point() ([]byte, error) {
	if j.Kty != "EC" || j.Crv != "P-256" {
		return nil, fmt.Errorf("%w: want an EC key on P-256", ErrKey)
	}
	x, err := decodeCoordinate(j.X)
	if err != nil {
		return nil, err
	}
	y, err := decodeCoordinate(j.Y)
	if err != nil {
		return nil, err
	}
	return append(append([]byte{4}, x...), y...), nil
}

// decodeCoordinate insists on full length (RFC 7518 6.2.1.2): a short form would
// give one key two thumbprints.
func decodeCoordinate(s string) ([]byte, error) {
	b, err := decodeBase64(s)
	if err != nil || len(b) != coordinateLen {
		return nil, fmt.Errorf("%w: want %d bytes in base64url", ErrKey, coordinateLen)
	}
	return b, nil
}
