package envelope

import (
	"bytes"
	"compress/flate"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/proto"
)

func TestRequestRoundTrip(t *testing.T) {
	p := newParties(t)
	msg, err := SealRequest(p.request(), p.clientSig, p.hhEnc.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	got, err := OpenRequest(msg, p.hhEnc, p.lookup)
	if err != nil {
		t.Fatal(err)
	}
	// What is kept of a grant is what its signer signed, byte for byte.
	var again proto.Request
	if err := Verify(got.JWS, TypeRequest, string(p.client), &p.clientSig.PublicKey, &again); err != nil {
		t.Errorf("Request.JWS: %v", err)
	}
	got.JWS = nil
	if !reflect.DeepEqual(got, p.request()) || !reflect.DeepEqual(again, p.request()) {
		t.Fatalf("OpenRequest = %+v, its JWS holds %+v", got, again)
	}
}

func TestSealRequestDoesNotSendJWS(t *testing.T) {
	p := newParties(t)
	r := p.request()
	r.JWS = []byte("what was opened before")
	msg, err := SealRequest(r, p.clientSig, p.hhEnc.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	if jws, err := unseal(msg, p.hhEnc); err != nil || !bytes.Contains(jws, []byte("."+strings.Split(b64(marshal(t, p.request())), ".")[0]+".")) {
		t.Fatalf("%s, %v", jws, err)
	}
}

func TestSealRequestNamesTheSigningKey(t *testing.T) {
	p := newParties(t)
	r := p.request()
	r.Issuer = "someone else"
	msg, err := SealRequest(r, p.clientSig, p.hhEnc.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := OpenRequest(msg, p.hhEnc, p.lookup); err != nil || got.Issuer != p.client {
		t.Fatalf("Issuer = %q, %v; want %q", got.Issuer, err, p.client)
	}
}

func TestOutRoundTrip(t *testing.T) {
	p := newParties(t)
	to := p.clientEnc.PublicKey()
	for name, want := range map[string]Out{
		"answer": {Answer: p.answer()}, "signal": {Signal: p.signal()}, "notice": {Notice: p.notice()},
	} {
		var msg []byte
		var err error
		switch {
		case want.Answer != nil:
			msg, err = SealAnswer(*want.Answer, p.hhSig, to)
		case want.Signal != nil:
			msg, err = SealSignal(*want.Signal, p.hhSig, to)
		default:
			msg, err = SealNotice(*want.Notice, p.hhSig, to)
		}
		if err != nil {
			t.Fatal(err)
		}
		if out, err := OpenOut(msg, p.clientEnc, &p.hhSig.PublicKey); err != nil || !reflect.DeepEqual(out, want) {
			t.Errorf("%s: %+v, %v", name, out, err)
		}
		if _, err := OpenOut(msg, p.clientEnc, &p.stranger.PublicKey); !errors.Is(err, ErrSignature) {
			t.Errorf("%s signed by another key: %v, want ErrSignature", name, err)
		}
		if _, err := OpenOut(msg, p.hhEnc, &p.hhSig.PublicKey); !errors.Is(err, ErrGarbled) {
			t.Errorf("%s sealed for another key: %v, want ErrGarbled", name, err)
		}
		if _, err := OpenRequest(msg, p.clientEnc, p.lookup); !errors.Is(err, ErrGarbled) {
			t.Errorf("%s as a request: %v, want ErrGarbled", name, err)
		}
	}
}

func TestSealOutRefusesWhatIsTooLarge(t *testing.T) {
	p := newParties(t)
	n := p.notice()
	n.Entry = strings.Repeat("x", proto.MaxMessage)
	if _, err := SealNotice(*n, p.hhSig, p.clientEnc.PublicKey()); !errors.Is(err, ErrOversized) {
		t.Errorf("seal: %v, want ErrOversized", err)
	}
	if _, err := OpenOut(bytes.Repeat([]byte("A"), proto.MaxMessage+1), p.clientEnc, &p.hhSig.PublicKey); !errors.Is(err, ErrOversized) {
		t.Errorf("open: %v, want ErrOversized", err)
	}
}

func TestOpenOutRefusesOtherTypes(t *testing.T) {
	p := newParties(t)
	for name, header := range map[string]string{
		"request":     `{"alg":"ES256","typ":"camd-req+jwt"}`,
		"camera card": `{"alg":"ES256","typ":"camd-card+jwt"}`,
		"epoch":       `{"alg":"ES256","typ":"camd-epoch+jwt"}`,
		"later":       `{"alg":"ES256","typ":"camd-later+jwt"}`,
		"other case":  `{"alg":"ES256","typ":"camd-NOTE+jwt"}`,
		"no typ":      `{"alg":"ES256"}`,
		"with kid":    `{"alg":"ES256","typ":"camd-ans+jwt","kid":"x"}`,
		"note kid":    `{"alg":"ES256","typ":"camd-note+jwt","kid":"x"}`,
	} {
		msg := rawSeal(t, goodSealHeader, "A256GCM", []byte(rawSign(t, header, `{}`, p.hhSig)), p.clientEnc.PublicKey())
		if _, err := OpenOut([]byte(msg), p.clientEnc, &p.hhSig.PublicKey); !errors.Is(err, ErrGarbled) {
			t.Errorf("%s: %v, want ErrGarbled", name, err)
		}
	}
}

func TestOpenOutRefusesOtherClaims(t *testing.T) {
	p := newParties(t)
	header := `{"alg":"ES256","typ":"camd-note+jwt"}`
	payload := string(marshal(t, p.notice()))
	for name, c := range map[string]struct {
		payload string
		want    error
	}{
		"untouched":       {payload, nil},
		"unknown claim":   {strings.Replace(payload, `{`, `{"later":1,`, 1), nil},
		"duplicate claim": {strings.Replace(payload, `{`, `{"n":1,`, 1), ErrClaims},
		"by case":         {strings.Replace(payload, `{`, `{"N":1,`, 1), ErrClaims},
		"negative index":  {strings.Replace(payload, `"n":`, `"n":-`, 1), ErrClaims},
		"entry no string": {strings.Replace(payload, `"entry":"`, `"entry":{},"x":"`, 1), ErrClaims},
		"trailing":        {payload + "{}", ErrClaims},
		"no object":       {`[]`, ErrClaims},
		"not UTF-8":       {strings.Replace(payload, "live", "li\xff", 1), ErrClaims},
	} {
		msg := rawSeal(t, goodSealHeader, "A256GCM", []byte(rawSign(t, header, c.payload, p.hhSig)), p.clientEnc.PublicKey())
		if _, err := OpenOut([]byte(msg), p.clientEnc, &p.hhSig.PublicKey); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestSizeIsCheckedFirst(t *testing.T) {
	p := newParties(t)
	if _, err := OpenRequest(bytes.Repeat([]byte("A"), proto.MaxMessage+1), p.hhEnc, p.lookup); !errors.Is(err, ErrOversized) {
		t.Errorf("open: %v, want ErrOversized", err)
	}
	r := p.request()
	r.Body = json.RawMessage(`"` + strings.Repeat("x", proto.MaxMessage) + `"`)
	if _, err := SealRequest(r, p.clientSig, p.hhEnc.PublicKey()); !errors.Is(err, ErrOversized) {
		t.Errorf("seal: %v, want ErrOversized", err)
	}
}

// The outer layer: everything but the one form of docs/protocol.md 4.1.3.
func TestOpenRequestRefusesOtherEnvelopes(t *testing.T) {
	p := newParties(t)
	jws := []byte(rawSign(t, p.goodSignHeader(), p.goodPayload(t), p.clientSig))
	sealed := func(header string) string { return rawSeal(t, header, "A256GCM", jws, p.hhEnc.PublicKey()) }
	good := sealed(goodSealHeader)
	if _, err := OpenRequest([]byte(good), p.hhEnc, p.lookup); err != nil {
		t.Fatalf("the untouched message: %v", err)
	}
	var deflated bytes.Buffer
	w, _ := flate.NewWriter(&deflated, 9)
	_, _ = w.Write(jws)
	_ = w.Close()
	part := strings.Split(good, ".")
	join := func(parts ...string) string { return strings.Join(parts, ".") }
	for name, msg := range map[string]string{
		"empty":             "",
		"four parts":        join(part[:4]...),
		"six parts":         good + ".",
		"line end":          good[:len(good)-5] + "\n" + good[len(good)-5:],
		"spare bits":        good[:len(good)-1] + spare(good[len(good)-1]),
		"padding":           good + "==",
		"json":              `{"protected":"` + part[0] + `","iv":"` + part[2] + `","ciphertext":"` + part[3] + `","tag":"` + part[4] + `"}`,
		"encrypted key":     join(part[0], "AAAA", part[2], part[3], part[4]),
		"tag cut":           join(part[0], part[1], part[2], part[3], part[4][:16]),
		"tag changed":       join(part[0], part[1], part[2], part[3], flip(part[4])),
		"ciphertext":        join(part[0], part[1], part[2], flip(part[3]), part[4]),
		"iv":                join(part[0], part[1], flip(part[2]), part[3], part[4]),
		"alg dir":           sealed(`{"alg":"dir","enc":"A256GCM","cty":"JWT","epk":%s}`),
		"alg with wrap":     sealed(`{"alg":"ECDH-ES+A256KW","enc":"A256GCM","cty":"JWT","epk":%s}`),
		"alg missing":       sealed(`{"enc":"A256GCM","cty":"JWT","epk":%s}`),
		"enc A128GCM":       rawSeal(t, `{"alg":"ECDH-ES","enc":"A128GCM","cty":"JWT","epk":%s}`, "A128GCM", jws, p.hhEnc.PublicKey()),
		"zip":               rawSeal(t, `{"alg":"ECDH-ES","enc":"A256GCM","cty":"JWT","zip":"DEF","epk":%s}`, "A256GCM", deflated.Bytes(), p.hhEnc.PublicKey()),
		"cty missing":       sealed(`{"alg":"ECDH-ES","enc":"A256GCM","epk":%s}`),
		"cty other":         sealed(`{"alg":"ECDH-ES","enc":"A256GCM","cty":"jwt","epk":%s}`),
		"crit":              sealed(`{"alg":"ECDH-ES","enc":"A256GCM","cty":"JWT","crit":["exp"],"epk":%s}`),
		"kid":               sealed(`{"alg":"ECDH-ES","enc":"A256GCM","cty":"JWT","kid":"x","epk":%s}`),
		"apu":               sealed(`{"alg":"ECDH-ES","enc":"A256GCM","cty":"JWT","apu":"QQ","epk":%s}`),
		"jwk":               sealed(`{"alg":"ECDH-ES","enc":"A256GCM","cty":"JWT","jwk":{},"epk":%s}`),
		"duplicate alg":     sealed(`{"alg":"ECDH-ES","alg":"ECDH-ES","enc":"A256GCM","cty":"JWT","epk":%s}`),
		"duplicate by case": sealed(`{"alg":"ECDH-ES","Alg":"dir","enc":"A256GCM","cty":"JWT","epk":%s}`),
		"epk missing":       strings.Replace(good, part[0], b64([]byte(`{"alg":"ECDH-ES","enc":"A256GCM","cty":"JWT"}`)), 1),
		"epk off the curve": strings.Replace(good, part[0], b64([]byte(offCurveHeader)), 1),
		"epk P-384":         strings.Replace(good, part[0], b64([]byte(strings.Replace(offCurveHeader, "P-256", "P-384", 1))), 1),
		"epk with d":        strings.Replace(good, part[0], b64([]byte(strings.Replace(offCurveHeader, `"kty"`, `"d":"AQ","kty"`, 1))), 1),
		"header no object":  strings.Replace(good, part[0], b64([]byte(`[]`)), 1),
		"header null":       strings.Replace(good, part[0], b64([]byte(`null`)), 1),
		"other recipient":   rawSeal(t, goodSealHeader, "A256GCM", jws, p.clientEnc.PublicKey()),
		"JWS not sealed":    string(jws),
	} {
		if r, err := OpenRequest([]byte(msg), p.hhEnc, p.lookup); !errors.Is(err, ErrGarbled) {
			t.Errorf("%s: %+v, %v, want ErrGarbled", name, r, err)
		}
	}
}

// offCurveHeader: y is that of (1, 1), which no P-256 point is.
const offCurveHeader = `{"alg":"ECDH-ES","enc":"A256GCM","cty":"JWT","epk":{"kty":"EC","crv":"P-256",` +
	`"x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"}}`

// flip changes the first character of base64url text.
func flip(s string) string {
	if s[0] == 'A' {
		return "B" + s[1:]
	}
	return "A" + s[1:]
}

// spare gives another last character that decodes to the same bytes.
func spare(last byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, last)^1])
}

// The inner layer, sealed well: order and kind of refusal of docs/protocol.md 4.1.6.
func TestOpenRequestRefusesOtherSignatures(t *testing.T) {
	p := newParties(t)
	payload := p.goodPayload(t)
	header := p.goodSignHeader()
	good := rawSign(t, header, payload, p.clientSig)
	part := strings.Split(good, ".")
	with := func(old, now string) string { return strings.Replace(payload, old, now, 1) }
	head := func(old, now string) string {
		return rawSign(t, strings.Replace(header, old, now, 1), payload, p.clientSig)
	}
	signed := func(payload string) string { return rawSign(t, header, payload, p.clientSig) }
	for _, c := range []struct {
		name, jws string
		want      error
	}{
		{"untouched", good, nil},
		{"unknown claim", signed(with(`{`, `{"later":1,`)), nil},
		{"alg none", b64([]byte(strings.Replace(header, "ES256", "none", 1))) + "." + part[1] + ".", ErrGarbled},
		{"alg HS256", hs256(strings.Replace(header, "ES256", "HS256", 1), payload, &p.clientSig.PublicKey), ErrGarbled},
		{"alg ES384", head("ES256", "ES384"), ErrGarbled},
		{"typ answer", head("camd-req", "camd-ans"), ErrGarbled},
		{"typ other case", head("camd-req", "CAMD-REQ"), ErrGarbled},
		{"typ missing", head(`"typ":"camd-req+jwt",`, ``), ErrGarbled},
		{"kid missing", rawSign(t, `{"alg":"ES256","typ":"camd-req+jwt"}`, payload, p.clientSig), ErrGarbled},
		{"crit", head(`{`, `{"crit":["b64"],"b64":true,`), ErrGarbled},
		{"jwk of a stranger", rawSign(t, strings.Replace(header, `{`, `{"jwk":{},`, 1), payload, p.stranger), ErrGarbled},
		{"x5c", head(`{`, `{"x5c":[],`), ErrGarbled},
		{"json", `{"payload":"` + part[1] + `","protected":"` + part[0] + `","signature":"` + part[2] + `"}`, ErrGarbled},
		{"two signatures", `{"payload":"` + part[1] + `","signatures":[{"protected":"` + part[0] + `","signature":"` + part[2] +
			`"},{"protected":"` + part[0] + `","signature":"` + part[2] + `"}]}`, ErrGarbled},
		{"empty", "", ErrGarbled},
		{"unknown key", head(string(p.client), "A"+flip(string(p.client))[1:]), ErrUnknownKey},
		{"signed by a stranger", rawSign(t, header, payload, p.stranger), ErrSignature},
		{"payload changed", part[0] + "." + b64([]byte(with("s1", "s2"))) + "." + part[2], ErrSignature},
		{"signature changed", part[0] + "." + part[1] + "." + flip(part[2]), ErrSignature},
		{"signature cut", part[0] + "." + part[1] + "." + part[2][:80], ErrGarbled},
		{"signature longer", part[0] + "." + part[1] + "." + part[2] + "AAAA", ErrGarbled},
		{"signature missing", part[0] + "." + part[1] + ".", ErrGarbled},
		{"iss of another", signed(with(string(p.client), flip(string(p.client)))), ErrClaims},
		{"iss by alias", signed(with(`"iss"`, `"ISS"`)), ErrClaims},
		{"duplicate claim", signed(with(`{`, `{"op":"bye",`)), ErrClaims},
		{"duplicate by case", signed(with(`{`, `{"OP":"bye",`)), ErrClaims},
		{"duplicate in the body", signed(with(`"sdp"`, `"sdp":"x","sdp"`)), ErrClaims},
		{"duplicate by escape", signed(with(`"sdp"`, `"\u0073dp":"x","sdp"`)), ErrClaims},
		{"duplicate by fold", signed(with(`"sdp"`, `"ſdp":"x","sdp"`)), ErrClaims},
		{"not UTF-8", signed(with("s1", "s\xff")), ErrClaims},
		{"trailing", signed(payload + "{}"), ErrClaims},
		{"negative sequence", signed(with(`"seq":1`, `"seq":-1`)), ErrClaims},
		{"too deep", signed(with(`"body":`, `"later":`+strings.Repeat("[", 40)+strings.Repeat("]", 40)+`,"body":`)), ErrClaims},
		{"no object", signed(`"text"`), ErrClaims},
		{"null", signed(`null`), ErrClaims},
	} {
		msg := rawSeal(t, goodSealHeader, "A256GCM", []byte(c.jws), p.hhEnc.PublicKey())
		if r, err := OpenRequest([]byte(msg), p.hhEnc, p.lookup); !errors.Is(err, c.want) {
			t.Errorf("%s: %+v, %v, want %v", c.name, r, err, c.want)
		}
	}
}

// hs256 is the classic confusion: the public key as an HMAC key.
func hs256(header, payload string, key *ecdsa.PublicKey) string {
	secret, _ := key.Bytes()
	input := b64([]byte(header)) + "." + b64([]byte(payload))
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(input))
	return input + "." + b64(mac.Sum(nil))
}

func TestUnknownKeyIsNotVerified(t *testing.T) {
	p := newParties(t)
	msg, err := SealRequest(p.request(), p.stranger, p.hhEnc.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenRequest(msg, p.hhEnc, p.lookup); !errors.Is(err, ErrUnknownKey) {
		t.Fatalf("%v, want ErrUnknownKey", err)
	}
}
