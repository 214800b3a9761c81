package envelope

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"testing"

	josecipher "github.com/go-jose/go-jose/v4/cipher"

	"github.com/camd-project/camd/pkg/proto"
)

const testDevice = proto.DeviceID("camdtestdevice222222222222")

// sigKey and encKey make the same key for the same name, for ever.
func sigKey(t testing.TB, name string) *ecdsa.PrivateKey {
	t.Helper()
	d := sha256.Sum256([]byte(name))
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d[:])
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func encKey(t testing.TB, name string) *ecdh.PrivateKey {
	t.Helper()
	d := sha256.Sum256([]byte(name))
	key, err := ecdh.P256().NewPrivateKey(d[:])
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func logKey(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

// fixedSigner signs by RFC 6979, so that a test vector comes out the same twice.
type fixedSigner struct{ *ecdsa.PrivateKey }

func (f fixedSigner) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return f.PrivateKey.Sign(nil, digest, opts)
}

// parties are the keys of all tests.
type parties struct {
	clientSig, hhSig, identity, stranger *ecdsa.PrivateKey
	clientEnc, hhEnc, guestEnc           *ecdh.PrivateKey
	log                                  ed25519.PrivateKey
	client                               proto.ClientID
}

func newParties(t testing.TB) parties {
	t.Helper()
	p := parties{
		clientSig: sigKey(t, "client signing"), clientEnc: encKey(t, "client encryption"),
		hhSig: sigKey(t, "household signing"), hhEnc: encKey(t, "household encryption"),
		guestEnc: encKey(t, "guest encryption"),
		identity: sigKey(t, "device identity"), stranger: sigKey(t, "stranger"), log: logKey("household log"),
	}
	id, err := Thumbprint(&p.clientSig.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	p.client = id
	return p
}

// lookup knows the client only.
func (p parties) lookup(id proto.ClientID) (*ecdsa.PublicKey, bool) {
	return &p.clientSig.PublicKey, id == p.client
}

func (p parties) trio() Trio {
	return Trio{Device: testDevice, Epoch: 3, Sig: &p.hhSig.PublicKey, Enc: p.hhEnc.PublicKey(),
		Log: p.log.Public().(ed25519.PublicKey)}
}

func (p parties) request() proto.Request {
	return proto.Request{Issuer: p.client, Audience: testDevice, Epoch: 3,
		Nonce: "AAECAwQFBgcICQoLDA0ODw", Sequence: 1700000000000001, ID: "req-1", IssuedAt: 1700000000,
		Op: proto.OpLive, Session: "s1", Body: json.RawMessage(`{"sdp":"v=0\r\n","scopes":["view"]}`)}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// rawSeal makes a JWE by hand, so that its header can be anything. header has one
// %s for the ephemeral key.
func rawSeal(t testing.TB, header, enc string, plain []byte, to *ecdh.PublicKey) string {
	t.Helper()
	eph := sigKey(t, "ephemeral")
	epk, err := SigJWK(&eph.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	epkJSON, err := json.Marshal(epk)
	if err != nil {
		t.Fatal(err)
	}
	toJWK, err := EncJWK(to)
	if err != nil {
		t.Fatal(err)
	}
	toKey, err := toJWK.Sig()
	if err != nil {
		t.Fatal(err)
	}
	size := map[string]int{"A256GCM": 32, "A128GCM": 16}[enc]
	block, err := aes.NewCipher(josecipher.DeriveECDHES(enc, nil, nil, eph, toKey, size))
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	protected := b64(fmt.Appendf(nil, header, epkJSON))
	iv := make([]byte, gcm.NonceSize())
	out := gcm.Seal(nil, iv, plain, []byte(protected))
	cut := len(out) - gcm.Overhead()
	return protected + ".." + b64(iv) + "." + b64(out[:cut]) + "." + b64(out[cut:])
}

const goodSealHeader = `{"alg":"ECDH-ES","enc":"A256GCM","cty":"JWT","epk":%s}`

// rawSign makes an ES256 JWS by hand over any header and payload.
func rawSign(t testing.TB, header, payload string, key *ecdsa.PrivateKey) string {
	t.Helper()
	input := b64([]byte(header)) + "." + b64([]byte(payload))
	sig, err := opaque{key}.SignPayload([]byte(input), "ES256")
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + b64(sig)
}

func (p parties) goodSignHeader() string {
	return `{"alg":"ES256","typ":"camd-req+jwt","kid":"` + string(p.client) + `"}`
}

func (p parties) goodPayload(t testing.TB) string {
	t.Helper()
	b, err := json.Marshal(p.request())
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
