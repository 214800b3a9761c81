package pki

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/proto"
)

func testCA(t *testing.T) *CA {
	t.Helper()
	ca, err := NewCA("test")
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func must(t *testing.T) func(tls.Certificate, error) tls.Certificate {
	return func(c tls.Certificate, err error) tls.Certificate {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}

func verify(ca *CA, cert tls.Certificate, name string, use x509.ExtKeyUsage) error {
	_, err := cert.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: ca.Pool(), KeyUsages: []x509.ExtKeyUsage{use}})
	return err
}

func TestServerIsValidForItsHostsOnly(t *testing.T) {
	ca := testCA(t)
	cert := must(t)(ca.Server("localhost", "127.0.0.1", "::1"))
	for name, want := range map[string]bool{"localhost": true, "127.0.0.1": true, "::1": true, "example.org": false, "127.0.0.2": false} {
		if err := verify(ca, cert, name, x509.ExtKeyUsageServerAuth); (err == nil) != want {
			t.Errorf("verify for %s: %v, want ok=%v", name, err, want)
		}
	}
	if err := verify(ca, cert, "localhost", x509.ExtKeyUsageClientAuth); err == nil {
		t.Error("a broker's certificate serves as a client's")
	}
	if err := verify(testCA(t), cert, "localhost", x509.ExtKeyUsageServerAuth); err == nil {
		t.Error("another authority of the same name verifies it")
	}
}

func TestClientNames(t *testing.T) {
	ca := testCA(t)
	dev, cli := proto.NewDeviceID(), proto.ClientID(strings.Repeat("A", 43))
	for _, c := range []struct {
		cert    tls.Certificate
		cn, uri string
	}{
		{must(t)(ca.Device(dev, nil)), string(dev), "urn:camd:device:" + string(dev)},
		{must(t)(ca.Viewer(cli)), string(cli), "urn:camd:client:" + string(cli)},
	} {
		if err := verify(ca, c.cert, "", x509.ExtKeyUsageClientAuth); err != nil {
			t.Errorf("%s: %v", c.cn, err)
		}
		want, err := url.Parse(c.uri)
		if err != nil {
			t.Fatal(err)
		}
		if l := c.cert.Leaf; l.Subject.CommonName != c.cn || len(l.URIs) != 1 || *l.URIs[0] != *want {
			t.Errorf("names are %s %v, want %s %s", l.Subject.CommonName, l.URIs, c.cn, c.uri)
		}
	}
}

func TestExistingKeyIsUsed(t *testing.T) {
	ca := testCA(t)
	key, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	dev := proto.NewDeviceID()
	if cert := must(t)(ca.Device(dev, key)); !key.PublicKey.Equal(cert.Leaf.PublicKey) {
		t.Error("Device made another key")
	}
}

func TestBetween(t *testing.T) {
	ca := testCA(t)
	now := time.Now()
	for name, span := range map[string][2]time.Time{
		"expired":       {now.Add(-2 * time.Hour), now.Add(-time.Hour)},
		"not yet valid": {now.Add(time.Hour), now.Add(2 * time.Hour)},
	} {
		cert := must(t)(ca.Between(span[0], span[1]).Client("x"))
		var invalid x509.CertificateInvalidError
		if err := verify(ca, cert, "", x509.ExtKeyUsageClientAuth); !errors.As(err, &invalid) || invalid.Reason != x509.Expired {
			t.Errorf("%s: verify = %v, want Expired", name, err)
		}
	}
}

func TestWritePair(t *testing.T) {
	ca, dir := testCA(t), t.TempDir()
	for range 2 { // the second replaces
		crt, key, err := WritePair(dir, "client", must(t)(ca.Client("x")))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tls.LoadX509KeyPair(crt, key); err != nil {
			t.Error(err)
		}
		if st, err := os.Stat(key); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("mode of the key is %v (%v), want 0600", st.Mode(), err)
		}
	}
	if _, err := WriteCA(dir, "ca", ca); err != nil {
		t.Error(err)
	}
	if l, err := os.ReadDir(dir); err != nil || len(l) != 3 {
		t.Errorf("the folder holds %v (%v), want 3 files", l, err)
	}
	if _, _, err := WritePair(dir+"/missing", "client", must(t)(ca.Client("x"))); err == nil {
		t.Error("WritePair into a missing folder succeeds")
	}
}

func TestErrorsHoldNoTemporaryName(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "ca.crt", "in"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string]string{"over a folder": dir, "in no folder": filepath.Join(dir, "no")} {
		_, err := write(in, "ca.crt", nil, 0o600)
		if err == nil || !strings.Contains(err.Error(), filepath.Join(in, "ca.crt")) || strings.Contains(err.Error(), "/.") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
