package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/camd-project/camd/pkg/proto"
)

// CertifyRequest signs the request that camd factory init leaves (PKCS #10 in PEM)
// and returns whose it is and the certificate in PEM. The request must name a device
// as camd does, and be signed by the key that it shows.
func (c *CA) CertifyRequest(text []byte) (proto.DeviceID, []byte, error) {
	id, cert, err := c.certifyRequest(text)
	if err != nil {
		return "", nil, err
	}
	return id, certPEM(cert.Raw), nil
}

// RequestOf returns which device a request, in PEM, is for.
func RequestOf(text []byte) (proto.DeviceID, error) {
	id, _, err := readRequest(text)
	return id, err
}

// readRequest reads a request that names a device as camd does, and is signed by the key
// that it shows.
func readRequest(text []byte) (proto.DeviceID, *ecdsa.PublicKey, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return "", nil, errors.New("this is no certificate request: give the device.csr that camd factory init leaves")
	}
	r, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return "", nil, fmt.Errorf("read the certificate request: %w", err)
	}
	id := proto.DeviceID(r.Subject.CommonName)
	key, ok := r.PublicKey.(*ecdsa.PublicKey)
	switch {
	case r.CheckSignature() != nil:
		return "", nil, errors.New("the certificate request is not signed by its own key")
	case !id.Valid() || len(r.URIs) != 1 || r.URIs[0].String() != DeviceURI(id):
		return "", nil, errors.New("the certificate request does not name a device as camd factory init does")
	case !ok || key.Curve != elliptic.P256():
		return "", nil, errors.New("the certificate request shows another key than one of P-256")
	}
	return id, key, nil
}

func (c *CA) certifyRequest(text []byte) (proto.DeviceID, *x509.Certificate, error) {
	id, key, err := readRequest(text)
	if err != nil {
		return "", nil, err
	}
	t, err := clientTemplate(string(id), []string{DeviceURI(id)})
	if err != nil {
		return "", nil, err
	}
	der, err := c.sign(t, key)
	if err != nil {
		return "", nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return id, cert, err
}

// CRL signs the list of certificates that are revoked, in PEM. It has no end of its
// own but the authority's: brokers refuse everyone once a list is out of date.
func (c *CA) CRL(number int64, revoked []x509.RevocationListEntry) ([]byte, error) {
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(number),
		ThisUpdate: time.Now().Add(-backdate), NextUpdate: c.certificate.NotAfter, RevokedCertificateEntries: revoked}, c.certificate, c.key)
	if err != nil {
		return nil, fmt.Errorf("sign the list of revoked certificates: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}), nil
}
