package attack

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/test/hostile"
)

// TestT1 gives the attacker the broker, its authority's every certificate, what the
// cloud knows of the household (record, public keys, all messages), and every login.
// The one thing that is missing is a key that was enrolled.
func TestT1BrokerAdministratorGetsNothing(t *testing.T) {
	h := newHome(t)
	h.sees(h.owner) // so that there is something to record
	recorded := h.evil.Messages()
	attacker := hostile.Stranger(t, h.evil, h.owner.Record())
	viewer := hostile.NewViewer(t)
	for name, change := range forgeries(h, attacker) {
		f := fresh(attacker, h).Request(proto.OpLive, "attack", viewer.LiveRequest())
		change(f)
		h.evil.Publish(h.probe.Topic(), f.Seal(), false)
		h.nothingBegan(name)
	}
	h.evil.Publish(attacker.Topic(), attacker.Request(proto.OpLive, "attack", viewer.LiveRequest()).Seal(), false)
	for _, junk := range []string{"", "open the camera", `{"op":"live"}`, "....", strings.Repeat("A", 1<<20)} {
		h.evil.Publish(h.probe.Topic(), []byte(junk), false)
		h.nothingBegan(fmt.Sprintf("%d bytes", len(junk)))
	}
	for _, m := range recorded { // everything again, and everywhere
		h.evil.Replay(m)
		h.evil.Publish(h.probe.Topic(), m.Payload, false)
		h.evil.Publish(attacker.Topic(), m.Payload, true)
		h.nothingBegan("what was recorded on " + m.Topic)
	}
	h.silent(attacker.Keys.ID())
	if n := viewer.Packets.Load(); n != 0 {
		t.Errorf("the attacker got %d packets", n)
	}
	h.sees(h.owner)
}

// forgeries are ways to make a request of somebody without an enrolled key look like
// the owner's.
func forgeries(h *house, attacker *hostile.Client) map[string]func(*hostile.Forgery) {
	h.t.Helper()
	victim := h.probe.Keys.ID()
	public, err := x509.MarshalPKIXPublicKey(h.probe.Keys.Signer().Public())
	must(h.t, err)
	jwk, err := envelope.SigJWK(attacker.Keys.Signer().Public().(*ecdsa.PublicKey))
	must(h.t, err)
	mine := hostile.ES256(attacker.Keys.Signer())
	return map[string]func(*hostile.Forgery){
		"a stranger's request on the owner's topic": func(*hostile.Forgery) {},
		"the owner's name":                          func(f *hostile.Forgery) { f.Claims["iss"] = victim },
		"the owner's key's name":                    func(f *hostile.Forgery) { f.Header["kid"] = victim },
		"both":                                      func(f *hostile.Forgery) { pretend(f, victim, "ES256", mine) },
		"a key of its own in the header":            func(f *hostile.Forgery) { pretend(f, victim, "ES256", mine); f.Header["jwk"] = jwk },
		"a certificate in the header":               func(f *hostile.Forgery) { pretend(f, victim, "ES256", mine); f.Header["x5c"] = []string{"AA"} },
		"no algorithm":                              func(f *hostile.Forgery) { pretend(f, victim, "none", hostile.Unsigned) },
		"no algorithm, in capitals":                 func(f *hostile.Forgery) { pretend(f, victim, "NONE", hostile.Unsigned) },
		"a MAC under the public key":                func(f *hostile.Forgery) { pretend(f, victim, "HS256", hostile.HS256(public)) },
		"an empty signature":                        func(f *hostile.Forgery) { pretend(f, victim, "ES256", hostile.Unsigned) },
		"a signature of zeros":                      func(f *hostile.Forgery) { pretend(f, victim, "ES256", func([]byte) []byte { return make([]byte, 64) }) },
		"the type of an answer":                     func(f *hostile.Forgery) { pretend(f, victim, "ES256", mine); f.Header["typ"] = envelope.TypeAnswer },
		"a payload that is not encoded": func(f *hostile.Forgery) {
			pretend(f, victim, "ES256", mine)
			f.Header["crit"], f.Header["b64"] = []string{"b64"}, false
		},
		"a sealing without key agreement": func(f *hostile.Forgery) { pretend(f, victim, "ES256", mine); f.SealHeader["alg"] = "dir" },
		"nothing signed inside":           func(f *hostile.Forgery) { f.Inner = []byte(text(f.Claims)) },
		"two issuers": func(f *hostile.Forgery) {
			f.RawClaims = strings.TrimSuffix(text(f.Claims), "}") + `,"iss":"` + string(victim) + `"}`
		},
	}
}

