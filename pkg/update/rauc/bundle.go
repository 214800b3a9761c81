package rauc

import (
	"context"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/godbus/dbus/v5"

	"github.com/camd-project/camd/pkg/update"
)

// Inspect has RAUC verify a bundle's signature, and tells what it is. ErrRefused is around
// what RAUC said. The manifest of a plain bundle is not in its signature: then Manifest is
// empty, if RAUC does not name it.
func (d *Driver) Inspect(ctx context.Context, path string) (update.Bundle, error) {
	conn, err := d.connect(ctx)
	if err != nil {
		return update.Bundle{}, err
	}
	defer conn.Close() //nolint:errcheck // nothing was written
	b := update.Bundle{Path: path}
	named, err := inspect(ctx, conn, &b)
	if unknownMethod(err) {
		err = call(ctx, conn, installer+".Info", []any{path}, &b.Compatible, &b.Version)
	}
	if err != nil {
		return update.Bundle{}, err
	}
	if b.Manifest, err = manifest(path); errors.Is(err, errDetached) {
		b.Manifest, err = named, nil
	}
	switch {
	case err != nil:
		return update.Bundle{}, fmt.Errorf("%w: %w", update.ErrRefused, err)
	case named != "" && named != b.Manifest:
		return update.Bundle{}, fmt.Errorf("%w: RAUC reads another manifest in it than camd", update.ErrRefused)
	}
	return b, nil
}

// inspect asks a RAUC that is newer than Debian's, and returns the manifest's hash, which it
// names.
func inspect(ctx context.Context, conn *dbus.Conn, b *update.Bundle) (named string, err error) {
	var info map[string]dbus.Variant
	if err := call(ctx, conn, installer+".InspectBundle", []any{b.Path, map[string]dbus.Variant{}}, &info); err != nil {
		return "", err
	}
	about, _ := info["update"].Value().(map[string]dbus.Variant)
	b.Compatible, _ = about["compatible"].Value().(string)
	b.Version, _ = about["version"].Value().(string)
	named, _ = info["manifest-hash"].Value().(string)
	return named, nil
}

// RAUC's own bound of a signature, which ends a bundle with its length in 8 bytes.
const maxSignature = 64 << 10

// errDetached is of a signature that does not hold what it signs: a plain bundle.
var errDetached = errors.New("its signature holds no manifest")

// manifest returns the SHA-256 of the manifest in a bundle's signature, in hex. RAUC has
// verified that signature.
func manifest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read the bundle: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	var tail [8]byte
	end, err := f.Seek(-int64(len(tail)), io.SeekEnd)
	if err != nil {
		return "", errBundle
	}
	if _, err := io.ReadFull(f, tail[:]); err != nil {
		return "", fmt.Errorf("read the bundle: %w", err)
	}
	size := binary.BigEndian.Uint64(tail[:])
	if size == 0 || size > maxSignature || int64(size) > end {
		return "", errBundle
	}
	text := make([]byte, size)
	if _, err := f.ReadAt(text, end-int64(size)); err != nil {
		return "", fmt.Errorf("read the bundle: %w", err)
	}
	signed, err := content(text)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(signed)
	return hex.EncodeToString(sum[:]), nil
}

var errBundle = errors.New("it does not end like a bundle")

var (
	oidSigned = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidData   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
)

// content returns what a CMS SignedData holds: RFC 5652 3, 5.1 and 5.2. errDetached if it
// holds nothing.
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
		return nil, errBundle
	}
	c := outer.Content.Encap.Content
	if len(c.FullBytes) == 0 {
		return nil, errDetached
	}
	var signed []byte
	if c.Class != asn1.ClassContextSpecific || c.Tag != 0 {
		return nil, errBundle
	}
	if rest, err := asn1.Unmarshal(c.Bytes, &signed); err != nil || len(rest) > 0 {
		return nil, errBundle
	}
	return signed, nil
}
