package envelope

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"fmt"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/camd-project/camd/pkg/proto"
)

// maxSealed bounds every message before anything in it is looked at.
// docs/protocol.md 4.1.1.
const maxSealed = proto.MaxMessage

// contentType says that a JWT is inside (RFC 7519 5.2).
const contentType = "JWT"

// sealHeader is the whole protected header of a JWE; any other member, such as
// zip, crit, apu or jwk, is refused unread. docs/protocol.md 4.1.3.
type sealHeader struct {
	Alg string `json:"alg"`
	Enc string `json:"enc"`
	Cty string `json:"cty"`
	Epk JWK    `json:"epk"`
}

var sealMembers = []string{"alg", "enc", "cty", "epk"}

// seal encrypts a JWS for the holder of to.
func seal(jws []byte, to *ecdh.PublicKey) ([]byte, error) {
	j, err := EncJWK(to)
	if err != nil {
		return nil, err
	}
	key, err := j.Sig() // the same point, in the type that go-jose takes
	if err != nil {
		return nil, err
	}
	encrypter, err := jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: jose.ECDH_ES, Key: key},
		(&jose.EncrypterOptions{}).WithContentType(contentType))
	if err != nil {
		return nil, fmt.Errorf("prepare to seal: %w", err)
	}
	sealed, err := encrypter.Encrypt(jws)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	out, err := sealed.CompactSerialize()
	if err != nil {
		return nil, fmt.Errorf("write sealed message: %w", err)
	}
	if len(out) > maxSealed {
		return nil, fmt.Errorf("%w: %d bytes sealed, at most %d", ErrOversized, len(out), maxSealed)
	}
	return []byte(out), nil
}

// unseal decrypts a message for the holder of with. Errors: ErrOversized, ErrGarbled.
func unseal(msg []byte, with *ecdh.PrivateKey) ([]byte, error) {
	if err := checkSealed(msg); err != nil {
		return nil, err
	}
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), with.Bytes())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	object, err := jose.ParseEncryptedCompact(string(msg),
		[]jose.KeyAlgorithm{jose.ECDH_ES}, []jose.ContentEncryption{jose.A256GCM})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrGarbled, err)
	}
	jws, err := object.Decrypt(key)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrGarbled, err)
	}
	return jws, nil
}

// Sizes in bytes of what A256GCM needs (RFC 7518 5.3). The library joins ciphertext
// and tag and decrypts that, so it would take each message in many forms.
const (
	ivLen  = 12
	tagLen = 16
)

// checkSealed looks at size, header and parts before the library sees the message.
func checkSealed(msg []byte) error {
	var header sealHeader
	parts, err := splitCompact(string(msg), 5, sealMembers, &header)
	if err != nil {
		return err
	}
	// ECDH-ES has no encrypted key (RFC 7518 4.6); the library would skip one.
	if header.Cty != contentType || parts[1] != "" {
		return fmt.Errorf("%w: cty %.40q, %d bytes of key", ErrGarbled, header.Cty, len(parts[1]))
	}
	if !hasSize(parts[2], ivLen) || !hasSize(parts[4], tagLen) {
		return fmt.Errorf("%w: iv and tag of %d and %d characters", ErrGarbled, len(parts[2]), len(parts[4]))
	}
	// A point off the curve would leak the private key bit by bit (RFC 8725 3.4).
	if _, err := header.Epk.Enc(); err != nil {
		return fmt.Errorf("%w: epk: %w", ErrGarbled, err)
	}
	return nil
}
