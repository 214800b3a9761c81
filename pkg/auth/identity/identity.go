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
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/auth/record"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
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

// Files in <state>/identity. docs/protocol.md 11.1.
const (
	folder       = "identity"
	fileDeviceID = "device-id"
	fileKey      = "identity.key"
	fileCert     = "identity.crt"
	fileLabel    = "label"
	fileRequest  = "device.csr"
)

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

// damaged returns an ErrDamaged about one file.
func damaged(dir, name, what string) error {
	return fmt.Errorf("%s %s: %w", filepath.Join(dir, name), what, ErrDamaged)
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

// readPrivate reads a file that nobody else may read.
func readPrivate(dir, name string) ([]byte, error) {
	path := filepath.Join(dir, name)
	err := checkPrivate(path)
	var b []byte
	if err == nil {
		b, err = store.ReadFile(path)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, store.ErrMissing), errors.Is(err, syscall.ENOTDIR): // the last: its folder is none
		return nil, damaged(dir, name, "is missing")
	case errors.Is(err, store.ErrDamaged):
		return nil, damaged(dir, name, "is no file of camd's")
	case err != nil:
		return nil, err
	}
	return b, nil
}

// checkPrivate returns an error for a file or folder that group or others may reach.
func checkPrivate(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s is missing: %w", path, fs.ErrNotExist)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("this user may not read %s; run camd as its owner", path)
	case err != nil:
		return fmt.Errorf("%s can't be read: %w", path, store.Bare(err))
	case info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("%s is open to other users (mode %04o); run chmod go-rwx %s", path, info.Mode().Perm(), path)
	}
	return nil
}

var (
	// ErrExists is returned where the factory has made an identity before.
	ErrExists = errors.New("this device has an identity already; it is made once in a device's life")
	// ErrMissing is returned where the factory has not made an identity yet.
	ErrMissing = errors.New("this device has no identity yet; run camd factory init")
	// ErrDamaged is returned for files of the identity that are damaged or missing.
	ErrDamaged = errors.New("the camera's identity is damaged; camd factory repair says what is lost, and makes it again")
)
