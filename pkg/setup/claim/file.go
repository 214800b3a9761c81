package claim

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/camd-project/camd/pkg/store"
)

const (
	pemKey         = "PRIVATE KEY" // PKCS #8
	pemCertificate = "CERTIFICATE"
	maxFile        = 64 << 10
)

// File stores the certificate in one PEM file, so that after a power cut the old one is there
// with its key, or the new one with its key. A file of an operator, for the identity key, has
// only certificates; camd's own file has the key as well. docs/protocol.md 11.1.
type File struct {
	Path     string
	Identity crypto.Signer
}

// Load reads the certificate and its key. The error is fs.ErrNotExist if there is no file.
func (f File) Load() (tls.Certificate, error) {
	info, err := os.Stat(f.Path)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("read the certificate for the broker: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return tls.Certificate{}, fmt.Errorf("%s can't be a certificate; put there what the operator signed", f.Path)
	}
	text, err := os.ReadFile(f.Path)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("read the certificate for the broker: %w", err)
	}
	cert := tls.Certificate{PrivateKey: f.Identity}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case pemCertificate:
			cert.Certificate = append(cert.Certificate, block.Bytes)
		case pemKey:
			if info.Mode().Perm()&0o077 != 0 {
				return tls.Certificate{}, fmt.Errorf("%s holds a key and is open to other users (mode %04o); run chmod go-rwx %s", f.Path, info.Mode().Perm(), f.Path)
			}
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				return tls.Certificate{}, fmt.Errorf("%s holds a key that can't be read; put there what the operator signed for the camera's request", f.Path)
			}
			cert.PrivateKey = key
		}
	}
	if len(cert.Certificate) == 0 {
		return tls.Certificate{}, fmt.Errorf("%s holds no PEM certificate; put there what the operator signed", f.Path)
	}
	return cert, nil
}

// Writable returns nil if Keep can work, or ErrFixed.
func (f File) Writable() error {
	if err := unix.Access(filepath.Dir(f.Path), unix.W_OK); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrFixed, filepath.Dir(f.Path), err)
	}
	return nil
}

// Keep replaces the certificate.
func (f File) Keep(cert tls.Certificate) error {
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		return fmt.Errorf("keep the certificate: %w", err)
	}
	var b bytes.Buffer
	for _, der := range cert.Certificate {
		_ = pem.Encode(&b, &pem.Block{Type: pemCertificate, Bytes: der}) // into memory
	}
	_ = pem.Encode(&b, &pem.Block{Type: pemKey, Bytes: key})
	if err := store.WriteFile(f.Path, b.Bytes()); err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("%w: %w", ErrFixed, err)
		}
		return err
	}
	return nil
}
