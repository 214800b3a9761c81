package claim

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"
)

var (
	oidData       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidSignedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}

	errCertsOnly = errors.New("not a certs-only message of CMS")
)

// maxSet bounds the certificates of one message.
const maxSet = 16

var (
	explicit0 = der.Tag(0).ContextSpecific().Constructed()
	implicit1 = der.Tag(1).ContextSpecific().Constructed()
)

// certsOnly reads the certificates of a certs-only message, an unsigned SignedData without
// anything else (RFC 5272 4.1, RFC 5652 5.1), in DER, as EST sends it (RFC 8951 3.2). Their
// order has no meaning.
func certsOnly(msg []byte) ([]*x509.Certificate, error) {
	in := cryptobyte.String(msg)
	var info, content, signed, set cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !in.ReadASN1(&info, der.SEQUENCE) || !in.Empty() ||
		!info.ReadASN1ObjectIdentifier(&oid) || !oid.Equal(oidSignedData) ||
		!info.ReadASN1(&content, explicit0) || !info.Empty() ||
		!content.ReadASN1(&signed, der.SEQUENCE) || !content.Empty() {
		return nil, errCertsOnly
	}
	var version int
	var algorithms, inner, signers cryptobyte.String
	if !signed.ReadASN1Integer(&version) || version < 1 || version > 5 ||
		!signed.ReadASN1(&algorithms, der.SET) || !algorithms.Empty() ||
		!signed.ReadASN1(&inner, der.SEQUENCE) || !inner.ReadASN1ObjectIdentifier(&oid) || !oid.Equal(oidData) || !inner.Empty() ||
		!signed.ReadASN1(&set, explicit0) ||
		!signed.SkipOptionalASN1(implicit1) || // lists of revoked certificates: not for the camera
		!signed.ReadASN1(&signers, der.SET) || !signers.Empty() || !signed.Empty() {
		return nil, errCertsOnly
	}
	var certs []*x509.Certificate
	for !set.Empty() {
		var one cryptobyte.String
		if len(certs) == maxSet || !set.ReadASN1Element(&one, der.SEQUENCE) {
			return nil, errCertsOnly
		}
		c, err := x509.ParseCertificate(one)
		if err != nil {
			return nil, errCertsOnly
		}
		certs = append(certs, c)
	}
	if len(certs) == 0 {
		return nil, errCertsOnly
	}
	return certs, nil
}
