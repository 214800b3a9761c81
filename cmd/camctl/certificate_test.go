package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/camd-project/camd/internal/pki"
	"github.com/camd-project/camd/pkg/proto"
)

// A camera gets no certificate in another one's name.
func TestACameraAsksForAnotherOnesCertificate(t *testing.T) {
	folder, err := pki.Create(filepath.Join(t.TempDir(), "pki"), "test")
	if err != nil {
		t.Fatal(err)
	}
	own, other := proto.NewDeviceID(), proto.NewDeviceID()
	request := func(id proto.DeviceID) []byte {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		name, err := url.Parse(pki.DeviceURI(id))
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: string(id)}, URIs: []*url.URL{name}}, key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	if chain, err := signed(folder, own, request(own)); err != nil || len(chain) != 1 {
		t.Errorf("its own: %v", err)
	}
	if _, err := signed(folder, own, request(other)); err == nil || !strings.Contains(err.Error(), "nothing was signed") {
		t.Errorf("another one's: %v", err)
	}
	if _, err := signed(folder, own, []byte("garbage")); err == nil {
		t.Error("garbage is signed")
	}
	issued, err := os.ReadFile(folder.Path("issued"))
	if err != nil || strings.Count(string(issued), "\n") != 1 {
		t.Errorf("signed: %q, %v", issued, err)
	}
}

func TestReadChain(t *testing.T) {
	folder, err := pki.Create(filepath.Join(t.TempDir(), "pki"), "test")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "chain.pem")
	for n, want := range map[int]string{0: "holds no PEM certificate", 1: "", 3: "", 40: "a camera takes 6000"} {
		if err := os.WriteFile(path, []byte("a line\n"+strings.Repeat(string(folder.PEM()), n)), 0o600); err != nil {
			t.Fatal(err)
		}
		chain, err := readChain(path)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) || err == nil && len(chain) != n {
			t.Errorf("%d certificates: %d, %v", n, len(chain), err)
		}
	}
	if _, err := readChain(path + "x"); err == nil || !strings.Contains(err.Error(), "can't be read") {
		t.Errorf("no file: %v", err)
	}
}
