package claim

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"net/url"

	"github.com/camd-project/camd/pkg/proto"
)

// NewKey returns a new operational key. Each certificate has a key of its own, so that a key
// copied from the flash is useful only as long as its certificate.
func NewKey() (crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the operational key: %w", err)
	}
	return key, nil
}

// Request returns a certificate request for the key (PKCS #10 in DER). Its common name is the
// device's identifier, and so is its only URI name.
func Request(device proto.DeviceID, key crypto.Signer) ([]byte, error) {
	subject, err := asn1.Marshal(pkix.Name{CommonName: string(device)}.ToRDNSequence())
	if err != nil {
		return nil, fmt.Errorf("make the certificate request: %w", err)
	}
	return requestFor(device, key, subject)
}

// requestFor is Request with the subject of the present certificate, which a renewal must keep
// exactly (RFC 7030 4.2.2).
func requestFor(device proto.DeviceID, key crypto.Signer, subject []byte) ([]byte, error) {
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{RawSubject: subject, URIs: []*url.URL{urn(device)}}, key)
	if err != nil {
		return nil, fmt.Errorf("make the certificate request: %w", err)
	}
	return der, nil
}

// urn returns the URI that names a device in certificates.
func urn(device proto.DeviceID) *url.URL {
	return &url.URL{Scheme: "urn", Opaque: "camd:device:" + string(device)}
}
