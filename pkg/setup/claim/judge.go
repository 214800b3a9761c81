package claim

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"slices"
	"strings"
	"time"

	"github.com/camd-project/camd/pkg/foreign"
	"github.com/camd-project/camd/pkg/proto"
)

// Bounds of a chain, in certificates and in bytes of DER. docs/protocol.md 13.2.
const (
	maxChain       = 4
	maxCertificate = 3 << 10
)

// Clock returns the wall clock, and whether it is synchronised.
type Clock func() (now time.Time, synchronised bool)

// Wanted is what a chain must be for.
type Wanted struct {
	Device proto.DeviceID
	Key    crypto.PublicKey
	Clock  Clock
}

// Judge checks a chain, leaf first, each certificate in DER, and returns the leaf. The error is
// a sentence for the person who had the chain made. Only the broker knows whether it accepts
// the chain: the authority of its clients need not be its own.
func (w Wanted) Judge(chain [][]byte) (*x509.Certificate, error) {
	certs, err := parseChain(chain)
	if err != nil {
		return nil, err
	}
	leaf := certs[0]
	for _, check := range []func(*x509.Certificate) error{w.checkKey, w.checkNames, checkUsage, w.checkTimes} {
		if err := check(leaf); err != nil {
			return nil, err
		}
	}
	for i, c := range certs[1:] { // each signed the one before it
		if !bytes.Equal(certs[i].RawIssuer, c.RawSubject) || certs[i].CheckSignatureFrom(c) != nil {
			return nil, problem("Certificate %d of the chain did not sign the one before it. Give the camera's certificate first, then its issuer's, and so on.", i+2)
		}
	}
	return leaf, nil
}

func parseChain(chain [][]byte) ([]*x509.Certificate, error) {
	switch n := len(chain); {
	case n == 0:
		return nil, problem("There is no certificate in what came back.")
	case n > maxChain:
		return nil, problem("The chain has %d certificates, and the camera keeps at most %d. Leave out what the broker does not need.", n, maxChain)
	}
	certs := make([]*x509.Certificate, len(chain))
	for i, der := range chain {
		if len(der) > maxCertificate {
			return nil, problem("Certificate %d of the chain has %d bytes, and the camera reads at most %d.", i+1, len(der), maxCertificate)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, problem("Certificate %d of the chain can't be read. Give the chain as the authority made it, the camera's certificate first.", i+1)
		}
		certs[i] = c
	}
	return certs, nil
}

func (w Wanted) checkKey(leaf *x509.Certificate) error {
	key, ok := leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !key.Equal(w.Key) {
		return problem("The first certificate is for another key than the camera's. Have the camera's newest request signed, and give the camera's certificate first.")
	}
	return nil
}

// checkNames checks that the leaf has the names that a broker's rules use, and no others.
func (w Wanted) checkNames(leaf *x509.Certificate) error {
	if cn := leaf.Subject.CommonName; cn != string(w.Device) {
		return problem("The certificate is for %s, and this camera is %s. Have it made with that common name.", foreign.Name(cn), w.Device)
	}
	want, found := urn(w.Device).String(), false
	for _, u := range leaf.URIs {
		switch s := u.String(); {
		case s == want:
			found = true
		case strings.HasPrefix(strings.ToLower(s), "urn:camd:"):
			return problem("The certificate also names %s. Have one made for this camera alone.", foreign.Name(s))
		}
	}
	if !found {
		return problem("The certificate lacks the URI name %s, which the request has. Have the authority copy the names of the request.", want)
	}
	return nil
}

func checkUsage(leaf *x509.Certificate) error {
	switch {
	case leaf.IsCA:
		return problem("The certificate is an authority's, not one for a camera.")
	case leaf.KeyUsage != 0 && leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return problem("The certificate's key usage does not allow signatures, so it can't be shown to a broker. Have one made with digitalSignature.")
	case len(leaf.ExtKeyUsage)+len(leaf.UnknownExtKeyUsage) > 0 &&
		!slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageClientAuth) && !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageAny):
		return problem("The certificate is not for clients of TLS. Have one made with the extended key usage clientAuth.")
	}
	return nil
}

// checkTimes checks the validity, unless the clock is not synchronised: then the broker checks
// it when the certificate is tried.
func (w Wanted) checkTimes(leaf *x509.Certificate) error {
	now, synchronised := w.Clock()
	switch {
	case !leaf.NotAfter.After(leaf.NotBefore):
		return problem("The certificate ends before it begins.")
	case synchronised && now.Before(leaf.NotBefore):
		return problem("The certificate is valid only from %s, and it is %s now. Set the clock of the authority's computer.", moment(leaf.NotBefore), moment(now))
	case synchronised && !now.Before(leaf.NotAfter):
		return problem("The certificate ended on %s, and it is %s now.", moment(leaf.NotAfter), moment(now))
	}
	return nil
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
