package envelope

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// The example of RFC 7515 A.3 and its thumbprint, made by npm jose's
// calculateJwkThumbprint.
func TestThumbprintOfAKnownKey(t *testing.T) {
	j := JWK{Kty: "EC", Crv: "P-256",
		X: "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", Y: "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}
	key, err := j.Sig()
	if err != nil {
		t.Fatal(err)
	}
	const want = "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U"
	if id, err := Thumbprint(key); err != nil || id != want || !id.Valid() {
		t.Fatalf("Thumbprint = %q, %v, want %q", id, err, want)
	}
	if back, err := SigJWK(key); err != nil || back != j {
		t.Fatalf("SigJWK = %+v, %v", back, err)
	}
}

func TestJWKRefuses(t *testing.T) {
	const x, y = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
	for name, text := range map[string]string{
		"other curve":    `{"kty":"EC","crv":"P-384","x":"` + x + `","y":"` + y + `"}`,
		"other type":     `{"kty":"RSA","crv":"P-256","x":"` + x + `","y":"` + y + `"}`,
		"off the curve":  `{"kty":"EC","crv":"P-256","x":"` + x + `","y":"` + x + `"}`,
		"short":          `{"kty":"EC","crv":"P-256","x":"AQ","y":"` + y + `"}`,
		"spare bits":     `{"kty":"EC","crv":"P-256","x":"` + x[:42] + `V","y":"` + y + `"}`,
		"private":        `{"kty":"EC","crv":"P-256","x":"` + x + `","y":"` + y + `","d":"AQ"}`,
		"other member":   `{"kty":"EC","crv":"P-256","x":"` + x + `","y":"` + y + `","ext":true}`,
		"no coordinates": `{"kty":"EC","crv":"P-256"}`,
		"null":           `null`,
	} {
		var j JWK
		err := json.Unmarshal([]byte(text), &j)
		_, sigErr := j.Sig()
		_, encErr := j.Enc()
		if err == nil && (sigErr == nil || encErr == nil) {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := (JWK{Kty: "OKP", Crv: "Ed25519", X: x, Y: y}).Log(); !errors.Is(err, ErrKey) {
		t.Errorf("Ed25519 with y: %v, want ErrKey", err)
	}
}

func TestKeysOfOtherCurvesAreRefused(t *testing.T) {
	sig, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	enc, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := newParties(t)
	if _, err := NewKeyCard(sig, p.clientEnc.PublicKey()); !errors.Is(err, ErrKey) {
		t.Errorf("P-384 signing key: %v, want ErrKey", err)
	}
	if _, err := NewKeyCard(p.clientSig, enc.PublicKey()); !errors.Is(err, ErrKey) {
		t.Errorf("X25519 encryption key: %v, want ErrKey", err)
	}
	if _, err := SealRequest(p.request(), logKey("x"), p.hhEnc.PublicKey()); !errors.Is(err, ErrKey) {
		t.Errorf("Ed25519 signer: %v, want ErrKey", err)
	}
	if _, err := SealRequest(p.request(), p.clientSig, enc.PublicKey()); !errors.Is(err, ErrKey) {
		t.Errorf("X25519 recipient: %v, want ErrKey", err)
	}
	if _, err := Sign(TypeAnswer, "", struct{}{}, sig); !errors.Is(err, ErrKey) {
		t.Errorf("P-384 signer: %v, want ErrKey", err)
	}
}

func TestKeyCard(t *testing.T) {
	p := newParties(t)
	card, err := NewKeyCard(p.clientSig, p.clientEnc.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	key, err := VerifyKeyCard(card)
	want := PublicKey{Sig: &p.clientSig.PublicKey, Enc: p.clientEnc.PublicKey()}
	if err != nil || !key.Equal(want) || key.ClientID() != p.client {
		t.Fatalf("VerifyKeyCard = %+v, %v", key, err)
	}
	if (PublicKey{}).Equal(PublicKey{}) || (PublicKey{}).ClientID() != "" {
		t.Error("an empty key equals another or has a name")
	}
}

func TestKeyCardRefuses(t *testing.T) {
	p := newParties(t)
	keys, err := NewKeys(PublicKey{Sig: &p.clientSig.PublicKey, Enc: p.clientEnc.PublicKey()})
	if err != nil {
		t.Fatal(err)
	}
	same := Keys{Sig: keys.Sig, Enc: keys.Sig}
	forge := func(typ, kid string, claims any, by *ecdsa.PrivateKey) string {
		jws, err := Sign(typ, kid, claims, by)
		if err != nil {
			t.Fatal(err)
		}
		return string(jws)
	}
	id := string(p.client)
	for _, c := range []struct {
		name, card string
		want       error
	}{
		{"signed by another key", forge(TypeKeyCard, id, keys, p.stranger), ErrSignature},
		{"kid of another key", forge(TypeKeyCard, flip(id), keys, p.clientSig), ErrGarbled},
		{"no kid", forge(TypeKeyCard, "", keys, p.clientSig), ErrGarbled},
		{"another type", forge("camd-pair-cli+jwt", id, keys, p.clientSig), ErrGarbled},
		{"one key in both places", forge(TypeKeyCard, id, same, p.clientSig), ErrKey},
		{"no keys", forge(TypeKeyCard, id, struct{}{}, p.clientSig), ErrKey},
		{"a key with d", forge(TypeKeyCard, id, map[string]any{"sigJwk": map[string]string{"d": "AQ"}}, p.clientSig), ErrGarbled},
		{"oversized", strings.Repeat("A", maxSealed+1), ErrOversized},
	} {
		if _, err := VerifyKeyCard([]byte(c.card)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestTrio(t *testing.T) {
	p := newParties(t)
	jws, err := SignTrio(p.trio(), p.identity)
	if err != nil {
		t.Fatal(err)
	}
	got, err := VerifyTrio(jws, &p.identity.PublicKey)
	if err != nil || !reflect.DeepEqual(got, p.trio()) {
		t.Fatalf("VerifyTrio = %+v, %v", got, err)
	}
	if _, err := VerifyTrio(jws, &p.stranger.PublicKey); !errors.Is(err, ErrSignature) {
		t.Errorf("another identity: %v, want ErrSignature", err)
	}
	for name, change := range map[string]func(*Trio){
		"no epoch": func(t *Trio) { t.Epoch = 0 }, "no device": func(t *Trio) { t.Device = "x" },
	} {
		trio := p.trio()
		change(&trio)
		jws, err := SignTrio(trio, p.identity)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := VerifyTrio(jws, &p.identity.PublicKey); !errors.Is(err, ErrClaims) {
			t.Errorf("%s: %v, want ErrClaims", name, err)
		}
	}
	trio := p.trio()
	trio.Log = ed25519.PublicKey{1}
	if _, err := SignTrio(trio, p.identity); !errors.Is(err, ErrKey) {
		t.Errorf("short log key: %v, want ErrKey", err)
	}
}
