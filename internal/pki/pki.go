// Package pki makes the certificates of a broker of camd: a P-256 authority, the broker's
// certificate, client certificates with the names of devices and viewers, and the list of
// revoked ones.
//
// NewCA is for the demo, the lab and tests: its key is in memory, and everything is valid for a
// day. A Folder is the authority of a broker's operator, for camops pki; its key is a plain
// file with mode 0600. The package starts no goroutine.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/camd-project/camd/pkg/proto"
)

// The validity of a throw-away certificate, unless Between sets another. The hour before now is
// for machines whose clocks differ.
const (
	backdate = time.Hour
	lifetime = 24 * time.Hour
)

// CA is an authority whose key is in memory.
type CA struct {
	certificate *x509.Certificate
	key         crypto.Signer
	from, until time.Time // validity of what it signs
}

// NewCA returns a throw-away authority with a new P-256 key.
func NewCA(name string) (*CA, error) { return newCA(name, lifetime) }

func newCA(name string, lasts time.Duration) (*CA, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	t := &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(lasts),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("sign authority %s: %w", name, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("parse authority %s: %w", name, err)
	}
	return &CA{certificate: cert, key: key, from: t.NotBefore, until: t.NotAfter}, nil
}

// Between returns the same authority with another validity, so that tests can make expired and
// not yet valid certificates.
func (c *CA) Between(from, until time.Time) *CA {
	other := *c
	other.from, other.until = from, until
	return &other
}

// PEM returns the authority's certificate.
func (c *CA) PEM() []byte { return certPEM(c.certificate.Raw) }

// Pool returns a pool that trusts this authority alone.
func (c *CA) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(c.certificate)
	return p
}

// Server makes a broker's certificate, with a new key, for the given host names
// and IP addresses. The first is also the common name.
func (c *CA) Server(hosts ...string) (tls.Certificate, error) {
	t := &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	if len(hosts) > 0 {
		t.Subject.CommonName = hosts[0]
	}
	return c.withNewKey(t)
}

// Client makes a client's certificate, with a new key, for a common name and any
// URI names.
func (c *CA) Client(cn string, uris ...string) (tls.Certificate, error) {
	t, err := clientTemplate(cn, uris)
	if err != nil {
		return tls.Certificate{}, err
	}
	return c.withNewKey(t)
}

// ClientFor is Client for a key that exists already, such as a device identity.
func (c *CA) ClientFor(key crypto.Signer, cn string, uris ...string) (tls.Certificate, error) {
	t, err := clientTemplate(cn, uris)
	if err != nil {
		return tls.Certificate{}, err
	}
	return c.certificateFor(key, t)
}

// Device makes a device's certificate for its identity key; nil makes a new key.
func (c *CA) Device(id proto.DeviceID, key crypto.Signer) (tls.Certificate, error) {
	if key == nil {
		return c.Client(string(id), DeviceURI(id))
	}
	return c.ClientFor(key, string(id), DeviceURI(id))
}

// Viewer makes a viewer's certificate with a new key: the broker login is not
// the key that signs requests.
func (c *CA) Viewer(id proto.ClientID) (tls.Certificate, error) {
	return c.Client(string(id), ClientURI(id))
}

// DeviceURI returns the URI name in a device's certificate.
func DeviceURI(id proto.DeviceID) string { return "urn:camd:device:" + string(id) }

// ClientURI returns the URI name in a viewer's certificate.
func ClientURI(id proto.ClientID) string { return "urn:camd:client:" + string(id) }

func newKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	return key, nil
}

func clientTemplate(cn string, uris []string) (*x509.Certificate, error) {
	t := &x509.Certificate{
		Subject:     pkix.Name{CommonName: cn},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, s := range uris {
		u, err := url.Parse(s)
		if err != nil {
			return nil, fmt.Errorf("parse URI name: %w", err)
		}
		t.URIs = append(t.URIs, u)
	}
	return t, nil
}

func (c *CA) withNewKey(t *x509.Certificate) (tls.Certificate, error) {
	key, err := newKey()
	if err != nil {
		return tls.Certificate{}, err
	}
	return c.certificateFor(key, t)
}

func (c *CA) certificateFor(key crypto.Signer, t *x509.Certificate) (tls.Certificate, error) {
	der, err := c.sign(t, key.Public())
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("parse certificate of %s: %w", t.Subject.CommonName, err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

func (c *CA) sign(t *x509.Certificate, key crypto.PublicKey) ([]byte, error) {
	t.NotBefore, t.NotAfter = c.from, c.until
	t.KeyUsage = x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, t, c.certificate, key, c.key)
	if err != nil {
		return nil, fmt.Errorf("sign certificate of %s: %w", t.Subject.CommonName, err)
	}
	return der, nil
}

func certPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
