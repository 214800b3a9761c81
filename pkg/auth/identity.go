package auth

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
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

// Identity is who the device is for its whole life (IDevID of IEEE 802.1AR).
// docs/protocol.md 2.
type Identity interface {
	DeviceID() proto.DeviceID
	Signer() crypto.Signer // P-256
	Chain() [][]byte       // DER certificates, leaf first
	Label() pairing.Label  // what is printed on the device
	Class() string         // where the key lies: proto.ClassFile or ClassTPM
}

// Names in <state>/identity. docs/protocol.md 11.1.
const (
	identityFolder = "identity"
	fileDeviceID   = "device-id"
	fileKey        = "identity.key"
	fileCert       = "identity.crt"
	fileLabel      = "label"
	fileRequest    = "device.csr"
)

// identity is what the state folder holds. Of class C1 the key is a file: who can read
// the flash can be this camera. Of class C2 the file opens in the device's TPM only.
type identity struct {
	device proto.DeviceID
	identityKey
	chain [][]byte
	label pairing.Label
}

func (i *identity) DeviceID() proto.DeviceID { return i.device }
func (i *identity) Signer() crypto.Signer    { return i.key }
func (i *identity) Chain() [][]byte          { return i.chain }
func (i *identity) Label() pairing.Label     { return i.label }
func (i *identity) Class() string            { return i.class }

// LoadIdentity reads the identity from the state folder; tpmPath is the TPM's for a key
// that lies in one, empty for the kernel's. The error is ErrNoIdentity, ErrIdentity for
// files that are damaged and a TPM that lost the key, or a sentence about what is wrong
// otherwise.
func LoadIdentity(state, tpmPath string) (Identity, error) {
	dir := filepath.Join(state, identityFolder)
	if err := private(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoIdentity
	} else if err != nil {
		return nil, err
	}
	i := &identity{}
	var err error
	if i.device, err = loadDevice(dir); err != nil {
		return nil, err
	}
	if i.identityKey, err = loadKey(dir, TPM{Path: tpmPath}); err != nil {
		return nil, err
	}
	if i.chain, err = loadChain(dir, i.key.Public()); err != nil {
		return nil, err
	}
	i.label, err = loadLabel(dir, i.device, i.key.Public())
	return i, err
}

// damaged is an ErrIdentity about one file.
func damaged(dir, name, what string) error {
	return fmt.Errorf("%s %s: %w", filepath.Join(dir, name), what, ErrIdentity)
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
	err := private(path)
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

// private refuses what group or others may reach.
func private(path string) error {
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

const pemKey = "PRIVATE KEY"

func encodeKey(key any) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemKey, Bytes: der}), nil
}

// parseKey reads a PKCS#8 key in PEM.
func parseKey(text []byte) (any, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != pemKey {
		return nil, errors.New("no private key in PEM form")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("parse key: %w", err)
	}
	return key, nil
}
