// Package identity makes, loads and repairs the identity of a device: its key, in a file
// or a TPM, the certificate, and the label's secret. docs/protocol.md 2, 11.1.
package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/auth/record"
	"github.com/camd-project/camd/pkg/proto"
)

// Identity is who the device is for its whole life (IDevID of IEEE 802.1AR).
// docs/protocol.md 2.
type Identity struct {
	device proto.DeviceID
	key    key
	chain  [][]byte
	label  pairing.Label
}

// DeviceID returns the device's identifier.
func (i *Identity) DeviceID() proto.DeviceID { return i.device }

// Signer signs with the identity key, which is on P-256.
func (i *Identity) Signer() crypto.Signer { return i.key.signer }

// Chain returns the DER certificates, leaf first.
func (i *Identity) Chain() [][]byte { return i.chain }

// Label returns what is printed on the device.
func (i *Identity) Label() pairing.Label { return i.label }

// Class returns where the key is: proto.ClassFile, where whoever can read the flash can
// be this camera, or proto.ClassTPM, where the file opens only in the device's TPM.
func (i *Identity) Class() string { return i.key.class }

// Load reads the identity from the state folder. tpmPath is the TPM for a key that is in
// one; empty means the kernel's. The error is ErrMissing, ErrDamaged for files that are
// damaged or a TPM that lost the key, or otherwise says what is wrong.
func Load(state, tpmPath string) (*Identity, error) {
	dir := filepath.Join(state, folder)
	if err := checkPrivate(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, ErrMissing
	} else if err != nil {
		return nil, err
	}
	device, err := loadDevice(dir)
	if err != nil {
		return nil, err
	}
	key, err := loadKey(dir, TPM{Path: tpmPath})
	if err != nil {
		return nil, err
	}
	chain, err := loadChain(dir, key.signer.Public())
	if err != nil {
		return nil, err
	}
	label, err := loadLabel(dir, device, key.signer.Public())
	if err != nil {
		return nil, err
	}
	return &Identity{device, key, chain, label}, nil
}

// Record returns what the maker keeps of the identity, which is in the state folder;
// version is camd's.
func (i *Identity) Record(state, version string) (record.Record, error) {
	dir := filepath.Join(state, folder)
	text, err := readPrivate(dir, fileRequest)
	if err != nil {
		return record.Record{}, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return record.Record{}, damaged(dir, fileRequest, "holds no certificate request")
	}
	return record.Record{Label: i.label, Class: i.key.class, Certificate: i.chain[0], Request: block.Bytes, Camd: version}, nil
}

func loadDevice(dir string) (proto.DeviceID, error) {
	text, err := readPrivate(dir, fileDeviceID)
	if err != nil {
		return "", err
	}
	device := proto.DeviceID(strings.TrimSpace(string(text)))
	if !device.Valid() {
		return "", damaged(dir, fileDeviceID, "holds no device id")
	}
	return device, nil
}

// loadChain reads certificates, of which the first must hold key.
func loadChain(dir string, key crypto.PublicKey) ([][]byte, error) {
	text, err := readPrivate(dir, fileCert)
	if err != nil {
		return nil, err
	}
	var chain [][]byte
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		chain = append(chain, block.Bytes)
	}
	if len(chain) == 0 {
		return nil, damaged(dir, fileCert, "holds no certificate")
	}
	leaf, err := x509.ParseCertificate(chain[0])
	if err != nil {
		return nil, damaged(dir, fileCert, "holds no certificate that can be read")
	}
	if own, ok := key.(*ecdsa.PublicKey); !ok || !own.Equal(leaf.PublicKey) {
		return nil, damaged(dir, fileCert, "is not the certificate of "+fileKey)
	}
	return chain, nil
}

func loadLabel(dir string, device proto.DeviceID, key crypto.PublicKey) (pairing.Label, error) {
	text, err := readPrivate(dir, fileLabel)
	if err != nil {
		return pairing.Label{}, err
	}
	label, err := pairing.ParseLabel(string(text))
	if err != nil {
		return pairing.Label{}, damaged(dir, fileLabel, "holds no label")
	}
	want, err := pairing.NewLabel(device, label.Secret, key)
	if err != nil {
		return pairing.Label{}, fmt.Errorf("read %s: %w", filepath.Join(dir, fileLabel), err)
	}
	if want.Text() != label.Text() {
		return pairing.Label{}, damaged(dir, fileLabel, "is the label of another device or key")
	}
	return label, nil
}
