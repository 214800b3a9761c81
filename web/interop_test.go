package web_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"testing"

	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

// cardScript makes a camera card for the key on its standard input, as the client of the vectors.
const cardScript = `
import { readFileSync } from 'node:fs';
import { base64 } from './setup/bytes.js';
import { Keys } from './setup/jose.js';
import { makeCard } from './src/core/card.js';
import { readKey } from './src/core/keys.js';
const v = JSON.parse(readFileSync('../pkg/auth/envelope/testdata/vectors.json', 'utf8'));
const take = (jwk, name, uses) => crypto.subtle.importKey('jwk', jwk, { name, namedCurve: 'P-256' }, true, uses);
const pair = async ({ d, ...jwk }, name, uses, open) => ({ privateKey: await take({ ...jwk, d }, name, uses), publicKey: await take(jwk, name, open) });
const keys = await Keys.of(await pair(v.keys.clientSig, 'ECDSA', ['sign'], ['verify']), await pair(v.keys.clientEnc, 'ECDH', ['deriveBits'], []));
const { publicKey } = await pair(v.keys.identity, 'ECDSA', ['sign'], ['verify']);
const record = {
  device: v.cameraCard.claims.deviceId, identity: base64(new Uint8Array(await crypto.subtle.exportKey('spki', publicKey))), trio: v.trio, epoch: v.cameraCard.claims.ep,
  member: 'Anna', broker: { url: 'mqtts://broker.example', ca: 'CA', serverName: 'home', web: 'wss://broker.example/mqtt' },
};
const { encJwk, words } = await readKey(readFileSync(0, 'utf8'));
const card = await makeCard(record, keys, { encJwk, name: 'Cara', role: 'guest', camera: 'Door', login: { user: 'cara', password: 'secret' } });
console.log(JSON.stringify({ card, words }));
`

// TestGoReadsThePagesCard has a card that the page made opened by the Go client.
func TestGoReadsThePagesCard(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("needs node, which Debian has in the package nodejs")
	}
	keys, err := home.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	own, err := keys.Card()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "--input-type=module", "-e", cardScript)
	var errOut bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewBufferString(home.FormatKey(own)), &errOut
	out, err := cmd.Output()
	var made struct{ Card, Words string }
	if err == nil {
		err = json.Unmarshal(out, &made)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, errOut.Bytes())
	}
	if want := home.Words(keys.ID()); made.Words != want {
		t.Errorf("the page shows the words %q, want %q", made.Words, want)
	}
	h, err := home.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	in, err := h.OpenCard([]byte(made.Card), keys)
	if err != nil {
		t.Fatal(err)
	}
	if in.By != "Anna" || home.Words(in.Signer) != "glad deal below market proof solution" {
		t.Errorf("the card is by %q, whose words are %q", in.By, home.Words(in.Signer))
	}
	r, want := in.Record, home.Broker{URL: "mqtts://broker.example", CA: "CA", ServerName: "home", Web: "wss://broker.example/mqtt", User: "cara", Password: "secret"}
	if r.Name != "Door" || r.Member != "Cara" || r.Role != proto.RoleGuest || r.Broker != want {
		t.Errorf("the card says %q, %q, %q and %+v", r.Name, r.Member, r.Role, r.Broker)
	}
}
