package identity

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/camd-project/camd/pkg/store"
)

// Files in <state>/identity. docs/protocol.md 11.1.
const (
	folder       = "identity"
	fileDeviceID = "device-id"
	fileKey      = "identity.key"
	fileCert     = "identity.crt"
	fileLabel    = "label"
	fileRequest  = "device.csr"
)

var (
	// ErrExists is returned where the factory has made an identity before.
	ErrExists = errors.New("this device has an identity already; it is made once in a device's life")
	// ErrMissing is returned where the factory has not made an identity yet.
	ErrMissing = errors.New("this device has no identity yet; run camd factory init")
	// ErrDamaged is returned for files of the identity that are damaged or missing.
	ErrDamaged = errors.New("the camera's identity is damaged; camd factory repair says what is lost, and makes it again")
)

// damaged returns an ErrDamaged about one file.
func damaged(dir, name, what string) error {
	return fmt.Errorf("%s %s: %w", filepath.Join(dir, name), what, ErrDamaged)
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
