package pki

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// CertificatePEM returns the chain of cert, leaf first.
func CertificatePEM(cert tls.Certificate) []byte {
	var out []byte
	for _, der := range cert.Certificate {
		out = append(out, certPEM(der)...)
	}
	return out
}

// KeyPEM returns the private key of cert as PKCS #8. A key that can't leave its
// hardware gives an error.
func KeyPEM(cert tls.Certificate) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		return nil, fmt.Errorf("marshal private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// WritePair writes dir/name.crt and dir/name.key (0600) and returns their paths.
func WritePair(dir, name string, cert tls.Certificate) (crt, key string, err error) {
	keyPEM, err := KeyPEM(cert)
	if err != nil {
		return "", "", err
	}
	if key, err = write(dir, name+".key", keyPEM, 0o600); err != nil {
		return "", "", err
	}
	if crt, err = write(dir, name+".crt", CertificatePEM(cert), 0o644); err != nil {
		return "", "", err
	}
	return crt, key, nil
}

// WriteCA writes dir/name.crt, the authority's certificate without its key, and
// returns its path.
func WriteCA(dir, name string, ca *CA) (string, error) {
	return write(dir, name+".crt", ca.PEM(), 0o644)
}

// write replaces a file so that a reader sees the old or the new one, and so that
// mode holds even where the file was there before.
func write(dir, name string, data []byte, mode os.FileMode) (string, error) {
	path := filepath.Join(dir, name)
	f, err := os.CreateTemp(dir, "."+name+"-*") // 0600 from the start
	if err != nil {
		return "", fmt.Errorf("create %s: %w", path, cmp.Or(errors.Unwrap(err), err)) // without the temporary name
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone already when all went well
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(mode)
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return "", fmt.Errorf("write %s: %w", path, cmp.Or(errors.Unwrap(err), err))
	}
	return path, nil
}
