package envelope

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/proto"
)

func TestCameraCard(t *testing.T) {
	p := newParties(t)
	card := p.card(t)
	card.Audience = "whatever: SealCard sets it"
	msg, err := SealCard(card, p.clientSig, p.guestEnc.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	got, signer, err := OpenCard(msg, p.guestEnc)
	if err != nil || !reflect.DeepEqual(got, p.card(t)) || signer.ClientID() != p.client || !signer.Enc.Equal(p.clientEnc.PublicKey()) {
		t.Fatalf("OpenCard = %+v, %+v, %v", got, signer, err)
	}
	if _, _, err := OpenCard(msg, p.clientEnc); !errors.Is(err, ErrGarbled) {
		t.Errorf("sealed for another key: %v, want ErrGarbled", err)
	}
	if _, err := OpenOut(msg, p.guestEnc, &p.clientSig.PublicKey); !errors.Is(err, ErrGarbled) {
		t.Errorf("as a device's message: %v, want ErrGarbled", err)
	}
	if _, err := OpenRequest(msg, p.guestEnc, p.lookup); !errors.Is(err, ErrGarbled) {
		t.Errorf("as a request: %v, want ErrGarbled", err)
	}
}

func TestSealCardRefuses(t *testing.T) {
	p := newParties(t)
	large := p.card(t)
	large.Broker.CA = strings.Repeat("x", proto.MaxMessage)
	if _, err := SealCard(large, p.clientSig, p.guestEnc.PublicKey()); !errors.Is(err, ErrOversized) {
		t.Errorf("a large one: %v, want ErrOversized", err)
	}
	if _, err := SealCard(p.card(t), p.stranger, p.guestEnc.PublicKey()); !errors.Is(err, ErrKey) {
		t.Errorf("another's key card: %v, want ErrKey", err)
	}
	if _, err := SealCard(CameraCard{}, p.clientSig, p.guestEnc.PublicKey()); !errors.Is(err, ErrKey) {
		t.Errorf("no key card: %v, want ErrKey", err)
	}
	if _, err := SealCard(p.card(t), logKey("x"), p.guestEnc.PublicKey()); !errors.Is(err, ErrKey) {
		t.Errorf("an Ed25519 signer: %v, want ErrKey", err)
	}
	if _, err := SealCard(p.card(t), p.clientSig, nil); !errors.Is(err, ErrKey) {
		t.Errorf("no recipient: %v, want ErrKey", err)
	}
}

// Whatever a card's maker changes in it, and whoever passes it on.
func TestOpenCardRefuses(t *testing.T) {
	p := newParties(t)
	id := string(p.client)
	sealedFor := func(jws string) string {
		return rawSeal(t, goodSealHeader, "A256GCM", []byte(jws), p.guestEnc.PublicKey())
	}
	sign := func(typ, kid string, by *ecdsa.PrivateKey, change func(*CameraCard)) string {
		c := p.card(t)
		change(&c)
		jws, err := Sign(typ, kid, c, by)
		if err != nil {
			t.Fatal(err)
		}
		return string(jws)
	}
	changed := func(change func(*CameraCard)) string { return sealedFor(sign(TypeCard, id, p.clientSig, change)) }
	none := func(*CameraCard) {}
	foreignTrio := func(change func(*Trio), by *ecdsa.PrivateKey) func(*CameraCard) {
		return func(c *CameraCard) {
			trio := p.trio()
			change(&trio)
			jws, err := SignTrio(trio, by)
			if err != nil {
				t.Fatal(err)
			}
			c.Trio = string(jws)
		}
	}
	strangerCard, err := NewKeyCard(p.stranger, p.hhEnc.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	good := sign(TypeCard, id, p.clientSig, none)
	part := strings.Split(good, ".")
	for _, c := range []struct {
		name, msg string
		want      error
	}{
		{"untouched", sealedFor(good), nil},
		{"a later claim", sealedFor(rawSign(t, `{"alg":"ES256","typ":"camd-card+jwt","kid":"`+id+`"}`,
			strings.Replace(string(marshal(t, p.card(t))), "{", `{"later":1,`, 1), p.clientSig)), nil},
		{"not sealed", good, ErrGarbled},
		{"passed on to another", changed(func(c *CameraCard) {
			j, err := EncJWK(p.clientEnc.PublicKey())
			if err != nil {
				t.Fatal(err)
			}
			c.Audience = j.thumbprint()
		}), ErrClaims},
		{"for nobody", changed(func(c *CameraCard) { c.Audience = "" }), ErrClaims},
		{"signed by a stranger", sealedFor(sign(TypeCard, id, p.stranger, none)), ErrSignature},
		{"of a stranger's name", sealedFor(sign(TypeCard, flip(id), p.clientSig, none)), ErrGarbled},
		{"without kid", sealedFor(sign(TypeCard, "", p.clientSig, none)), ErrGarbled},
		{"with a stranger's key card", changed(func(c *CameraCard) { c.Key = string(strangerCard) }), ErrGarbled},
		{"a stranger's key card and name", sealedFor(sign(TypeCard, clientID(t, p.stranger), p.clientSig, func(c *CameraCard) {
			c.Key = string(strangerCard)
		})), ErrSignature},
		{"without a key card", changed(func(c *CameraCard) { c.Key = "" }), ErrGarbled},
		{"another type", sealedFor(sign(TypeRequest, id, p.clientSig, none)), ErrGarbled},
		{"claims changed", sealedFor(part[0] + "." + b64(bytes.Replace(marshal(t, p.card(t)), []byte("Bob"), []byte("Eve"), 1)) + "." + part[2]), ErrSignature},
		{"signature changed", sealedFor(part[0] + "." + part[1] + "." + flip(part[2])), ErrSignature},
		{"alg none", sealedFor(b64([]byte(`{"alg":"none","typ":"camd-card+jwt","kid":"`+id+`"}`)) + "." + part[1] + "."), ErrGarbled},
		{"a trio by another identity", changed(foreignTrio(func(*Trio) {}, p.stranger)), ErrSignature},
		{"a trio of another device", changed(foreignTrio(func(t *Trio) { t.Device = "otherdevice222222222222222" }, p.identity)), ErrClaims},
		{"a trio of another epoch", changed(foreignTrio(func(t *Trio) { t.Epoch = 2 }, p.identity)), ErrClaims},
		{"another device", changed(func(c *CameraCard) { c.Device = "otherdevice222222222222222" }), ErrClaims},
		{"another epoch", changed(func(c *CameraCard) { c.Epoch = 4 }), ErrClaims},
		{"no trio", changed(func(c *CameraCard) { c.Trio = "" }), ErrGarbled},
		{"another identity", changed(func(c *CameraCard) { c.Identity = pkix(t, &p.stranger.PublicKey) }), ErrSignature},
		{"an Ed25519 identity", changed(func(c *CameraCard) { c.Identity = pkix(t, p.trio().Log) }), ErrKey},
		{"a P-384 identity", changed(func(c *CameraCard) { c.Identity = pkix(t, p384(t)) }), ErrKey},
		{"no identity", changed(func(c *CameraCard) { c.Identity = nil }), ErrKey},
		{"a duplicate claim", sealedFor(rawSign(t, `{"alg":"ES256","typ":"camd-card+jwt","kid":"`+id+`"}`,
			strings.Replace(string(marshal(t, p.card(t))), "{", `{"EP":4,`, 1), p.clientSig)), ErrGarbled},
		{"oversized", strings.Repeat("A", maxSealed+1), ErrOversized},
		{"empty", "", ErrGarbled},
	} {
		got, signer, err := OpenCard([]byte(c.msg), p.guestEnc)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if err != nil && (!reflect.DeepEqual(got, CameraCard{}) || signer != PublicKey{}) {
			t.Errorf("%s: refused, and yet %+v of %+v", c.name, got, signer)
		}
	}
}

func clientID(t *testing.T, key *ecdsa.PrivateKey) string {
	t.Helper()
	id, err := Thumbprint(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(id)
}

func pkix(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func p384(t *testing.T) *ecdsa.PublicKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &key.PublicKey
}

func TestCameraCardKeepsTheLoginOutOfLogs(t *testing.T) {
	card := newParties(t).card(t)
	var out bytes.Buffer
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "card", card, "broker", card.Broker)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "card", card, "broker", card.Broker)
	fmt.Fprintf(&out, "%v %+v %s %v", card, card, card, card.Broker)
	if strings.Contains(out.String(), card.Broker.Password) {
		t.Errorf("the password is in %s", out.String())
	}
}
