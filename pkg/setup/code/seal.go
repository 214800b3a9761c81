package code

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"

	"github.com/camd-project/camd/pkg/proto"
)

// How a body is sealed. docs/protocol.md 3.12.2.
const (
	keyInfo   = "camd/pair/code/1"
	context   = "camd-code-v1" // begins the associated data; the device's name follows
	nonceSize = 12
	tagSize   = 16
)

// ErrSecret is the error for a code that was not made under this label's secret for this device.
var ErrSecret = errors.New("code is not of this camera's label")

// Sealed is a whole code: nonce and ciphertext.
type Sealed []byte

// Hash returns the name of a code, in base64url. docs/protocol.md 3.12.2.
func (s Sealed) Hash() string {
	sum := sha256.Sum256(s)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// The one form of CBOR that is written and read (RFC 8949 section 4.2.1).
var (
	encoding = must(cbor.CoreDetEncOptions().EncMode())
	decoding = must(cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden, TagsMd: cbor.TagsForbidden,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField, UTF8: cbor.UTF8RejectInvalid,
		MaxNestedLevels: 4, MaxArrayElements: 16, MaxMapPairs: 16,
	}.DecMode())
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // the options are constants
	}
	return v
}

// Seal makes the code for the device whose label has this secret.
func Seal(secret [16]byte, device proto.DeviceID, b Body) (Sealed, error) {
	nonce := make([]byte, nonceSize)
	_, _ = rand.Read(nonce) // crypto/rand.Read never fails since Go 1.24
	return seal(secret, device, b, nonce)
}

func seal(secret [16]byte, device proto.DeviceID, b Body, nonce []byte) (Sealed, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	plain, err := encoding.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("write code: %w", err)
	}
	if n := nonceSize + len(plain) + tagSize; n > MaxSealed {
		return nil, fmt.Errorf("%w: %d bytes sealed, at most %d", ErrBody, n, MaxSealed)
	}
	aead, err := newAEAD(secret, device)
	if err != nil {
		return nil, err
	}
	return aead.Seal(bytes.Clone(nonce), nonce, plain, associated(device)), nil
}

// Open undoes Seal. Errors: ErrSecret, ErrBody.
func Open(secret [16]byte, device proto.DeviceID, s Sealed) (Body, error) {
	if len(s) < nonceSize+tagSize || len(s) > MaxSealed {
		return Body{}, fmt.Errorf("%w: %d bytes", ErrSecret, len(s))
	}
	aead, err := newAEAD(secret, device)
	if err != nil {
		return Body{}, err
	}
	plain, err := aead.Open(nil, s[:nonceSize], s[nonceSize:], associated(device))
	if err != nil {
		return Body{}, ErrSecret
	}
	return decode(plain)
}

// decode reads a body that is written in the one form that there is for it.
func decode(plain []byte) (Body, error) {
	var b Body
	if err := decoding.Unmarshal(plain, &b); err != nil {
		return Body{}, fmt.Errorf("%w: %w", ErrBody, err)
	}
	if err := b.check(); err != nil {
		return Body{}, err
	}
	if again, err := encoding.Marshal(b); err != nil || !bytes.Equal(again, plain) {
		return Body{}, fmt.Errorf("%w: written in another form", ErrBody)
	}
	return b, nil
}

func newAEAD(secret [16]byte, device proto.DeviceID) (cipher.AEAD, error) {
	salt := sha256.Sum256([]byte(device))
	key, err := hkdf.Key(sha256.New, secret[:], salt[:], keyInfo, 32)
	if err != nil {
		return nil, fmt.Errorf("derive the code's key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("prepare to seal: %w", err)
	}
	return cipher.NewGCM(block)
}

func associated(device proto.DeviceID) []byte { return []byte(context + string(device)) }
