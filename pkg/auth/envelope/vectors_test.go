package envelope

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"testing"

	"github.com/camd-project/camd/pkg/proto"
)

var update = flag.Bool("update", false, "write testdata/vectors.json anew")

const (
	vectorFile = "testdata/vectors.json"
	npmFile    = "testdata/npm-jose.json"
)

// vectors is the shape of testdata/vectors.json, docs/protocol.md 4.7. JWS are
// signed by RFC 6979 and come out the same each time; JWE are random, and need
// only open.
type vectors struct {
	Keys     map[string]privateJWK `json:"keys"`
	ClientID proto.ClientID        `json:"clientId"`
	KeyCard  string                `json:"keyCard"`
	Trio     string                `json:"trio"`
	Request  vector                `json:"request"`
	Answer   vector                `json:"answer"`
	Signal   vector                `json:"signal"`
	Notice   vector                `json:"notice"`
	Epoch    vector                `json:"epoch"`
	Card     vector                `json:"cameraCard"`
}

type privateJWK struct {
	JWK
	D string `json:"d"`
}

// UnmarshalJSON is not the embedded one, which refuses d.
func (p *privateJWK) UnmarshalJSON(data []byte) error {
	var v struct{ Kty, Crv, X, Y, D string }
	err := json.Unmarshal(data, &v)
	*p = privateJWK{JWK: JWK{Kty: v.Kty, Crv: v.Crv, X: v.X, Y: v.Y}, D: v.D}
	return err
}

type vector struct {
	Claims json.RawMessage `json:"claims"`
	JWS    string          `json:"jws"`
	JWE    string          `json:"jwe,omitempty"`
}

// npmVectors is what testdata/npm-jose.mjs wrote.
type npmVectors struct {
	Version string `json:"jose"`
	Request string `json:"request"`
	Answer  string `json:"answer"`
	Signal  string `json:"signal"`
	Notice  string `json:"notice"`
	Epoch   string `json:"epoch"`
	Card    string `json:"cameraCard"`
}

func TestVectors(t *testing.T) {
	p := newParties(t)
	want := makeVectors(t, p)
	if *update {
		writeJSON(t, vectorFile, want)
	}
	var got vectors
	readJSON(t, vectorFile, &got)
	checkOpens(t, p, npmVectors{Request: got.Request.JWE, Answer: got.Answer.JWE, Signal: got.Signal.JWE,
		Notice: got.Notice.JWE, Epoch: got.Epoch.JWS, Card: got.Card.JWE})
	// The sealed forms differ each time; everything else is byte for byte.
	want.Request.JWE, want.Answer.JWE, want.Signal.JWE = got.Request.JWE, got.Answer.JWE, got.Signal.JWE
	want.Notice.JWE, want.Card.JWE = got.Notice.JWE, got.Card.JWE
	wantJSON, gotJSON := marshal(t, want), marshal(t, got)
	if !bytes.Equal(wantJSON, gotJSON) {
		t.Errorf("%s holds\n%s\nwant\n%s", vectorFile, gotJSON, wantJSON)
	}
	if key, err := VerifyKeyCard([]byte(got.KeyCard)); err != nil || key.ClientID() != got.ClientID {
		t.Errorf("key card: %v", err)
	}
	if trio, err := VerifyTrio([]byte(got.Trio), &p.identity.PublicKey); err != nil || !reflect.DeepEqual(trio, p.trio()) {
		t.Errorf("trio: %+v, %v", trio, err)
	}
}

// What npm jose sealed with the same keys and claims opens here.
func TestVectorsOfNPMJose(t *testing.T) {
	var npm npmVectors
	readJSON(t, npmFile, &npm)
	checkOpens(t, newParties(t), npm)
}

func checkOpens(t *testing.T, p parties, v npmVectors) {
	t.Helper()
	r, err := OpenRequest([]byte(v.Request), p.hhEnc, p.lookup)
	r.JWS = nil
	if err != nil || !reflect.DeepEqual(r, p.request()) {
		t.Errorf("request: %+v, %v", r, err)
	}
	for msg, want := range map[string]Out{
		v.Answer: {Answer: p.answer()}, v.Signal: {Signal: p.signal()}, v.Notice: {Notice: p.notice()},
	} {
		if out, err := OpenOut([]byte(msg), p.clientEnc, &p.hhSig.PublicKey); err != nil || !reflect.DeepEqual(out, want) {
			t.Errorf("%+v, %v, want %+v", out, err, want)
		}
	}
	if e, err := VerifyEpoch([]byte(v.Epoch), &p.identity.PublicKey); err != nil || e != p.epoch(t) {
		t.Errorf("epoch: %+v, %v", e, err)
	}
	if c, signer, err := OpenCard([]byte(v.Card), p.guestEnc); err != nil || !reflect.DeepEqual(c, p.card(t)) || signer.ClientID() != p.client {
		t.Errorf("camera card: %+v, %v", c, err)
	}
}

