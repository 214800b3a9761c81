package interop

import (
	"context"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/setup/code"
)

const testDevice = proto.DeviceID("camdtestdevice222222222222")

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func certificateOf(t *testing.T, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(1700000000, 0), NotAfter: time.Unix(4000000000, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// pageKeys are a page's, which both sides have.
type pageKeys struct{ sig, enc *ecdsa.PrivateKey }

func (c pageKeys) public(t *testing.T) envelope.PublicKey {
	t.Helper()
	enc, err := c.enc.PublicKey.ECDH()
	if err != nil {
		t.Fatal(err)
	}
	return envelope.PublicKey{Sig: &c.sig.PublicKey, Enc: enc}
}

// MarshalJSON writes the two as JWKs with their private part.
func (c pageKeys) MarshalJSON() ([]byte, error) {
	var out []map[string]string
	for _, key := range []*ecdsa.PrivateKey{c.sig, c.enc} {
		point, err := key.PublicKey.Bytes()
		if err != nil {
			return nil, err
		}
		d, err := key.Bytes()
		if err != nil {
			return nil, err
		}
		text := base64.RawURLEncoding.EncodeToString
		out = append(out, map[string]string{"kty": "EC", "crv": "P-256", "x": text(point[1:33]), "y": text(point[33:]), "d": text(d)})
	}
	return json.Marshal(out)
}

// takeKeys makes of them what a browser has.
const takeKeys = `import { Keys } from './setup/jose.js';
	import { readLabel } from './setup/label.js';
	const pairOf = async ({ d, ...jwk }, name, uses) => ({
		privateKey: await crypto.subtle.importKey('jwk', { ...jwk, d }, { name, namedCurve: 'P-256' }, false, uses),
		publicKey: await crypto.subtle.importKey('jwk', jwk, { name, namedCurve: 'P-256' }, true, []),
	});
	const keys = await Keys.of(await pairOf(input.keys[0], 'ECDSA', ['sign']), await pairOf(input.keys[1], 'ECDH', ['deriveBits']));
`

// TestThePagesCodeHasTheVectors seals the bodies of docs/protocol.md 3.12.6.
func TestThePagesCodeHasTheVectors(t *testing.T) {
	text, err := os.ReadFile("../../pkg/setup/code/testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	type sealed struct {
		Name  string
		Parts []string
	}
	var v struct {
		Codes []struct {
			Hash  string
			Parts []string
		}
	}
	if err := json.Unmarshal(text, &v); err != nil || len(v.Codes) != 3 {
		t.Fatal(v, err)
	}
	got := page[[]sealed](t, json.RawMessage(text), `import { seal } from './setup/code.js';
		import { Label } from './setup/label.js';
		const label = new Label(input.deviceId, bytes(input.secret));
		const output = await Promise.all(input.codes.map((c) => seal(label, bytes(c.body), bytes(c.nonce))));`)
	for i, c := range v.Codes {
		if got[i].Name != c.Hash || !slices.Equal(got[i].Parts, c.Parts) {
			t.Errorf("code %d is %+v", i, got[i])
		}
	}
}

// TestTheCameraOpensThePagesCode has the camera's own package open what the page makes.
func TestTheCameraOpensThePagesCode(t *testing.T) {
	keys, identity := pageKeys{newKey(t), newKey(t)}, newKey(t)
	label, err := pairing.NewLabel(testDevice, pairing.NewSecret(), identity.Public())
	if err != nil {
		t.Fatal(err)
	}
	ca := certificateOf(t, newKey(t))
	want := []code.Body{
		{},
		{WiFi: &code.WiFi{SSID: []byte("Änne"), Password: "correct horse"}, Broker: &code.Broker{URL: "mqtts://broker.home:8883", CA: ca},
			EST: &code.EST{URL: "https://est.home/.well-known/est", User: "camera", Password: "once"}},
		{WiFi: &code.WiFi{SSID: []byte{0xff, 0, 1}, Hidden: true, OpenOK: true}, Broker: &code.Broker{URL: "mqtts://10.0.0.2", ViewerURL: "mqtts://10.0.0.2:8884", ServerName: "broker.home"},
			Login: &code.Login{Chain: [][]byte{ca, ca[:30]}, Key: make([]byte, code.ScalarSize)}},
	}
	got := page[[]struct {
		Name  string
		Parts []string
	}](t, map[string]any{"keys": keys, "label": label.Text(), "ca": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca})), "der": fmt.Sprintf("%x", ca)},
		takeKeys+`import { makeCode } from './setup/code.js';
		const der = bytes(input.der), label = readLabel(input.label);
		const output = [await makeCode(label, keys), await makeCode(label, keys, {
			wifi: { ssid: 'Änne', password: 'correct horse', security: 'wpa2' }, broker: { url: 'mqtts://broker.home:8883', viewerUrl: '', ca: input.ca },
			est: { url: 'https://est.home/.well-known/est', user: 'camera', password: 'once' },
		}), await makeCode(label, keys, {
			wifi: { ssid: Uint8Array.of(255, 0, 1), hidden: true, openOk: true }, broker: { url: 'mqtts://10.0.0.2', viewerUrl: 'mqtts://10.0.0.2:8884', serverName: 'broker.home' },
			login: { chain: [der, der.subarray(0, 30)], key: new Uint8Array(32) },
		})];`)
	for i, g := range got {
		var c code.Collector
		var sealed code.Sealed
		for _, p := range g.Parts {
			if sealed, _, err = c.Add(p); err != nil {
				t.Fatal(err)
			}
		}
		b, err := code.Open(label.Secret, testDevice, sealed)
		if err != nil || sealed.Hash() != g.Name {
			t.Fatalf("code %d, called %s: %v", i, g.Name, err)
		}
		card, err := envelope.ShortCard{Sig: b.Sig, Enc: b.Enc, Signature: b.Proof}.Long()
		if err != nil {
			t.Fatal(err)
		}
		if key, err := envelope.VerifyKeyCard(card); err != nil || !key.Equal(keys.public(t)) {
			t.Errorf("code %d is another client's: %v", i, err)
		}
		b.Sig, b.Enc, b.Proof = nil, nil, nil
		if !reflect.DeepEqual(b, want[i]) {
			t.Errorf("code %d says another thing", i)
		}
	}
}

