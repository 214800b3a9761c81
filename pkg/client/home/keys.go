package home

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/proto"
)

// keysVersion is the version of the keys' file.
const keysVersion = 1

// Keys are the two P-256 keys of a client: one to sign, one to open what is sealed for it.
// docs/protocol.md 2.2.
type Keys struct {
	sign *ecdsa.PrivateKey
	open *ecdh.PrivateKey
	id   proto.ClientID
}

// ID returns the client's ID, which is made from the signing key.
func (k *Keys) ID() proto.ClientID { return k.id }

// Signer returns the signing key.
func (k *Keys) Signer() crypto.Signer { return k.sign }

// Opener returns the key for which others seal.
func (k *Keys) Opener() *ecdh.PrivateKey { return k.open }

// LogValue keeps the keys out of logs.
func (k *Keys) LogValue() slog.Value { return slog.StringValue(string(k.id)) }

func (k *Keys) String() string { return string(k.id) }

// NewKeys returns new keys, which are in memory only.
func NewKeys() (*Keys, error) {
	sign, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make signing key: %w", err)
	}
	open, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make encryption key: %w", err)
	}
	return newKeys(sign, open)
}

func newKeys(sign *ecdsa.PrivateKey, open *ecdh.PrivateKey) (*Keys, error) {
	id, err := envelope.Thumbprint(&sign.PublicKey)
	if err != nil {
		return nil, err
	}
	return &Keys{sign: sign, open: open, id: id}, nil
}

// keysFile holds both keys as PKCS #8.
type keysFile struct {
	Version    int    `json:"version"`
	Signing    []byte `json:"signing"`
	Encryption []byte `json:"encryption"`
}

func (k *Keys) marshal() ([]byte, error) {
	f := keysFile{Version: keysVersion}
	var err error
	if f.Signing, err = x509.MarshalPKCS8PrivateKey(k.sign); err != nil {
		return nil, fmt.Errorf("write signing key: %w", err)
	}
	if f.Encryption, err = x509.MarshalPKCS8PrivateKey(k.open); err != nil {
		return nil, fmt.Errorf("write encryption key: %w", err)
	}
	return json.MarshalIndent(f, "", "  ")
}

func (f keysFile) keys() (*Keys, error) {
	sign, err := parseKey(f.Signing)
	if err != nil {
		return nil, fmt.Errorf("signing key: %w", err)
	}
	enc, err := parseKey(f.Encryption)
	if err != nil {
		return nil, fmt.Errorf("encryption key: %w", err)
	}
	open, err := enc.ECDH()
	if err != nil {
		return nil, fmt.Errorf("encryption key: %w", err)
	}
	return newKeys(sign, open)
}

func parseKey(der []byte) (*ecdsa.PrivateKey, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	if k, ok := key.(*ecdsa.PrivateKey); ok && k.Curve == elliptic.P256() {
		return k, nil
	}
	return nil, errors.New("not a P-256 key")
}

// loadKeys reads the keys, or makes them on first use. Two processes that do so at the
// same time get the same keys.
func loadKeys(path string) (*Keys, error) {
	k, err := readKeys(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	if k, err = NewKeys(); err != nil {
		return nil, err
	}
	data, err := k.marshal()
	if err != nil {
		return nil, err
	}
	switch err := createFile(path, data); {
	case errors.Is(err, fs.ErrExist):
		return readKeys(path)
	case err != nil:
		return nil, NewProblem(err, "The client's keys can't be written to %s: %v.", path, err)
	}
	return k, nil
}

func readKeys(path string) (*Keys, error) {
	var f keysFile
	if err := readVersioned(path, keysVersion, &f); err != nil {
		return nil, err
	}
	k, err := f.keys()
	if err != nil {
		return nil, broken(path, err)
	}
	if st, err := os.Stat(path); err == nil && st.Mode().Perm()&0o077 != 0 {
		return nil, NewProblem(fs.ErrPermission, "%s can be read by other users of this computer. Run chmod 600 on it, and pair again if you do not trust them.", path)
	}
	return k, nil
}