func (p parties) answer() *proto.Answer {
	return &proto.Answer{Issuer: testDevice, Audience: p.client, Epoch: 3, Re: "req-1", Code: proto.CodeOK,
		Nonce: "EBESExQVFhcYGRobHB0eHw", Sequence: 1700000000000001, Body: json.RawMessage(`{"sdp":"v=0\r\n","scopes":["view"]}`)}
}

func (p parties) signal() *proto.Signal {
	return &proto.Signal{Issuer: testDevice, Audience: p.client, Epoch: 3, Session: "s1", Index: 1,
		Kind: proto.SignalEnd, Body: json.RawMessage(`{"reason":"bye"}`)}
}

func (p parties) notice() *proto.Notice {
	return &proto.Notice{Issuer: testDevice, Audience: p.client, Epoch: 3, Index: 7, Previous: 4,
		Entry: `{"v":1,"k":"live","t":1700000000000,"ep":3,"who":"` + string(p.client) + `","name":"Anna","op":"live","sc":["view"],"net":"mqtt","sid":"s1"}`}
}

func (p parties) epoch(t testing.TB) Epoch {
	t.Helper()
	trio, err := SignTrio(p.trio(), fixedSigner{p.identity})
	if err != nil {
		t.Fatal(err)
	}
	return Epoch{Device: testDevice, Epoch: 3, Trio: string(trio), Reason: "evicted at the device"}
}

// card is the camera card that the client makes for a guest.
func (p parties) card(t testing.TB) CameraCard {
	t.Helper()
	own, err := NewKeyCard(fixedSigner{p.clientSig}, p.clientEnc.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	identity, err := x509.MarshalPKIXPublicKey(&p.identity.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	guest, err := EncJWK(p.guestEnc.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	return CameraCard{Audience: guest.thumbprint(), Key: string(own), By: "Anna", Device: testDevice, Camera: "Front door",
		Identity: identity, Trio: p.epoch(t).Trio, Epoch: 3, Member: "Bob", Role: proto.RoleGuest,
		Broker: BrokerLogin{URL: "mqtts://broker.example:8883", User: "bob", Password: "secret"}}
}

func makeVectors(t *testing.T, p parties) vectors {
	t.Helper()
	v := vectors{Keys: p.privateKeys(t), ClientID: p.client, KeyCard: p.card(t).Key, Trio: p.epoch(t).Trio}
	v.Request = makeVector(t, TypeRequest, string(p.client), p.request(), p.clientSig)
	v.Answer = makeVector(t, TypeAnswer, "", p.answer(), p.hhSig)
	v.Signal = makeVector(t, TypeSignal, "", p.signal(), p.hhSig)
	v.Notice = makeVector(t, TypeNotice, "", p.notice(), p.hhSig)
	v.Epoch = makeVector(t, TypeEpoch, "", p.epoch(t), p.identity)
	v.Card = makeVector(t, TypeCard, string(p.client), p.card(t), p.clientSig)
	v.Request.JWE = sealed(t, v.Request.JWS, p.hhEnc)
	v.Answer.JWE = sealed(t, v.Answer.JWS, p.clientEnc)
	v.Signal.JWE = sealed(t, v.Signal.JWS, p.clientEnc)
	v.Notice.JWE = sealed(t, v.Notice.JWS, p.clientEnc)
	v.Card.JWE = sealed(t, v.Card.JWS, p.guestEnc)
	return v
}

func sealed(t *testing.T, jws string, to *ecdh.PrivateKey) string {
	t.Helper()
	jwe, err := seal([]byte(jws), to.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	return string(jwe)
}

func makeVector(t *testing.T, typ, kid string, claims any, by *ecdsa.PrivateKey) vector {
	t.Helper()
	jws, err := Sign(typ, kid, claims, fixedSigner{by})
	if err != nil {
		t.Fatal(err)
	}
	return vector{Claims: marshal(t, claims), JWS: string(jws)}
}

func (p parties) privateKeys(t *testing.T) map[string]privateJWK {
	t.Helper()
	keys := map[string]privateJWK{}
	for name, key := range map[string]*ecdsa.PrivateKey{"clientSig": p.clientSig, "hhSig": p.hhSig, "identity": p.identity} {
		j, err := SigJWK(&key.PublicKey)
		d, dErr := key.Bytes()
		if err != nil || dErr != nil {
			t.Fatal(err, dErr)
		}
		keys[name] = privateJWK{j, b64(d)}
	}
	for name, key := range map[string]*ecdh.PrivateKey{"clientEnc": p.clientEnc, "hhEnc": p.hhEnc, "guestEnc": p.guestEnc} {
		j, err := EncJWK(key.PublicKey())
		if err != nil {
			t.Fatal(err)
		}
		keys[name] = privateJWK{j, b64(key.Bytes())}
	}
	log, err := LogJWK(p.trio().Log)
	if err != nil {
		t.Fatal(err)
	}
	keys["log"] = privateJWK{log, b64(p.log.Seed())}
	return keys
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeJSON(t *testing.T, name string, v any) {
	t.Helper()
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, append(b, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

func readJSON(t *testing.T, name string, v any) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
}