func TestThePageMakesNoCodeThatNoCameraTakes(t *testing.T) {
	label, err := pairing.NewLabel(testDevice, pairing.NewSecret(), newKey(t).Public())
	if err != nil {
		t.Fatal(err)
	}
	got := page[[]string](t, map[string]any{"keys": pageKeys{newKey(t), newKey(t)}, "label": label.Text()}, takeKeys+`import { makeCode } from './setup/code.js';
		const label = readLabel(input.label), broker = { url: 'mqtts://a' }, wifi = { ssid: 'x' }, long = 'x'.repeat(260), key = new Uint8Array(32), der = new Uint8Array(1000);
		const output = await Promise.all([
			{ wifi: { ssid: 'x', password: 'short' } }, { broker: { url: 'a' } }, { broker: { ...broker, serverName: 'a\nb' } }, { broker: { ...broker, serverName: 'é'.repeat(130) } },
			{ broker: { ...broker, ca: 'no certificate' } }, { est: { url: 'https://e' }, login: { chain: [der], key } }, { login: { chain: [], key } },
			{ login: { chain: [new Uint8Array(1025)], key } }, { login: { chain: [der], key: new Uint8Array(31) } }, { login: { chain: [der, der, der, der], key } },
			{ login: { chain: [der, der, der], key } }, { est: { url: 'https://e', user: 'a\x7f' } },
		].map((settings) => says(async () => (await makeCode(label, keys, settings)).name)));`)
	for i, s := range got {
		if !strings.HasPrefix(s, "wifi_password: ") && !strings.HasPrefix(s, "bad_request: ") {
			t.Errorf("settings %d: %s", i, s)
		}
	}
}

// camera is what a device says of itself.
func camera(t *testing.T, identity, household *ecdsa.PrivateKey) pairing.Device {
	t.Helper()
	enc, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	trio, err := envelope.SignTrio(envelope.Trio{Device: testDevice, Epoch: 3, Sig: &household.PublicKey, Enc: enc.PublicKey(), Log: make([]byte, 32)}, identity)
	if err != nil {
		t.Fatal(err)
	}
	return pairing.Device{ID: testDevice, Identity: identity, Chain: [][]byte{certificateOf(t, identity)}, Trio: trio, Epoch: 3, Household: household}
}

