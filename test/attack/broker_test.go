package attack

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"

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
	h.evil.Publish(attacker.Topic(), attacker.Request(proto.OpLive, "attack", viewer.LiveRequest()).Seal(), false)
	h.nothingBegan("a stranger's request on the stranger's topic")
	for name, message := range forgeries(h, attacker, viewer) {
		h.evil.Publish(h.probe.Topic(), message, false)
		h.nothingBegan(name)
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

// forgeries are requests for picture and sound by somebody without an enrolled key,
// each with a nonce that is live: the attacker can't know one, which must not matter.
func forgeries(h *home, attacker *hostile.Client, v *hostile.Viewer) map[string][]byte {
	h.t.Helper()
	victim := h.probe.Keys.ID()
	public, err := x509.MarshalPKIXPublicKey(h.probe.Keys.Signer().Public())
	if err != nil {
		h.t.Fatal(err)
	}
	jwk, err := envelope.SigJWK(attacker.Keys.Signer().Public().(*ecdsa.PublicKey))
	if err != nil {
		h.t.Fatal(err)
	}
	all := map[string][]byte{"nothing": nil, "text": []byte("open the camera"), "JSON": []byte(`{"op":"live"}`),
		"dots": []byte("...."), "a megabyte": bytes.Repeat([]byte("A"), 1<<20)}
	attacker.Nonce = h.probe.Hello().Nonce
	for name, change := range map[string]func(*hostile.Forgery){
		"a stranger's request":            func(*hostile.Forgery) {},
		"the owner's name":                func(f *hostile.Forgery) { f.Claims["iss"] = victim },
		"the owner's name and key's name": func(f *hostile.Forgery) { f.Claims["iss"], f.Header["kid"] = victim, victim },
		"the owner's key's name":          func(f *hostile.Forgery) { f.Header["kid"] = victim },
		"a key of its own in the header":  func(f *hostile.Forgery) { f.Header["kid"], f.Claims["iss"], f.Header["jwk"] = victim, victim, jwk },
		"a certificate in the header": func(f *hostile.Forgery) {
			f.Header["kid"], f.Claims["iss"], f.Header["x5c"] = victim, victim, []string{"AA"}
		},
		"no algorithm":               func(f *hostile.Forgery) { own(f, victim, "none", hostile.Unsigned) },
		"no algorithm, in capitals":  func(f *hostile.Forgery) { own(f, victim, "NONE", hostile.Unsigned) },
		"a MAC under the public key": func(f *hostile.Forgery) { own(f, victim, "HS256", hostile.HS256(public)) },
		"an empty signature":         func(f *hostile.Forgery) { own(f, victim, "ES256", hostile.Unsigned) },
		"a signature of zeros":       func(f *hostile.Forgery) { own(f, victim, "ES256", func([]byte) []byte { return make([]byte, 64) }) },
		"the type of an answer": func(f *hostile.Forgery) {
			f.Header["typ"], f.Header["kid"], f.Claims["iss"] = envelope.TypeAnswer, victim, victim
		},
		"a list of critical members":        func(f *hostile.Forgery) { f.Header["crit"], f.Header["b64"] = []string{"b64"}, false },
		"another algorithm for the key":     func(f *hostile.Forgery) { f.SealHeader["alg"] = "dir" },
		"no encryption inside":              func(f *hostile.Forgery) { f.Inner = []byte(`{"op":"live"}`) },
		"two issuers":                       func(f *hostile.Forgery) { f.RawClaims = twice(f, victim) },
		"the owner's own answer, sent back": func(f *hostile.Forgery) { f.Inner = []byte("a.b.c") },
	} {
		f := attacker.Request(proto.OpLive, "attack", v.LiveRequest())
		change(f)
		all[name] = f.Seal()
	}
	return all
}

// own makes a request claim to be the victim's.
func own(f *hostile.Forgery, victim proto.ClientID, alg string, sign func([]byte) []byte) {
	f.Claims["iss"], f.Header["kid"], f.Header["alg"], f.Sign = victim, victim, alg, sign
}

// twice gives the claims with a second issuer, which some readers would take.
func twice(f *hostile.Forgery, victim proto.ClientID) string {
	text, err := json.Marshal(f.Claims)
	if err != nil {
		panic(err)
	}
	return strings.TrimSuffix(string(text), "}") + `,"iss":"` + string(victim) + `"}`
}

// TestT2 puts the attacker between camera and viewer: it must bring one of them to
// take its DTLS certificate.
func TestT2SwappedFingerprintIsRefused(t *testing.T) {
	h := newHome(t)
	t.Run("in the envelope", func(t *testing.T) {
		f := h.probe.Request(proto.OpLive, "honest", hostile.NewViewer(t).LiveRequest())
		message := f.Seal()
		for _, part := range strings.Split(string(message), ".") {
			if len(part) > 0 {
				h.evil.Publish(h.probe.Topic(), flip(message, strings.Index(string(message), part)+len(part)/2), false)
			}
		}
		h.probe.Hello()
		// Had camd taken one of these, the number of this would be used up.
		h.evil.Publish(h.probe.Topic(), message, false)
		if a := h.probe.Await(f.Claims["jti"].(string)); a.Code != proto.CodeOK || len(h.sessions()) != 1 {
			t.Errorf("the unchanged request is answered %q, %d sessions", a.Code, len(h.sessions()))
		}
		h.probe.Do(h.probe.Request(proto.OpBye, "honest", nil))
		h.Until("the session is over", func() bool { return len(h.sessions()) == 0 })
	})
	for name, swap := range map[string]struct{ offer, answer bool }{
		"for the camera": {offer: true}, "for the viewer": {answer: true},
	} {
		t.Run(name, func(t *testing.T) {
			v := hostile.NewViewer(t)
			body := v.LiveRequest()
			if swap.offer {
				body.SDP = swapFingerprint(body.SDP)
			}
			h.probe.Hello()
			sdp := liveAnswer(t, h.probe.Do(h.probe.Request(proto.OpLive, strings.ReplaceAll(name, " ", "-"), body)))
			if swap.answer {
				sdp = swapFingerprint(sdp)
			}
			v.Answer(sdp)
			v.State(webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed)
			h.Until("camd has given the session up", func() bool { return len(h.sessions()) == 0 })
			if n := v.Packets.Load(); n != 0 {
				t.Errorf("%d packets came over a connection that nobody vouches for", n)
			}
		})
	}
	t.Run("control", func(t *testing.T) {
		v := hostile.NewViewer(t)
		h.probe.Hello()
		v.Answer(liveAnswer(t, h.probe.Do(h.probe.Request(proto.OpLive, "control", v.LiveRequest()))))
		v.State(webrtc.PeerConnectionStateConnected)
		h.Until("packets come", func() bool { return v.Packets.Load() > 0 })
	})
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
	return strings.ReplaceAll(sdp, old, "00"+old[2:])
}
