package release

import (
	"crypto/sha256"
	"encoding/asn1"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// maxSignature is RAUC's own bound of a bundle's signature.
const maxSignature = 64 << 10

// Errors of bundles.
var (
	ErrBundle = errors.New("it is no RAUC bundle")
	// ErrDetached is the error for a signature that does not hold what it signs: a plain bundle.
	ErrDetached = errors.New("it is a plain RAUC bundle, whose signature does not hold the manifest: make one of the format verity")
)

// Manifest returns the manifest in the signature of a RAUC bundle of size bytes. The signature,
// a CMS message, is at the end of the bundle, followed by its length in eight bytes. Manifest
// verifies nothing.
func Manifest(r io.ReaderAt, size int64) ([]byte, error) {
	var tail [8]byte
	end := size - int64(len(tail))
	if end < 0 {
		return nil, ErrBundle
	}
	if _, err := r.ReadAt(tail[:], end); err != nil {
		return nil, fmt.Errorf("read the bundle: %w", err)
	}
	n := binary.BigEndian.Uint64(tail[:])
	if n == 0 || n > maxSignature || int64(n) > end {
		return nil, ErrBundle
	}
	text := make([]byte, n)
	if _, err := r.ReadAt(text, end-int64(n)); err != nil {
		return nil, fmt.Errorf("read the bundle: %w", err)
	}
	return content(text)
}

// ManifestHash returns the hash of a manifest as releases contain it.
func ManifestHash(manifest []byte) string {
	sum := sha256.Sum256(manifest)
	return hex.EncodeToString(sum[:])
}

var (
	oidSigned = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidData   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
)

// content returns the content of a CMS SignedData (RFC 5652 sections 3, 5.1 and 5.2).
func content(der []byte) ([]byte, error) {
	var outer struct {
		Type    asn1.ObjectIdentifier
		Content struct {
			Version int
			Digests asn1.RawValue
			Encap   struct {
				Type    asn1.ObjectIdentifier
				Content asn1.RawValue `asn1:"optional"`
			}
		} `asn1:"explicit,tag:0"`
	}
	rest, err := asn1.Unmarshal(der, &outer)
	if err != nil || len(rest) > 0 || !outer.Type.Equal(oidSigned) || !outer.Content.Encap.Type.Equal(oidData) {
		return nil, ErrBundle
	}
	c := outer.Content.Encap.Content
	if len(c.FullBytes) == 0 {
		return nil, ErrDetached
	}
	var signed []byte
	if c.Class != asn1.ClassContextSpecific || c.Tag != 0 {
		return nil, ErrBundle
	}
	if rest, err := asn1.Unmarshal(c.Bytes, &signed); err != nil || len(rest) > 0 {
		return nil, ErrBundle
	}
	return signed, nil
}
