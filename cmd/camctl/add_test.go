package main

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

// cardOf makes a camera card for keys by another member, whom nobody has to believe.
func cardOf(t *testing.T, card envelope.CameraCard, identity *ecdsa.PrivateKey, keys *home.Keys) string {
	t.Helper()
	by, err := home.NewKeys()
	fail(t, err)
	own, err := by.Card()
	fail(t, err)
	spki, err := x509.MarshalPKIXPublicKey(&identity.PublicKey)
	fail(t, err)
	enc, err := ecdh.P256().GenerateKey(rand.Reader)
	fail(t, err)
	logKey, _, err := ed25519.GenerateKey(rand.Reader)
	fail(t, err)
	trio, err := envelope.SignTrio(envelope.Trio{Device: card.Device, Epoch: card.Epoch, Sig: &identity.PublicKey, Enc: enc.PublicKey(), Log: logKey}, identity)
	fail(t, err)
	card.Key, card.By, card.Identity, card.Trio = string(own), "Eve", spki, string(trio)
	sealed, err := envelope.SealCard(card, by.Signer(), keys.Opener().PublicKey())
	fail(t, err)
	path := filepath.Join(t.TempDir(), "a.card")
	fail(t, os.WriteFile(path, sealed, 0o600))
	return path
}

func fail(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestCardSaysWhatItReplaces(t *testing.T) {
	dir := t.TempDir()
	h, err := home.Open(dir)
	fail(t, err)
	keys, err := h.Keys()
	fail(t, err)
	identity, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	fail(t, err)
	first := envelope.CameraCard{Device: proto.NewDeviceID(), Camera: "Hall", Epoch: 1, Member: "Anna", Role: proto.RoleOwner,
		Broker: envelope.BrokerLogin{URL: "mqtts://good.example:8883", User: "anna", Password: "a"}}
	second := first
	second.Camera, second.Role, second.Broker = "Kitchen", proto.RoleGuest, envelope.BrokerLogin{URL: "mqtts://evil.example:8883", User: "anna", Password: "b"}
	add := func(card envelope.CameraCard, flags ...string) (code int, said string) {
		var out, errOut bytes.Buffer
		code = execute(t.Context(), append([]string{"--home", dir, "add", cardOf(t, card, identity, keys)}, flags...), &out, &errOut)
		return code, errOut.String()
	}
	if code, said := add(first, "--yes"); code != 0 || said != "" {
		t.Fatalf("add = %d, %q", code, said)
	}
	want := []string{"The camera Hall is known already", "camera: Kitchen, so far Hall", "you: Anna (guest), so far Anna (owner)",
		"broker: mqtts://evil.example:8883, so far mqtts://good.example:8883", "login and certificates"}
	for _, flags := range [][]string{nil, {"--yes"}, {"--yes", "--json"}} { // who is asked here, at no terminal, says no
		code, said := add(second, flags...)
		if (code == 0) != (flags != nil) {
			t.Errorf("add %v = %d", flags, code)
		}
		if len(flags) < 2 {
			for _, w := range want {
				if !strings.Contains(said, w) {
					t.Errorf("add %v says %q, want %q", flags, said, w)
				}
			}
		}
		r, err := h.Camera("")
		fail(t, err)
		if (r.Name == "Hall") != (flags == nil) {
			t.Errorf("add %v leaves %q", flags, r.Name)
		}
	}
	if _, said := add(second, "--yes"); !strings.Contains(said, "nothing changes") {
		t.Errorf("the same again: %q", said)
	}
}

func TestReadCard(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const link = "https://cameras.example.org/#card=eyJh.eyJi.c"
	for _, arg := range []string{link, write("link", link), write("card", "eyJh.eyJi.c")} {
		if card, err := readCard(arg); err != nil || string(card) != "eyJh.eyJi.c" {
			t.Errorf("%s: %q, %v", arg, card, err)
		}
	}
	if _, err := readCard(filepath.Join(dir, "none")); err == nil {
		t.Error("a file that is not there is no error")
	}
}
