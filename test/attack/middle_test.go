package attack

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"net"
	"testing"

	"github.com/flynn/noise"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/test/rig"
)

// shake does the pairing handshake by hand (docs/protocol.md 3.3, 3.4) for somebody
// who knows the label's secret, and gives what reads the peer's messages, what writes
// to it, and h.
func shake(t *testing.T, conn pairing.Conn, label pairing.Label, initiator bool) (read func() []byte, write func([]byte), hash string) {
	t.Helper()
	salt := sha256.Sum256([]byte(label.Device))
	psk, err := hkdf.Key(sha256.New, label.Secret[:], salt[:], "camd/pair/psk/1", 32)
	must(t, err)
	hs, err := noise.NewHandshakeState(noise.Config{
		CipherSuite: noise.NewCipherSuite(noise.DH25519, noise.CipherAESGCM, noise.HashSHA256),
		Pattern:     noise.HandshakeNN, Initiator: initiator, Prologue: []byte("camd-pair-v1"), PresharedKey: psk,
	})
	must(t, err)
	var up, down *noise.CipherState // from the client, and to it
	for turn := range 2 {
		if (turn == 0) == initiator {
			var m []byte
			m, up, down, err = hs.WriteMessage(nil, nil)
			must(t, err)
			must(t, conn.WriteMessage(m))
			continue
		}
		m, err := conn.ReadMessage()
		must(t, err)
		_, up, down, err = hs.ReadMessage(nil, m)
		must(t, err)
	}
	in, out := up, down
	if initiator {
		in, out = down, up
	}
	read = func() []byte {
		m, err := conn.ReadMessage()
		must(t, err)
		plain, err := in.Decrypt(nil, nil, m)
		must(t, err)
		return plain
	}
	write = func(plain []byte) {
		m, err := out.Encrypt(nil, nil, plain)
		must(t, err)
		must(t, conn.WriteMessage(m))
	}
	return read, write, base64.RawURLEncoding.EncodeToString(hs.ChannelBinding())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// hello is the camera's first message, as its claims.
type hello struct {
	Type string `json:"t"`
	JWS  string `json:"jws"`
}

// counted is the client's end of a connection, which knows what was sent.
type counted struct {
	pairing.Conn
	sent [][]byte
}

// WriteMessage counts.
func (c *counted) WriteMessage(m []byte) error {
	c.sent = append(c.sent, m)
	return c.Conn.WriteMessage(m)
}

// TestT11 has someone in the middle who has photographed the label, and who can talk
// to the real camera in its pairing window.
func TestT11SomeoneInTheMiddleGetsNoByteOfTheClient(t *testing.T) {
	r := rig.New(t, synthetic)
	r.Start()
	r.Online()
	r.OpenWindow("Anna")
	genuine := helloOf(t, r)
	key, chain := identity(t)
	trio, err := envelope.SignTrio(envelope.Trio{Device: r.Label.Device, Epoch: 1, Sig: &key.PublicKey, Enc: newKeys(t).Opener().PublicKey(), Log: make([]byte, 32)}, key)
	must(t, err)
	var claims map[string]any
	must(t, envelope.Peek([]byte(genuine.JWS), typeHello, &claims))
	with := func(by crypto.Signer, change map[string]any) func(string) string {
		return func(h string) string {
			c := map[string]any{"h": h, "deviceId": claims["deviceId"], "x5c": claims["x5c"], "trio": claims["trio"], "ep": claims["ep"], "owned": false}
			for k, v := range change {
				c[k] = v
			}
			jws, err := envelope.Sign(typeHello, "", c, by)
			must(t, err)
			return string(jws)
		}
	}
	theirs := base64.StdEncoding.EncodeToString(chain)
	for name, say := range map[string]func(h string) string{
		"an identity of its own":                with(key, map[string]any{"x5c": []string{theirs}, "trio": string(trio)}),
		"the camera's trio under its own key":   with(key, map[string]any{"x5c": []string{theirs}}),
		"the camera's certificate":              with(key, nil),
		"the camera's certificate and own trio": with(key, map[string]any{"trio": string(trio)}),
		"the camera's certificate as issuer":    with(key, map[string]any{"x5c": []any{theirs, claims["x5c"].([]any)[0]}}),
		"the camera's own hello, passed on":     func(string) string { return genuine.JWS },
		"nothing signed at all":                 func(string) string { return "" },
	} {
		t.Run(name, func(t *testing.T) {
			ours, far := net.Pipe()
			conn, keys, paired := &counted{Conn: pairing.NewFramed(ours)}, newKeys(t), make(chan error, 1)
			go func() {
				_, err := client.Pair(t.Context(), conn, r.Label, keys, home.Broker{}, nil)
				_ = ours.Close()
				paired <- err
			}()
			_, write, h := shake(t, pairing.NewFramed(far), r.Label, false)
			text, err := json.Marshal(hello{"device", say(h)})
			must(t, err)
			write(text)
			if n, err := far.Read(make([]byte, 1)); n > 0 || !errors.Is(err, io.EOF) {
				t.Errorf("the client sent something, or did not hang up: %v", err)
			}
			_ = far.Close()
			if err := <-paired; err == nil {
				t.Error("the client paired with someone in the middle")
			}
			if len(conn.sent) != 1 || len(conn.sent[0]) != 48 {
				t.Errorf("the client sent %d messages, want the handshake's first alone", len(conn.sent))
			}
		})
	}
	h := &house{Rig: r, t: t}
	h.sees(r.Owner())
}

const typeHello = "camd-pair-dev+jwt"

// helloOf is what the camera says to someone who knows the label's secret.
func helloOf(t *testing.T, r *rig.Rig) (h hello) {
	t.Helper()
	conn, err := client.Join(t.Context(), r.Socket)
	must(t, err)
	defer conn.Close()
	read, _, _ := shake(t, conn, r.Label, true)
	must(t, json.Unmarshal(read(), &h))
	return h
}

// identity makes a key and a certificate for it, as a camera has them.
func identity(t *testing.T) (*ecdsa.PrivateKey, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	return key, der
}