// TestThePageBelievesTheCameraOfTheLabel has the camera's own package answer a code, and
// others who have seen it. T11
func TestThePageBelievesTheCameraOfTheLabel(t *testing.T) {
	const shown = "GeDzjj127GkcmI4FYA5m85YRge5vRLMSy7iS6FFjRTA"
	identity, impostor, household := newKey(t), newKey(t), newKey(t)
	keys, other := pageKeys{newKey(t), newKey(t)}, pageKeys{newKey(t), newKey(t)}
	label, err := pairing.NewLabel(testDevice, pairing.NewSecret(), identity.Public())
	if err != nil {
		t.Fatal(err)
	}
	says := func(d pairing.Device, name string, to pageKeys) string {
		t.Helper()
		m, err := d.Confirm(name, to.public(t), pairing.Receipt{Role: proto.RoleOwner, Name: "Anna\u202e", Broker: envelope.BrokerLogin{URL: "mqtts://broker"}})
		if err != nil {
			t.Fatal(err)
		}
		return string(m)
	}
	good, bad := camera(t, identity, household), camera(t, impostor, household)
	stolen := bad
	stolen.Chain = good.Chain
	mixed := good
	mixed.Trio = bad.Trio
	unsigned := good
	unsigned.Household = impostor
	elsewhere := good
	elsewhere.Epoch = 4
	answer, err := envelope.SealAnswer(proto.Answer{}, household, keys.public(t).Enc)
	if err != nil {
		t.Fatal(err)
	}
	right := says(good, shown, keys)
	messages := []string{right, says(bad, shown, keys), says(stolen, shown, keys), says(mixed, shown, keys), says(unsigned, shown, keys), says(elsewhere, shown, keys),
		says(good, "another", keys), says(good, shown, other), string(answer), "{}", "", right[:len(right)-1], right + ".", strings.Repeat("A", 16385)}
	want := []string{"taken", "identity", "tampered", "tampered", "tampered", "tampered", "", "", "", "", "", "", "", ""}
	type result struct {
		Says string
		Card struct {
			Device, Identity, Trio, Member, Role string
			Epoch                                uint64
			Broker                               envelope.BrokerLogin
		}
	}
	for _, text := range []string{label.Text(), label.TypedText()} {
		got := page[[]result](t, map[string]any{"keys": keys, "label": text, "messages": messages, "name": shown}, takeKeys+`import { readAnswer } from './setup/code.js';
			import { anyLabel } from './setup/label.js';
			const label = anyLabel(input.label).of('`+string(testDevice)+`');
			const output = await Promise.all(input.messages.map(async (m) => {
				let card;
				const text = await says(async () => { card = await readAnswer(m, label, keys, input.name); return card ? 'taken' : ''; });
				return { says: text.split(':')[0], card };
			}));`)
		for i, g := range got {
			if g.Says != want[i] {
				t.Errorf("message %d: %q, want %q", i, g.Says, want[i])
			}
		}
		spki, err := x509.MarshalPKIXPublicKey(identity.Public())
		if err != nil {
			t.Fatal(err)
		}
		if c := got[0].Card; c.Device != string(testDevice) || c.Identity != base64.StdEncoding.EncodeToString(spki) || c.Trio != string(good.Trio) || c.Epoch != 3 ||
			c.Member != `Anna\u202e` || c.Role != "owner" || c.Broker.URL != "mqtts://broker" {
			t.Errorf("the card: %+v", c)
		}
	}
}

// counted counts what the page sends.
type counted struct {
	pairing.Conn
	got int
}

func (c *counted) ReadMessage() ([]byte, error) {
	m, err := c.Conn.ReadMessage()
	if err == nil {
		c.got++
	}
	return m, err
}

// TestThePageTellsNobodyElse: of a page that meets another device than that of its label
// nothing comes after the handshake; who lacks the secret doesn't even get that answered. T11
func TestThePageTellsNobodyElse(t *testing.T) {
	identity, impostor, household := newKey(t), newKey(t), newKey(t)
	label, err := pairing.NewLabel(testDevice, pairing.NewSecret(), identity.Public())
	if err != nil {
		t.Fatal(err)
	}
	good, bad := camera(t, identity, household), camera(t, impostor, household)
	stolen, mixed, elsewhere, other := bad, good, good, good
	stolen.Chain = good.Chain
	mixed.Trio = bad.Trio
	elsewhere.Epoch = 4
	other.Secret[0]++
	for name, c := range map[string]struct {
		device pairing.Device
		says   string
		sent   int
	}{
		"the camera":             {good, "owner", 3},
		"another identity":       {bad, "identity", 1},
		"a stolen certificate":   {stolen, "tampered", 1},
		"somebody else's trio":   {mixed, "tampered", 1},
		"another epoch":          {elsewhere, "tampered", 1},
		"another label's secret": {other, "Error", 1},
	} {
		d := c.device
		for i, b := range label.Secret {
			d.Secret[i] += b
		}
		d.Enroll = func(context.Context, envelope.PublicKey, []byte) (pairing.Receipt, error) {
			return pairing.Receipt{Role: proto.RoleOwner, Name: "Anna"}, nil
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		sent := make(chan int, 1)
		go func() {
			conn, err := l.Accept()
			if err != nil {
				sent <- -1
				return
			}
			n := &counted{Conn: pairing.NewFramed(conn)}
			_, _ = pairing.Respond(t.Context(), n, d) // the page is asked how it went
			_ = conn.Close()
			sent <- n.got
		}()
		says := page[string](t, map[string]any{"keys": pageKeys{newKey(t), newKey(t)}, "label": label.Text(), "port": l.Addr().(*net.TCPAddr).Port}, takeKeys+`import { connect } from 'node:net';
			import { pair } from './setup/pairing.js';
			const socket = connect(input.port, '127.0.0.1');
			let held = Buffer.alloc(0);
			const chunks = socket[Symbol.asyncIterator]();
			const take = async (n) => {
				while (held.length < n) {
					const { value, done } = await chunks.next();
					if (done) throw new Error('hung up');
					held = Buffer.concat([held, value]);
				}
				const out = held.subarray(0, n);
				held = held.subarray(n);
				return out;
			};
			const conn = {
				send: (m) => socket.write(Buffer.concat([Uint8Array.of(0, 0, m.length >> 8, m.length), m])),
				receive: async () => take((await take(4)).readUInt32BE()),
			};
			const output = (await says(async () => (await pair(conn, readLabel(input.label), keys)).role)).split(':')[0];
			socket.destroy();`)
		if n := <-sent; says != c.says || n != c.sent {
			t.Errorf("%s: the page says %q and has sent %d messages, want %q and %d", name, says, n, c.says, c.sent)
		}
		_ = l.Close()
	}
}
