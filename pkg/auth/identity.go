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

	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/proto"
)

// Identity is who the device is for its whole life (IDevID of IEEE 802.1AR).
// docs/protocol.md 2.
type Identity interface {
	DeviceID() proto.DeviceID
	Signer() crypto.Signer // P-256
	Chain() [][]byte       // DER certificates, leaf first
	Label() pairing.Label  // what is printed on the device
	Class() string         // where the key lies: C1 file, C2 TPM
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

// fileIdentity is an identity whose key is a file: class C1. Who can read the
// flash can be this camera.
type fileIdentity struct {
	device proto.DeviceID
	key    *ecdsa.PrivateKey
	chain  [][]byte
	label  pairing.Label
}

func (i *fileIdentity) DeviceID() proto.DeviceID { return i.device }
func (i *fileIdentity) Signer() crypto.Signer    { return i.key }
func (i *fileIdentity) Chain() [][]byte          { return i.chain }
func (i *fileIdentity) Label() pairing.Label     { return i.label }
func (i *fileIdentity) Class() string            { return "C1" }

// LoadIdentity reads the identity from the state folder. The error is
// ErrNoIdentity, or a sentence about the file that is wrong.
func LoadIdentity(state string) (Identity, error) {
	dir := filepath.Join(state, identityFolder)
	if err := private(dir); err != nil {
		return nil, err
	}
	device, err := readPrivate(dir, fileDeviceID)
	if err != nil {
		return nil, err
	}
	i := &fileIdentity{device: proto.DeviceID(strings.TrimSpace(string(device)))}
	if !i.device.Valid() {
		return nil, fmt.Errorf("%s holds no device id", filepath.Join(dir, fileDeviceID))
	}
	if i.key, err = loadKey(dir); err != nil {
		return nil, err
	}
	if i.chain, err = loadChain(dir, i.key); err != nil {
		return nil, err
	}
	i.label, err = loadLabel(dir, i)
	return i, err
}

func loadKey(dir string) (*ecdsa.PrivateKey, error) {
	text, err := readPrivate(dir, fileKey)
	if err != nil {
		return nil, err
	}
	key, err := parseKey(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, fileKey), err)
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s holds no ECDSA key", filepath.Join(dir, fileKey))
	}
	return ec, nil
}

// loadChain reads certificates, of which the first must hold key.
func loadChain(dir string, key *ecdsa.PrivateKey) ([][]byte, error) {
	text, err := readPrivate(dir, fileCert)
	if err != nil {
		return nil, err
	}
	var chain [][]byte
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		chain = append(chain, block.Bytes)
	}
	if len(chain) == 0 {
		return nil, fmt.Errorf("%s holds no certificate", filepath.Join(dir, fileCert))
	}
	leaf, err := x509.ParseCertificate(chain[0])
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", filepath.Join(dir, fileCert), err)
	}
	if !key.PublicKey.Equal(leaf.PublicKey) {
		return nil, fmt.Errorf("%s is not the certificate of %s", filepath.Join(dir, fileCert), fileKey)
	}
	return chain, nil
}

func loadLabel(dir string, i *fileIdentity) (pairing.Label, error) {
	text, err := readPrivate(dir, fileLabel)
	if err != nil {
		return pairing.Label{}, err
	}
	path := filepath.Join(dir, fileLabel)
	label, err := pairing.ParseLabel(string(text))
	if err != nil {
		return pairing.Label{}, fmt.Errorf("read %s: %w", path, err)
	}
	want, err := pairing.NewLabel(i.device, label.Secret, i.key.Public())
	if err != nil {
		return pairing.Label{}, fmt.Errorf("read %s: %w", path, err)
	}
	if want.Text() != label.Text() {
		return pairing.Label{}, fmt.Errorf("%s is the label of another device or key", path)
	}
	return label, nil
}

// readPrivate reads a file that nobody else may read.
func readPrivate(dir, name string) ([]byte, error) {
	path := filepath.Join(dir, name)
	if err := private(path); err != nil {
		return nil, err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("load identity: %w", err)
	}
	return b, nil
}

// private refuses what group or others may reach.
func private(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w (%s is missing)", ErrNoIdentity, path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("this user may not read %s; run camd as its owner", path)
	case err != nil:
		return fmt.Errorf("load identity: %w", err)
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
