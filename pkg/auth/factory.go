package auth

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/auth/record"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

// InitFactory makes the identity of a device once, in <state>/identity, and returns it;
// its key lies where t says. The folder appears whole or not at all, so a power cut leaves
// a device on which it can be run again: a TPM keeps nothing of a key. The error is
// ErrExists when there is an identity.
func InitFactory(state string, t TPM) (Identity, error) {
	dir := filepath.Join(state, identityFolder)
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		if _, wrong := LoadIdentity(state, t.Path); errors.Is(wrong, ErrIdentity) {
			return nil, wrong
		}
		return nil, errors.Join(err, fmt.Errorf("%s: %w", dir, ErrExists))
	}
	files, err := newIdentity(proto.NewDeviceID(), t)
	if err != nil {
		return nil, err
	}
	return writeIdentity(state, files, t.Path)
}

// writeIdentity writes the folder of an identity, where there is none, and reads it again.
func writeIdentity(state string, files map[string][]byte, tpmPath string) (Identity, error) {
	dir := filepath.Join(state, identityFolder)
	if err := os.MkdirAll(state, 0o700); err != nil {
		return nil, fmt.Errorf("make state folder: %w", err)
	}
	if err := removeHalfMade(dir); err != nil {
		return nil, err
	}
	if err := store.WriteDir(dir, files); err != nil {
		return nil, err
	}
	return LoadIdentity(state, tpmPath)
}

// FactoryRecord returns what the maker keeps of the identity in the state folder; version
// is camd's.
func FactoryRecord(state string, id Identity, version string) (record.Record, error) {
	text, err := readPrivate(filepath.Join(state, identityFolder), fileRequest)
	if err != nil {
		return record.Record{}, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return record.Record{}, damaged(filepath.Join(state, identityFolder), fileRequest, "holds no certificate request")
	}
	return record.Record{Label: id.Label(), Class: id.Class(), Certificate: id.Chain()[0], Request: block.Bytes, Camd: version}, nil
}

// removeHalfMade removes what a power cut left of store.WriteDir.
func removeHalfMade(dir string) error {
	left, err := filepath.Glob(filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+".*"))
	for _, path := range left {
		err = errors.Join(err, os.RemoveAll(path))
	}
	if err != nil {
		return fmt.Errorf("remove what an interrupted start left: %w", err)
	}
	return nil
}

func newIdentity(device proto.DeviceID, t TPM) (map[string][]byte, error) {
	made, keyText, err := t.newKey()
	if err != nil {
		return nil, err
	}
	key := made.key
	cert, err := selfSigned(device, key)
	if err != nil {
		return nil, err
	}
	request, err := signingRequest(device, key)
	if err != nil {
		return nil, err
	}
	label, err := pairing.NewLabel(device, pairing.NewSecret(), key.Public())
	if err != nil {
		return nil, fmt.Errorf("make label: %w", err)
	}
	return map[string][]byte{
		fileDeviceID: []byte(device), fileKey: keyText, fileCert: cert,
		fileRequest: request, fileLabel: []byte(label.Text()),
	}, nil
}

// urn is the URI that names a device in certificates.
func urn(device proto.DeviceID) *url.URL {
	return &url.URL{Scheme: "urn", Opaque: "camd:device:" + string(device)}
}

// selfSigned makes a certificate like an IDevID: it never expires (99991231235959Z,
// RFC 5280 4.1.2.5) and begins before any clock a factory may have.
func selfSigned(device proto.DeviceID, key crypto.Signer) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("make serial number: %w", err)
	}
	t := &x509.Certificate{
		SerialNumber: serial.Add(serial, big.NewInt(1)),
		Subject:      pkix.Name{CommonName: string(device)},
		URIs:         []*url.URL{urn(device)},
		NotBefore:    time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make identity certificate: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

// signingRequest asks a fleet's CA for the operational certificate (PKCS #10).
func signingRequest(device proto.DeviceID, key crypto.Signer) ([]byte, error) {
	t := &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: string(device)},
		URIs:    []*url.URL{urn(device)},
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, t, key)
	if err != nil {
		return nil, fmt.Errorf("make certificate request: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), nil
}
