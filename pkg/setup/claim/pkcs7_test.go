package claim

import (
	"bytes"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/camd-project/camd/pkg/setup/claim/claimtest"
)

func TestCertsOnly(t *testing.T) {
	a, b := claimtest.NewAuthority(t, "a", nil), claimtest.NewAuthority(t, "b", nil)
	for n, want := range [][]*claimtest.Authority{{}, {a}, {a, b}} {
		var msg []byte
		switch n {
		case 0:
			msg = claimtest.CertsOnly()
		case 1:
			msg = claimtest.CertsOnly(a.Certificate)
		case 2:
			msg = claimtest.CertsOnly(a.Certificate, b.Certificate)
		}
		got, err := certsOnly(msg)
		if (err == nil) != (n > 0) || len(got) != len(want) {
			t.Fatalf("%d certificates: %d, %v", n, len(got), err)
		}
		for i, c := range got {
			if !c.Equal(want[i].Certificate) {
				t.Errorf("certificate %d of %d is another one", i, n)
			}
		}
	}
	many := claimtest.CertsOnly(a.Certificate, a.Certificate)
	for range 4 { // doubled until there are more than maxSet
		l, err := certsOnly(many)
		if err != nil {
			t.Fatal(err)
		}
		many = claimtest.CertsOnly(append(l, l...)...)
	}
	good := claimtest.CertsOnly(a.Certificate)
	for name, msg := range map[string][]byte{
		"nothing": nil, "a certificate": a.Certificate.Raw, "too many": many,
		"cut short": good[:len(good)-1], "more behind it": append(bytes.Clone(good), 0),
		"another type": bytes.Replace(good, []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02}, []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x03}, 1),
		"BER":          append([]byte{0x30, 0x80}, good[4:]...),
	} {
		if got, err := certsOnly(msg); err == nil {
			t.Errorf("%s: %d certificates", name, len(got))
		}
	}
}

// OpenSSL is the peer: what it writes is read.
func TestCertsOnlyOfOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("there is no openssl")
	}
	dir := t.TempDir()
	a, b := claimtest.NewAuthority(t, "a", nil), claimtest.NewAuthority(t, "b", nil)
	file, out := filepath.Join(dir, "both.pem"), filepath.Join(dir, "both.p7")
	if err := os.WriteFile(file, append(a.PEM(), b.PEM()...), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := exec.CommandContext(t.Context(), "openssl", "crl2pkcs7", "-nocrl", "-certfile", file, "-outform", "DER", "-out", out).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	msg, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	got, err := certsOnly(msg)
	if err != nil || len(got) != 2 {
		t.Fatalf("%d certificates, %v", len(got), err)
	}
	for _, c := range got {
		if !c.Equal(a.Certificate) && !c.Equal(b.Certificate) {
			t.Error("another certificate")
		}
	}
	// And the other way round: what the tests' server writes is what OpenSSL reads.
	if err := os.WriteFile(out, claimtest.CertsOnly(a.Certificate, b.Certificate), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := exec.CommandContext(t.Context(), "openssl", "pkcs7", "-inform", "DER", "-in", out, "-print_certs").CombinedOutput()
	if err != nil || bytes.Count(text, []byte("BEGIN CERTIFICATE")) != 2 {
		t.Errorf("%v: %s", err, text)
	}
}

func TestReadAnswer(t *testing.T) {
	msg := claimtest.CertsOnly(claimtest.NewAuthority(t, "a", nil).Certificate)
	text := base64.StdEncoding.EncodeToString(msg)
	for name, c := range map[string]struct {
		text string
		good bool
	}{
		"one line":       {text, true},
		"lines":          {text[:40] + "\r\n" + text[40:80] + " \n\t" + text[80:] + "\n", true},
		"no padding":     {text[:len(text)-1] + "!", false},
		"empty":          {"", false},
		"DER":            {string(msg), false},
		"another letter": {"-" + text[1:], false},
	} {
		if _, err := readAnswer([]byte(c.text)); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzReadAnswer(f *testing.F) {
	msg := claimtest.CertsOnly(claimtest.NewAuthority(f, "a", nil).Certificate)
	f.Add([]byte(base64.StdEncoding.EncodeToString(msg)))
	f.Add([]byte("MAA="))
	f.Fuzz(func(t *testing.T, text []byte) {
		certs, err := readAnswer(text)
		if (err == nil) != (len(certs) > 0) || len(certs) > maxSet {
			t.Errorf("%d certificates, %v", len(certs), err)
		}
	})
}
