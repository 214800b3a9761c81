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

// NewKey makes an operational key. Each certificate has a key of its own, so that whoever
// copies one from the flash has it for the life of one certificate.
func NewKey() (crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the operational key: %w", err)
	}
	return key, nil
}

// Request asks for a certificate of this key (PKCS #10 in DER): its common name is the
// device's identifier and its one URI name says the same.
func Request(device proto.DeviceID, key crypto.Signer) ([]byte, error) {
	subject, err := asn1.Marshal(pkix.Name{CommonName: string(device)}.ToRDNSequence())
	if err != nil {
		return nil, fmt.Errorf("make the certificate request: %w", err)
	}
	return requestFor(device, key, subject)
}

// requestFor is Request under a subject of a certificate that there is: whoever asks for
// another one keeps it to the byte (RFC 7030 4.2.2).
func requestFor(device proto.DeviceID, key crypto.Signer, subject []byte) ([]byte, error) {
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{RawSubject: subject, URIs: []*url.URL{urn(device)}}, key)
	if err != nil {
		return nil, fmt.Errorf("make the certificate request: %w", err)
	}
	return der, nil
}

// urn is the URI that names a device in certificates.
func urn(device proto.DeviceID) *url.URL {
	return &url.URL{Scheme: "urn", Opaque: "camd:device:" + string(device)}
}
