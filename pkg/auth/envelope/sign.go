package envelope

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"

	jose "github.com/go-jose/go-jose/v4"
)

// signHeader is the whole protected header of a JWS: any other member, such as
// jwk, crit, b64 or x5c, is refused unread. docs/protocol.md 2.5.
type signHeader struct {
	Alg string `json:"alg"`
	Typ string `json:"typ"`
	Kid string `json:"kid"`
}

var signMembers = []string{"alg", "typ", "kid"}

// signatureLen is the size in bytes of an ES256 signature, R || S (RFC 7518 3.4).
const signatureLen = 2 * coordinateLen

// Sign makes a compact JWS over claims: ES256, the explicit type typ, and kid
// unless that is empty. docs/protocol.md 2.5.
func Sign(typ, kid string, claims any, by crypto.Signer) ([]byte, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return nil, fmt.Errorf("write claims of %s: %w", typ, err)
	}
	opts := (&jose.SignerOptions{}).WithType(jose.ContentType(typ))
	if kid != "" {
		opts.WithHeader("kid", kid)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: opaque{by}}, opts)
	if err != nil {
		return nil, fmt.Errorf("prepare to sign %s: %w", typ, err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return nil, fmt.Errorf("sign %s: %w", typ, err)
	}
	out, err := signed.CompactSerialize()
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", typ, err)
	}
	return []byte(out), nil
}

// Verify checks that jws has exactly this typ and kid and is signed by key, and
// then reads its claims. Errors: ErrGarbled, ErrSignature, ErrClaims.
func Verify(jws []byte, typ, kid string, by *ecdsa.PublicKey, claims any) error {
	s, err := parseSigned(jws)
	if err != nil {
		return err
	}
	if s.header.Typ != typ || s.header.Kid != kid {
		return fmt.Errorf("%w: typ %.40q, kid %.50q", ErrGarbled, s.header.Typ, s.header.Kid)
	}
	return s.verify(by, claims)
}

// Keys are the claims that show a client's two keys. docs/protocol.md 2.3.
type Keys struct {
	Sig JWK `json:"sigJwk"`
	Enc JWK `json:"encJwk"`
}

// NewKeys writes k as claims.
func NewKeys(k PublicKey) (Keys, error) {
	sig, err := SigJWK(k.Sig)
	if err != nil {
		return Keys{}, err
	}
	enc, err := EncJWK(k.Enc)
	return Keys{Sig: sig, Enc: enc}, err
}

// Public reads the keys. One key in both places is refused: it would sign and
// agree with the same secret.
func (k Keys) Public() (PublicKey, error) {
	sig, err := k.Sig.Sig()
	if err != nil {
		return PublicKey{}, err
	}
	enc, err := k.Enc.Enc()
	if err != nil {
		return PublicKey{}, err
	}
	if k.Sig == k.Enc {
		return PublicKey{}, fmt.Errorf("%w: signing and encryption key are the same", ErrKey)
	}
	return PublicKey{Sig: sig, Enc: enc}, nil
}

// VerifyOwn checks a JWS that is signed by the very key that its sigJwk claim
// shows and that its kid names, and then reads its claims. It proves that the
// maker holds the signing key and means encJwk to go with it; whether that key is
// welcome is the caller's to decide.
func VerifyOwn(jws []byte, typ string, claims any) (PublicKey, error) {
	var shown Keys
	if err := Peek(jws, typ, &shown); err != nil {
		return PublicKey{}, err
	}
	key, err := shown.Public()
	if err != nil {
		return PublicKey{}, err
	}
	return key, Verify(jws, typ, string(key.ClientID()), key.Sig, claims)
}

// Peek reads the claims of a JWS of type typ WITHOUT looking at its signature.
// It is only for finding the key to verify with.
func Peek(jws []byte, typ string, claims any) error {
	s, err := parseSigned(jws)
	if err != nil {
		return err
	}
	if s.header.Typ != typ {
		return fmt.Errorf("%w: typ %.40q", ErrGarbled, s.header.Typ)
	}
	if err := Decode(s.object.UnsafePayloadWithoutVerification(), claims); err != nil {
		return fmt.Errorf("%w: %w", ErrGarbled, err)
	}
	return nil
}

// signed is a JWS whose form was checked and whose signature was not.
type signed struct {
	header signHeader
	object *jose.JSONWebSignature
}

func parseSigned(jws []byte) (signed, error) {
	var s signed
	text := string(jws)
	parts, err := splitCompact(text, 3, signMembers, &s.header)
	if err != nil {
		return signed{}, err
	}
	if !hasSize(parts[2], signatureLen) {
		return signed{}, fmt.Errorf("%w: signature of %d characters", ErrGarbled, len(parts[2]))
	}
	// The list of algorithms is what refuses "none" and HMAC (RFC 8725 3.1).
	s.object, err = jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return signed{}, fmt.Errorf("%w: %w", ErrGarbled, err)
	}
	return s, nil
}

func (s signed) verify(by *ecdsa.PublicKey, claims any) error {
	payload, err := s.object.Verify(by)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSignature, err)
	}
	if err := Decode(payload, claims); err != nil {
		return fmt.Errorf("%w: %w", ErrClaims, err)
	}
	return nil
}

// opaque lets go-jose sign through a crypto.Signer, such as a TPM's.
type opaque struct{ crypto.Signer }

func (o opaque) Public() *jose.JSONWebKey { return nil } // kid is set by Sign

func (o opaque) Algs() []jose.SignatureAlgorithm { return []jose.SignatureAlgorithm{jose.ES256} }

// SignPayload turns the signer's ASN.1 signature into R || S (RFC 7518 3.4).
func (o opaque) SignPayload(payload []byte, _ jose.SignatureAlgorithm) ([]byte, error) {
	if key, ok := o.Signer.Public().(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%w: signing keys are on P-256", ErrKey)
	}
	digest := sha256.Sum256(payload)
	der, err := o.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	var sig struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &sig); err != nil || len(rest) > 0 {
		return nil, errors.New("signer gave no ECDSA signature")
	}
	if sig.R.Sign() <= 0 || sig.S.Sign() <= 0 || max(sig.R.BitLen(), sig.S.BitLen()) > 8*coordinateLen {
		return nil, errors.New("signer gave an ECDSA signature out of range")
	}
	out := make([]byte, signatureLen)
	sig.R.FillBytes(out[:coordinateLen])
	sig.S.FillBytes(out[coordinateLen:])
	return out, nil
}