// fresh gives the attacker what only a member is told: a nonce that is live. Its
// numbers are high enough anyway.
func fresh(c *hostile.Client, h *house) *hostile.Client {
	c.Nonce = h.probe.Hello().Nonce
	return c
}

// pretend makes a request claim to be the victim's.
func pretend(f *hostile.Forgery, victim proto.ClientID, alg string, sign func([]byte) []byte) {
	f.Claims["iss"], f.Header["kid"], f.Header["alg"], f.Sign = victim, victim, alg, sign
}

func text(claims map[string]any) string {
	b, err := json.Marshal(claims)
	if err != nil {
		panic(err) // plain values
	}
	return string(b)
}

// TestT2 puts the attacker between camera and viewer: it must bring one of them to
// take its DTLS certificate.
func TestT2SwappedFingerprintIsRefused(t *testing.T) {
	h := newHome(t)
	h.changedEnvelopes()
	for name, swap := range map[string]struct{ offer, answer bool }{
		"for-the-camera": {offer: true}, "for-the-viewer": {answer: true},
	} {
		v := hostile.NewViewer(t)
		body := v.LiveRequest()
		if swap.offer {
			body.SDP = swapFingerprint(body.SDP)
		}
		h.probe.Hello()
		sdp := liveAnswer(t, h.probe.Do(h.probe.Request(proto.OpLive, name, body)))
		if swap.answer {
			sdp = swapFingerprint(sdp)
		}
		v.Answer(sdp)
		h.Until("camd gives the session up", func() bool { return len(h.sessions()) == 0 || v.Packets.Load() > 0 })
		if n := v.Packets.Load(); n != 0 {
			t.Errorf("%d packets came over a connection that nobody vouches for", n)
			h.probe.Do(h.probe.Request(proto.OpBye, name, nil))
		}
	}
	v := hostile.NewViewer(t) // the control
	h.probe.Hello()
	v.Answer(liveAnswer(t, h.probe.Do(h.probe.Request(proto.OpLive, "control", v.LiveRequest()))))
	h.Until("packets come", func() bool { return v.Packets.Load() > 0 })
}

// changedEnvelopes changes the owner's sealed offer in each of its parts.
func (h *house) changedEnvelopes() {
	h.t.Helper()
	f := h.probe.Request(proto.OpLive, "honest", hostile.NewViewer(h.t).LiveRequest())
	message := f.Seal()
	for _, part := range strings.Split(string(message), ".") {
		if len(part) > 0 {
			h.evil.Publish(h.probe.Topic(), flip(message, strings.Index(string(message), part)+len(part)/2), false)
		}
	}
	h.probe.Hello()
	// Had camd taken one of these, the number of this one would be used up.
	h.evil.Publish(h.probe.Topic(), message, false)
	if a := h.probe.Await(f.Claims["jti"].(string)); a.Code != proto.CodeOK || len(h.sessions()) != 1 {
		h.t.Errorf("the unchanged request is answered %q, %d sessions", a.Code, len(h.sessions()))
	}
	h.probe.Do(h.probe.Request(proto.OpBye, "honest", nil))
	h.Until("the session is over", func() bool { return len(h.sessions()) == 0 })
}

func liveAnswer(t *testing.T, a proto.Answer) string {
	t.Helper()
	var live proto.LiveAnswer
	if err := json.Unmarshal(a.Body, &live); err != nil || a.Code != proto.CodeOK {
		t.Fatalf("live is answered %q: %v", a.Code, err)
	}
	return live.SDP
}

// flip changes one character of base64url, to another one with other high bits.
func flip(message []byte, at int) []byte {
	b := bytes.Clone(message)
	if b[at] == 'A' {
		b[at] = 'Q'
	} else {
		b[at] = 'A'
	}
	return b
}

// swapFingerprint names another certificate everywhere.
func swapFingerprint(sdp string) string {
	const mark = "a=fingerprint:sha-256 "
	i := strings.Index(sdp, mark) + len(mark)
	old := sdp[i : i+95]
	first := "00"
	if strings.HasPrefix(old, first) { // one certificate in 256
		first = "FF"
	}
	return strings.ReplaceAll(sdp, old, first+old[2:])
}
