package envelope

import (
	"crypto/ecdsa"
	"errors"
	"strings"
	"testing"
)

func TestEpoch(t *testing.T) {
	p := newParties(t)
	jws, err := SignEpoch(p.epoch(t), p.identity)
	if err != nil {
		t.Fatal(err)
	}
	if e, err := VerifyEpoch(jws, &p.identity.PublicKey); err != nil || e != p.epoch(t) {
		t.Fatalf("VerifyEpoch = %+v, %v", e, err)
	}
	if _, err := VerifyEpoch(jws, &p.stranger.PublicKey); !errors.Is(err, ErrSignature) {
		t.Errorf("another identity: %v, want ErrSignature", err)
	}
	if _, err := VerifyTrio(jws, &p.identity.PublicKey); !errors.Is(err, ErrGarbled) {
		t.Errorf("as a trio: %v, want ErrGarbled", err)
	}
}

func TestEpochRefuses(t *testing.T) {
	p := newParties(t)
	trioOf := func(change func(*Trio), by *ecdsa.PrivateKey) string {
		trio := p.trio()
		change(&trio)
		jws, err := SignTrio(trio, by)
		if err != nil {
			t.Fatal(err)
		}
		return string(jws)
	}
	same := func(*Trio) {}
	sign := func(typ, kid string, change func(*Epoch), by *ecdsa.PrivateKey) string {
		e := p.epoch(t)
		change(&e)
		jws, err := Sign(typ, kid, e, by)
		if err != nil {
			t.Fatal(err)
		}
		return string(jws)
	}
	none := func(*Epoch) {}
	good := sign(TypeEpoch, "", none, p.identity)
	part := strings.Split(good, ".")
	for _, c := range []struct {
		name, jws string
		want      error
	}{
		{"untouched", good, nil},
		{"signed by the household", sign(TypeEpoch, "", none, p.hhSig), ErrSignature},
		{"payload changed", part[0] + "." + flip(part[1]) + "." + part[2], ErrSignature},
		{"signature changed", part[0] + "." + part[1] + "." + flip(part[2]), ErrSignature},
		{"another type", sign(TypeTrio, "", none, p.identity), ErrGarbled},
		{"a kid", sign(TypeEpoch, "x", none, p.identity), ErrGarbled},
		{"no trio", sign(TypeEpoch, "", func(e *Epoch) { e.Trio = "" }, p.identity), ErrGarbled},
		{"a trio by another", sign(TypeEpoch, "", func(e *Epoch) { e.Trio = trioOf(same, p.stranger) }, p.identity), ErrSignature},
		{"a trio of another epoch", sign(TypeEpoch, "", func(e *Epoch) { e.Trio = trioOf(func(t *Trio) { t.Epoch = 2 }, p.identity) }, p.identity), ErrClaims},
		{"a trio of another device", sign(TypeEpoch, "", func(e *Epoch) {
			e.Trio = trioOf(func(t *Trio) { t.Device = "otherdevice222222222222222" }, p.identity)
		}, p.identity), ErrClaims},
		{"another epoch", sign(TypeEpoch, "", func(e *Epoch) { e.Epoch = 4 }, p.identity), ErrClaims},
		{"another device", sign(TypeEpoch, "", func(e *Epoch) { e.Device = "otherdevice222222222222222" }, p.identity), ErrClaims},
		{"a duplicate claim", rawSign(t, `{"alg":"ES256","typ":"camd-epoch+jwt"}`, `{"ep":3,"EP":4}`, p.identity), ErrClaims},
		{"alg none", b64([]byte(`{"alg":"none","typ":"camd-epoch+jwt"}`)) + "." + part[1] + ".", ErrGarbled},
		{"oversized", strings.Repeat("A", maxSealed+1), ErrOversized},
		{"empty", "", ErrGarbled},
	} {
		if e, err := VerifyEpoch([]byte(c.jws), &p.identity.PublicKey); !errors.Is(err, c.want) || err != nil && e != (Epoch{}) {
			t.Errorf("%s: %+v, %v, want %v", c.name, e, err, c.want)
		}
	}
}
