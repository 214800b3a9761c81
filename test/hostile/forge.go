package hostile

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"maps"
	"math/big"
	"slices"
)

// Forgery is a sealed request in the making: a JWS in a JWE, put together by hand,
// since libraries refuse to write most of what an attacker would. Made by
// Client.Request it is well-formed; every part of it can then be changed.
type Forgery struct {
	Header map[string]any // protected header of the JWS
	Claims map[string]any
	Sign   func(input []byte) (signature []byte)
	// Used as they stand instead of Header and Claims, for JSON that no map can hold.
	RawHeader, RawClaims string
	Inner                []byte // sealed instead of the JWS

	To           *ecdh.PublicKey
	SealHeader   map[string]any // protected header of the JWE; epk is added unless it is there
	EncryptedKey []byte         // second part of the JWE, empty in ECDH-ES
}

// ES256 signs as RFC 7518 section 3.4 says.
func ES256(key crypto.Signer) func([]byte) []byte {
	return func(input []byte) []byte {
		digest := sha256.Sum256(input)
		der, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
		if err != nil {
			panic(err) // a key in memory
		}
		var s struct{ R, S *big.Int }
		if _, err := asn1.Unmarshal(der, &s); err != nil {
			panic(err)
		}
		return append(s.R.FillBytes(make([]byte, 32)), s.S.FillBytes(make([]byte, 32))...)
	}
}

// HS256 makes a MAC: with a public key as the secret, the classic confusion.
func HS256(secret []byte) func([]byte) []byte {
	return func(input []byte) []byte {
		mac := hmac.New(sha256.New, secret)
		mac.Write(input)
		return mac.Sum(nil)
	}
}

// Unsigned makes the empty signature of alg none.
func Unsigned([]byte) []byte { return nil }

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func text(raw string, members map[string]any) string {
	if raw != "" {
		return raw
	}
	b, err := json.Marshal(members)
	if err != nil {
		panic(err) // plain values
	}
	return string(b)
}

// JWS is the signed part.
func (f *Forgery) JWS() []byte {
	input := b64([]byte(text(f.RawHeader, f.Header))) + "." + b64([]byte(text(f.RawClaims, f.Claims)))
	return []byte(input + "." + b64(f.Sign([]byte(input))))
}

// Seal gives the bytes for the topic.
func (f *Forgery) Seal() []byte {
	inner := f.Inner
	if inner == nil {
		inner = f.JWS()
	}
	ephemeral, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	shared, err := ephemeral.ECDH(f.To)
	if err != nil {
		panic(err)
	}
	header := maps.Clone(f.SealHeader)
	if _, ok := header["epk"]; !ok {
		header["epk"] = point(ephemeral.PublicKey())
	}
	protected := b64([]byte(text("", header)))
	gcm := newGCM(concatKDF(shared))
	iv := make([]byte, gcm.NonceSize())
	_, _ = rand.Read(iv)
	sealed := gcm.Seal(nil, iv, inner, []byte(protected))
	tag := len(sealed) - gcm.Overhead()
	return []byte(protected + "." + b64(f.EncryptedKey) + "." + b64(iv) + "." + b64(sealed[:tag]) + "." + b64(sealed[tag:]))
}

func point(k *ecdh.PublicKey) map[string]any {
	b := k.Bytes() // 4, x, y
	return map[string]any{"kty": "EC", "crv": "P-256", "x": b64(b[1:33]), "y": b64(b[33:])}
}

// concatKDF is RFC 7518 section 4.6.2 for A256GCM without party information.
func concatKDF(shared []byte) []byte {
	const algorithm = "A256GCM"
	number := func(n int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) }
	key := sha256.Sum256(slices.Concat(number(1), shared, number(len(algorithm)), []byte(algorithm), number(0), number(0), number(256)))
	return key[:]
}

func newGCM(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return gcm
}
