package envelope

import (
	"bytes"
	"errors"
	"testing"
)

func TestShortCard(t *testing.T) {
	for _, name := range []string{"client signing", "another", "a third", "a fourth"} { // even and odd points
		sig, enc := sigKey(t, name), encKey(t, name+" encryption")
		card, err := NewKeyCard(sig, enc.PublicKey())
		if err != nil {
			t.Fatal(err)
		}
		s, err := Shorten(card)
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Sig) != 33 || len(s.Enc) != 33 || len(s.Signature) != 64 {
			t.Errorf("%d, %d and %d bytes", len(s.Sig), len(s.Enc), len(s.Signature))
		}
		long, err := s.Long()
		if err != nil || !bytes.Equal(long, card) {
			t.Errorf("%s: %v, %s, want %s", name, err, long, card)
		}
	}
}

// A card whose header has another order is as good, but has no short form.
func TestShortCardOfAnotherForm(t *testing.T) {
	sig, enc := sigKey(t, "client signing"), encKey(t, "client encryption")
	keys, err := NewKeys(PublicKey{&sig.PublicKey, enc.PublicKey()})
	if err != nil {
		t.Fatal(err)
	}
	card, err := Sign(TypeKeyCard, string(PublicKey{&sig.PublicKey, enc.PublicKey()}.ClientID()),
		struct {
			Enc JWK `json:"encJwk"`
			Sig JWK `json:"sigJwk"`
		}{keys.Enc, keys.Sig}, sig)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := VerifyKeyCard(card); err != nil {
		t.Fatal(err)
	}
	if _, err := Shorten(card); !errors.Is(err, ErrGarbled) {
		t.Errorf("%v", err)
	}
	if _, err := Shorten([]byte("no card")); err == nil {
		t.Error("what is no card has a short form")
	}
}

// Whose key it is not has not signed it: a code that shows another's key enrols nobody.
func TestShortCardRefuses(t *testing.T) {
	card, err := NewKeyCard(sigKey(t, "client signing"), encKey(t, "client encryption").PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	other, err := NewKeyCard(sigKey(t, "another"), encKey(t, "another encryption").PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	good, err := Shorten(card)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := Shorten(other)
	if err != nil {
		t.Fatal(err)
	}
	off := append([]byte{2}, bytes.Repeat([]byte{0xff}, 32)...) // x is above the field's prime
	for name, s := range map[string]ShortCard{
		"another signature":       {good.Sig, good.Enc, foreign.Signature},
		"another signing key":     {foreign.Sig, good.Enc, good.Signature},
		"another encryption key":  {good.Sig, foreign.Enc, good.Signature},
		"one key twice":           {good.Sig, good.Sig, good.Signature},
		"off the curve":           {off, good.Enc, good.Signature},
		"encryption off it":       {good.Sig, off, good.Signature},
		"uncompressed":            {append([]byte{4}, good.Sig[1:]...), good.Enc, good.Signature},
		"short":                   {good.Sig[1:], good.Enc, good.Signature},
		"short signature":         {good.Sig, good.Enc, good.Signature[1:]},
		"nothing":                 {},
		"the other of two points": {append([]byte{good.Sig[0] ^ 1}, good.Sig[1:]...), good.Enc, good.Signature},
	} {
		if _, err := s.Long(); err == nil {
			t.Errorf("%s makes a card", name)
		}
	}
}
