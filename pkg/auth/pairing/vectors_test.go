package pairing

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/flynn/noise"
)

var update = flag.Bool("update", false, "write testdata/transcript.json and setup.json anew")

// The vectors: a pairing that sets nothing, and one that first asks, then sets what does
// not work, and then what does.
const (
	transcriptFile = "testdata/transcript.json"
	setupFile      = "testdata/setup.json"
)

// transcript is the shape of testdata/transcript.json, docs/protocol.md 3.10: a
// whole pairing with fixed ephemeral keys and RFC 6979 signatures. The long-term
// keys are those of ../envelope/testdata/vectors.json.
type transcript struct {
	Label           string     `json:"label"`
	Typed           string     `json:"typed"`
	PSK             string     `json:"psk"`             // hex
	ClientEphemeral string     `json:"clientEphemeral"` // X25519 private key, hex
	DeviceEphemeral string     `json:"deviceEphemeral"`
	Hash            string     `json:"h"`
	Messages        []exchange `json:"messages"`
}

// exchange is one message: what is written to the transport, and what it decrypts to.
type exchange struct {
	From  string `json:"from"`
	Wire  string `json:"wire"`            // hex, without the frame's length
	Plain string `json:"plain,omitempty"` // none in the handshake's two
}

func TestTranscript(t *testing.T) {
	compareTranscript(t, transcriptFile, makeTranscript(t, newDevice(t, "device identity"), newClient(t), "cddccd"))
}

func TestSetupTranscript(t *testing.T) {
	d, c := newDevice(t, "device identity"), newClient(t)
	d.Setup, c.Setup = &fakeSetup{}, settleAtSecond
	compareTranscript(t, setupFile, makeTranscript(t, d, c, "cddc"+"cd"+"cdd"+"cd"+"cdddd"))
}

func compareTranscript(t *testing.T, file string, want transcript) {
	t.Helper()
	if *update {
		b, err := json.MarshalIndent(want, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got transcript
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	gotJSON, _ := json.Marshal(got)
	wantJSON, _ := json.Marshal(want)
	if !bytes.Equal(gotJSON, wantJSON) {
		t.Errorf("%s holds\n%s\nwant\n%s", file, gotJSON, wantJSON)
	}
}

// makeTranscript pairs; turns says who sends each message, c or d.
func makeTranscript(t *testing.T, d Device, c Client, turns string) transcript {
	t.Helper()
	clientEphemeral, deviceEphemeral := sha256.Sum256([]byte("client ephemeral")), sha256.Sum256([]byte("device ephemeral"))
	c.random, d.random = bytes.NewReader(clientEphemeral[:]), bytes.NewReader(deviceEphemeral[:])
	o := pair(t, d, c, nil, nil)
	if o.clientErr != nil || o.deviceErr != nil || len(o.fromClient) != strings.Count(turns, "c") || len(o.fromDevice) != strings.Count(turns, "d") {
		t.Fatalf("client %v, device %v, %d and %d messages", o.clientErr, o.deviceErr, len(o.fromClient), len(o.fromDevice))
	}
	psk, err := c.Label.Secret.psk(testDevice)
	if err != nil {
		t.Fatal(err)
	}
	tr := transcript{Label: c.Label.Text(), Typed: c.Label.TypedText(), PSK: hex.EncodeToString(psk),
		ClientEphemeral: hex.EncodeToString(clientEphemeral[:]), DeviceEphemeral: hex.EncodeToString(deviceEphemeral[:])}
	fromClient, toClient := tr.listen(t, psk, deviceEphemeral[:], o.fromClient[0], o.fromDevice[0])
	tr.Messages = []exchange{
		{From: "client", Wire: hex.EncodeToString(o.fromClient[0])},
		{From: "device", Wire: hex.EncodeToString(o.fromDevice[0])},
	}
	sentByClient, sentByDevice := o.fromClient[1:], o.fromDevice[1:]
	for _, who := range turns[2:] {
		from, by, sent := "client", fromClient, &sentByClient
		if who == 'd' {
			from, by, sent = "device", toClient, &sentByDevice
		}
		tr.Messages = append(tr.Messages, decrypted(t, from, by, (*sent)[0]))
		*sent = (*sent)[1:]
	}
	return tr
}

// listen repeats the device's side of the handshake to get at its keys.
func (tr *transcript) listen(t *testing.T, psk, ephemeral, first, second []byte) (fromClient, toClient *noise.CipherState) {
	t.Helper()
	hs, err := newHandshake(false, psk, bytes.NewReader(ephemeral))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := hs.ReadMessage(nil, first); err != nil {
		t.Fatal(err)
	}
	again, fromClient, toClient, err := hs.WriteMessage(nil, nil)
	if err != nil || !bytes.Equal(again, second) {
		t.Fatalf("second message %x, %v; want %x", again, err, second)
	}
	tr.Hash = base64.RawURLEncoding.EncodeToString(hs.ChannelBinding())
	return fromClient, toClient
}

func decrypted(t *testing.T, from string, by *noise.CipherState, wire []byte) exchange {
	t.Helper()
	plain, err := by.Decrypt(nil, nil, wire)
	if err != nil {
		t.Fatal(err)
	}
	return exchange{From: from, Wire: hex.EncodeToString(wire), Plain: string(plain)}
}
