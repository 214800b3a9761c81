package envelope

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"fmt"

	"github.com/camd-project/camd/pkg/proto"
)

// The explicit types of signed messages (RFC 8725 3.11), so that none is ever
// taken for another. docs/protocol.md 2.5.
const (
	TypeRequest = "camd-req+jwt"
	TypeAnswer  = "camd-ans+jwt"
	TypeSignal  = "camd-sig+jwt"
	TypeNotice  = "camd-note+jwt"
	TypeKeyCard = "camd-key+jwt"
	TypeTrio    = "camd-trio+jwt"
	TypeEpoch   = "camd-epoch+jwt"
	TypeCard    = "camd-card+jwt"
	TypeCode    = "camd-code+jwt"
)

// Lookup finds the signing key of a client that is known.
type Lookup func(proto.ClientID) (*ecdsa.PublicKey, bool)

// SealRequest signs r by the client's key and seals it for the household's. kid
// and iss are the name of the signing key, whatever r.Issuer holds.
// docs/protocol.md 4.2.
func SealRequest(r proto.Request, by crypto.Signer, to *ecdh.PublicKey) ([]byte, error) {
	key, _ := by.Public().(*ecdsa.PublicKey)
	id, err := Thumbprint(key)
	if err != nil {
		return nil, err
	}
	r.Issuer = id
	jws, err := Sign(TypeRequest, string(id), r, by)
	if err != nil {
		return nil, err
	}
	return seal(jws, to)
}

// OpenRequest undoes SealRequest in the order of docs/protocol.md 4.1.6: size,
// decrypt, alg and typ, known key, signature, and that iss names the signing key.
// Audience, epoch, topic, nonce and sequence are the caller's. Errors:
// ErrOversized, ErrGarbled, ErrUnknownKey, ErrSignature, ErrClaims.
func OpenRequest(msg []byte, with *ecdh.PrivateKey, lookup Lookup) (proto.Request, error) {
	jws, err := unseal(msg, with)
	if err != nil {
		return proto.Request{}, err
	}
	s, err := parseSigned(jws)
	if err != nil {
		return proto.Request{}, err
	}
	from := proto.ClientID(s.header.Kid)
	if s.header.Typ != TypeRequest || !from.Valid() {
		return proto.Request{}, fmt.Errorf("%w: typ %.40q, kid %.50q", ErrGarbled, s.header.Typ, s.header.Kid)
	}
	key, ok := lookup(from)
	if !ok {
		return proto.Request{}, ErrUnknownKey
	}
	var r proto.Request
	if err := s.verify(key, &r); err != nil {
		return proto.Request{}, err
	}
	if r.Issuer != from {
		return proto.Request{}, fmt.Errorf("%w: iss is not the signing key", ErrClaims)
	}
	r.JWS = jws
	return r, nil
}

// SealAnswer signs a by the household's key and seals it for the client's.
// docs/protocol.md 4.3.
func SealAnswer(a proto.Answer, by crypto.Signer, to *ecdh.PublicKey) ([]byte, error) {
	return signAndSeal(TypeAnswer, a, by, to)
}

// SealSignal signs s by the household's key and seals it for the client's.
// docs/protocol.md 4.5.
func SealSignal(s proto.Signal, by crypto.Signer, to *ecdh.PublicKey) ([]byte, error) {
	return signAndSeal(TypeSignal, s, by, to)
}

// SealNotice signs n by the household's key and seals it for the member's.
// docs/protocol.md 4.8.
func SealNotice(n proto.Notice, by crypto.Signer, to *ecdh.PublicKey) ([]byte, error) {
	return signAndSeal(TypeNotice, n, by, to)
}

func signAndSeal(typ string, claims any, by crypto.Signer, to *ecdh.PublicKey) ([]byte, error) {
	jws, err := Sign(typ, "", claims, by)
	if err != nil {
		return nil, err
	}
	return seal(jws, to)
}

// Out is what a device sends on a client's out topic: exactly one of these.
type Out struct {
	Answer *proto.Answer
	Signal *proto.Signal
	Notice *proto.Notice
}

// OpenOut opens what came on the out topic: decrypt, alg and typ, signature by
// the household's key. Issuer, audience, epoch and order are the caller's. A type
// of a later version is ErrGarbled. Errors: ErrOversized, ErrGarbled,
// ErrSignature, ErrClaims.
func OpenOut(msg []byte, with *ecdh.PrivateKey, by *ecdsa.PublicKey) (Out, error) {
	jws, err := unseal(msg, with)
	if err != nil {
		return Out{}, err
	}
	s, err := parseSigned(jws)
	if err != nil {
		return Out{}, err
	}
	var out Out
	var claims any
	switch {
	case s.header.Kid != "":
		return Out{}, fmt.Errorf("%w: kid in a device's message", ErrGarbled)
	case s.header.Typ == TypeAnswer:
		out.Answer = new(proto.Answer)
		claims = out.Answer
	case s.header.Typ == TypeSignal:
		out.Signal = new(proto.Signal)
		claims = out.Signal
	case s.header.Typ == TypeNotice:
		out.Notice = new(proto.Notice)
		claims = out.Notice
	default:
		return Out{}, fmt.Errorf("%w: typ %.40q", ErrGarbled, s.header.Typ)
	}
	if err := s.verify(by, claims); err != nil {
		return Out{}, err
	}
	return out, nil
}
