package envelope

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/camd-project/camd/pkg/proto"
)

// isTyped: every refusal must be one that the receiver can count.
func isTyped(err error) bool {
	for _, e := range []error{ErrOversized, ErrGarbled, ErrUnknownKey, ErrSignature, ErrClaims, ErrKey} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func FuzzOpenRequest(f *testing.F) {
	p := newParties(f)
	msg, err := SealRequest(p.request(), p.clientSig, p.hhEnc.PublicKey())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(msg)
	f.Add([]byte(rawSeal(f, goodSealHeader, "A256GCM", []byte("x"), p.hhEnc.PublicKey())))
	f.Add([]byte("e30.e30.e30.e30.e30"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if r, err := OpenRequest(data, p.hhEnc, p.lookup); err == nil && r.Issuer != p.client {
			t.Fatalf("request of nobody: %+v", r)
		} else if err != nil && !isTyped(err) {
			t.Fatalf("untyped refusal: %v", err)
		}
	})
}

// FuzzSealedRequest seals whatever it is given, so that the inner parser is
// reached. The stranger's key never signs for the client.
func FuzzSealedRequest(f *testing.F) {
	p := newParties(f)
	f.Add([]byte(rawSign(f, p.goodSignHeader(), p.goodPayload(f), p.stranger)))
	f.Add([]byte(rawSign(f, `{"alg":"none"}`, `{}`, p.stranger)))
	f.Add([]byte(`{"payload":"","signatures":[]}`))
	f.Fuzz(func(t *testing.T, jws []byte) {
		msg := rawSeal(t, goodSealHeader, "A256GCM", jws, p.hhEnc.PublicKey())
		if r, err := OpenRequest([]byte(msg), p.hhEnc, p.lookup); err == nil || !isTyped(err) {
			t.Fatalf("%+v, %v", r, err)
		}
	})
}

// FuzzSignedRequest signs whatever claims it is given: a member's, but hostile.
func FuzzSignedRequest(f *testing.F) {
	p := newParties(f)
	f.Add(p.goodPayload(f))
	f.Add(`{"iss":null,"seq":1e3,"body":{"a":[{}]}}`)
	f.Fuzz(func(t *testing.T, claims string) {
		jws := rawSign(t, p.goodSignHeader(), claims, p.clientSig)
		s, err := parseSigned([]byte(jws))
		if err != nil {
			if !isTyped(err) {
				t.Fatalf("untyped refusal: %v", err)
			}
			return
		}
		var got, want proto.Request
		if err := s.verify(&p.clientSig.PublicKey, &got); err != nil {
			if !errors.Is(err, ErrClaims) {
				t.Fatalf("untyped refusal: %v", err)
			}
			return
		}
		// What is accepted, other JSON parsers must be able to read as well.
		if err := json.Unmarshal([]byte(claims), &want); err != nil {
			t.Fatalf("encoding/json refuses what was accepted: %v", err)
		}
	})
}

func FuzzOpenOut(f *testing.F) {
	p := newParties(f)
	msg, err := SealSignal(proto.Signal{Issuer: testDevice}, p.hhSig, p.clientEnc.PublicKey())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(msg)
	if msg, err = SealNotice(*p.notice(), p.hhSig, p.clientEnc.PublicKey()); err != nil {
		f.Fatal(err)
	}
	f.Add(msg)
	f.Fuzz(func(t *testing.T, data []byte) {
		out, err := OpenOut(data, p.clientEnc, &p.hhSig.PublicKey)
		if err != nil && !isTyped(err) {
			t.Fatalf("untyped refusal: %v", err)
		}
		n := 0
		for _, is := range []bool{out.Answer != nil, out.Signal != nil, out.Notice != nil} {
			if is {
				n++
			}
		}
		if err == nil && n != 1 || err != nil && n != 0 {
			t.Fatalf("not exactly one: %+v, %v", out, err)
		}
	})
}

func FuzzKeyCard(f *testing.F) {
	p := newParties(f)
	card, err := NewKeyCard(p.clientSig, p.clientEnc.PublicKey())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(card)
	f.Fuzz(func(t *testing.T, data []byte) {
		key, err := VerifyKeyCard(data)
		if err != nil && !isTyped(err) {
			t.Fatalf("untyped refusal: %v", err)
		}
		if err == nil && !key.ClientID().Valid() {
			t.Fatalf("key without a name: %+v", key)
		}
	})
}

func FuzzTrio(f *testing.F) {
	p := newParties(f)
	jws, err := SignTrio(p.trio(), p.identity)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(jws)
	f.Fuzz(func(t *testing.T, data []byte) {
		trio, err := VerifyTrio(data, &p.identity.PublicKey)
		if err != nil && !isTyped(err) {
			t.Fatalf("untyped refusal: %v", err)
		}
		if err == nil && !trio.Device.Valid() {
			t.Fatalf("trio of nobody: %+v", trio)
		}
	})
}

func FuzzEpoch(f *testing.F) {
	p := newParties(f)
	jws, err := SignEpoch(p.epoch(f), p.identity)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(jws)
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := VerifyEpoch(data, &p.identity.PublicKey)
		if err != nil && !isTyped(err) {
			t.Fatalf("untyped refusal: %v", err)
		}
		if err == nil && (!e.Device.Valid() || e.Epoch == 0) {
			t.Fatalf("epoch of nobody: %+v", e)
		}
	})
}

// FuzzCameraCard signs and seals whatever claims it is given: its maker is anyone.
func FuzzCameraCard(f *testing.F) {
	p := newParties(f)
	header := `{"alg":"ES256","typ":"camd-card+jwt","kid":"` + string(p.client) + `"}`
	card, err := json.Marshal(p.card(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(card))
	f.Add(`{"key":"e30.e30.e30"}`)
	f.Fuzz(func(t *testing.T, claims string) {
		msg := rawSeal(t, goodSealHeader, "A256GCM", []byte(rawSign(t, header, claims, p.clientSig)), p.guestEnc.PublicKey())
		c, signer, err := OpenCard([]byte(msg), p.guestEnc)
		if err != nil && !isTyped(err) {
			t.Fatalf("untyped refusal: %v", err)
		}
		if err == nil && (signer.ClientID() != p.client || c.Device != testDevice || c.Epoch != 3) {
			t.Fatalf("%+v of %s", c, signer.ClientID())
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"a":[{"b":null}],"A":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var v, w any
		if Decode(data, &v) == nil && json.Unmarshal(data, &w) != nil {
			t.Fatalf("%q is accepted here only", data)
		}
	})
}
