package envelope

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
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
	JWE    string          `json:"jwe"`
}

// npmVectors is what testdata/npm-jose.mjs wrote.
type npmVectors struct {
	Version string `json:"jose"`
	Request string `json:"request"`
	Answer  string `json:"answer"`
	Signal  string `json:"signal"`
}

func TestVectors(t *testing.T) {
	p := newParties(t)
	want := makeVectors(t, p)
	if *update {
		writeJSON(t, vectorFile, want)
	}
	var got vectors
	readJSON(t, vectorFile, &got)
	checkOpens(t, p, got.Request.JWE, got.Answer.JWE, got.Signal.JWE)
	// The sealed forms differ each time; everything else is byte for byte.
	want.Request.JWE, want.Answer.JWE, want.Signal.JWE = got.Request.JWE, got.Answer.JWE, got.Signal.JWE
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
	checkOpens(t, newParties(t), npm.Request, npm.Answer, npm.Signal)
}

func checkOpens(t *testing.T, p parties, request, answer, signal string) {
	t.Helper()
	r, err := OpenRequest([]byte(request), p.hhEnc, p.lookup)
	if err != nil || !reflect.DeepEqual(r, p.request()) {
		t.Errorf("request: %+v, %v", r, err)
	}
	a, err := OpenOut([]byte(answer), p.clientEnc, &p.hhSig.PublicKey)
	if err != nil || !reflect.DeepEqual(a.Answer, p.answer()) {
		t.Errorf("answer: %+v, %v", a.Answer, err)
	}
	s, err := OpenOut([]byte(signal), p.clientEnc, &p.hhSig.PublicKey)
	if err != nil || !reflect.DeepEqual(s.Signal, p.signal()) {
		t.Errorf("signal: %+v, %v", s.Signal, err)
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

func makeVectors(t *testing.T, p parties) vectors {
	t.Helper()
	card, err := NewKeyCard(fixedSigner{p.clientSig}, p.clientEnc.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	trio, err := SignTrio(p.trio(), fixedSigner{p.identity})
	if err != nil {
		t.Fatal(err)
	}
	v := vectors{Keys: p.privateKeys(t), ClientID: p.client, KeyCard: string(card), Trio: string(trio)}
	v.Request = makeVector(t, TypeRequest, string(p.client), p.request(), p.clientSig)
	v.Answer = makeVector(t, TypeAnswer, "", p.answer(), p.hhSig)
	v.Signal = makeVector(t, TypeSignal, "", p.signal(), p.hhSig)
	v.Request.JWE = sealed(t, v.Request.JWS, p.hhEnc)
	v.Answer.JWE = sealed(t, v.Answer.JWS, p.clientEnc)
	v.Signal.JWE = sealed(t, v.Signal.JWS, p.clientEnc)
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
	client, err := EncJWK(p.clientEnc.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	hh, err := EncJWK(p.hhEnc.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	keys["clientEnc"], keys["hhEnc"] = privateJWK{client, b64(p.clientEnc.Bytes())}, privateJWK{hh, b64(p.hhEnc.Bytes())}
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
