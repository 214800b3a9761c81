package link

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"strings"
	"testing"
)

// hiddenKey is like a TPM's.
type hiddenKey struct {
	crypto.Signer
	secret string
}

func (k hiddenKey) Secret() []byte { return []byte(k.secret) }

// docs/protocol.md 1.7 has these values.
func TestClientID(t *testing.T) {
	one, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), []byte(strings.Repeat("\x01", 32)))
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), []byte(strings.Repeat("\x02", 32)))
	if err != nil {
		t.Fatal(err)
	}
	const device = "abcdefghijklmnopqrstuvwxyz"
	for _, c := range []struct {
		key    crypto.Signer
		device string
		want   string
	}{
		{one, device, "SmpNYn3V67hyDwJm-EtFlw"},
		{one, strings.Repeat("a", 26), "uFdhJISI8V7MlhGk9jc9xA"},
		{other, device, "lDrL9OGAEbI6Y3H-JVFtOA"},
		{hiddenKey{one, strings.Repeat("\x01", 32)}, device, "SmpNYn3V67hyDwJm-EtFlw"},
		{ed25519.PrivateKey{}, device, ""},
	} {
		got, err := clientID(c.key, c.device)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%T of %s: %q, %v, want %q", c.key, c.device, got, err, c.want)
		}
	}
}
