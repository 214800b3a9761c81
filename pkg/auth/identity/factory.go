package identity

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
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

// Init makes the identity of a device in <state>/identity, and returns it; its key is
// where t says. The folder appears whole or not at all, so after a power cut Init can be
// called again: a TPM keeps nothing of a key. The error is ErrExists if there is an
// identity, ErrDamaged if that is damaged.
func Init(state string, t TPM) (*Identity, error) {
	dir := filepath.Join(state, folder)
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		if _, wrong := Load(state, t.Path); errors.Is(wrong, ErrDamaged) {
			return nil, wrong
		}
		return nil, errors.Join(err, fmt.Errorf("%s: %w", dir, ErrExists))
	}
	files, err := newFiles(t)
	if err != nil {
		return nil, err
	}
	return write(state, files, t.Path)
}

// write writes the folder of an identity, where there is none, and loads it. What a power
// cut left of an earlier attempt is removed before.
func write(state string, files map[string][]byte, tpmPath string) (*Identity, error) {
	if err := os.MkdirAll(state, 0o700); err != nil {
		return nil, fmt.Errorf("make state folder: %w", err)
	}
	left, err := filepath.Glob(filepath.Join(state, "."+folder+".*"))
	for _, path := range left {
		err = errors.Join(err, os.RemoveAll(path))
	}
	if err != nil {
		return nil, fmt.Errorf("remove what an interrupted start left: %w", err)
	}
	if err := store.WriteDir(filepath.Join(state, folder), files); err != nil {
		return nil, err
	}
	return Load(state, tpmPath)
}

// newFiles makes all files of a new device.
func newFiles(t TPM) (map[string][]byte, error) {
	key, text, err := t.newKey()
	if err != nil {
		return nil, err
	}
	files, err := filesFor(proto.NewDeviceID(), key.signer)
	if err != nil {
		return nil, err
	}
	files[fileKey] = text
	return files, nil
}

// filesFor makes all files that follow from identifier and key.
func filesFor(device proto.DeviceID, key crypto.Signer) (map[string][]byte, error) {
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
	return map[string][]byte{fileDeviceID: []byte(device), fileCert: cert, fileRequest: request, fileLabel: []byte(label.Text())}, nil
}

// urn returns the URI that names a device in certificates.
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

// signingRequest makes the request for an operational certificate of a fleet's CA (PKCS #10).
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
