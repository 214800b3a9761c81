package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/camd-project/camd/pkg/auth/tpm"
	"github.com/camd-project/camd/pkg/proto"
)

// TPM says where a TPM 2.0 may be, and whether the identity key is made in it.
type TPM struct {
	Path string // its device, or the socket of an emulator; empty: the kernel's device
	Use  TPMUse // empty: TPMAuto
}

// TPMUse says what becomes of a TPM when an identity key is made.
type TPMUse string

// What becomes of a TPM. Where there is one that can't be used, TPMAuto makes no key: a
// fault on the line must not make a weaker device in silence.
const (
	TPMAuto    TPMUse = "auto"    // a TPM where there is one, else a file
	TPMRequire TPMUse = "require" // a TPM, or nothing
	TPMOff     TPMUse = "off"     // a file
)

// UnmarshalText reads one of the three words.
func (u *TPMUse) UnmarshalText(text []byte) error {
	switch use := TPMUse(text); use {
	case TPMAuto, TPMRequire, TPMOff:
		*u = use
		return nil
	}
	return fmt.Errorf("%.20q is none of auto, require and off", text)
}

// identityKey is the key of an identity, and where it lies.
type identityKey struct {
	key   crypto.Signer // P-256
	class string
}

// path is the TPM's.
func (t TPM) path() string {
	if t.Path == "" {
		return tpm.Device
	}
	return t.Path
}

// newKey makes a key, and the text of its file.
func (t TPM) newKey() (identityKey, []byte, error) {
	if t.Use != TPMOff {
		k, err := tpm.Create(t.path())
		if err == nil {
			text, err := k.Encode()
			return identityKey{k, proto.ClassTPM}, text, err
		}
		if t.Use == TPMRequire {
			return identityKey{}, nil, err
		}
		if !errors.Is(err, tpm.ErrNone) {
			return identityKey{}, nil, fmt.Errorf("%w; --tpm off makes a key in a file instead", err)
		}
	}
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return identityKey{}, nil, fmt.Errorf("make identity key: %w", err)
	}
	text, err := encodeKey(k)
	return identityKey{k, proto.ClassFile}, text, err
}

// loadKey reads the identity key. With TPMOff one that lies in a TPM counts as lost.
func loadKey(dir string, t TPM) (identityKey, error) {
	text, err := readPrivate(dir, fileKey)
	if err != nil {
		return identityKey{}, err
	}
	if tpm.IsKey(text) {
		return loadTPMKey(dir, text, t)
	}
	key, err := parseKey(text)
	ec, ok := key.(*ecdsa.PrivateKey)
	if err != nil || !ok || ec.Curve != elliptic.P256() {
		return identityKey{}, damaged(dir, fileKey, "holds no key of this camera")
	}
	return identityKey{ec, proto.ClassFile}, nil
}

func loadTPMKey(dir string, text []byte, t TPM) (identityKey, error) {
	if t.Use == TPMOff {
		return identityKey{}, damaged(dir, fileKey, "opens in a TPM only, and none is to be used")
	}
	k, err := tpm.Load(t.path(), text)
	switch {
	case errors.Is(err, tpm.ErrForm):
		return identityKey{}, damaged(dir, fileKey, "holds no key of this camera")
	case errors.Is(err, tpm.ErrLost):
		return identityKey{}, damaged(dir, fileKey, "does not open in the camera's TPM, which was cleared since it made the key, or is another one")
	case errors.Is(err, tpm.ErrNone):
		return identityKey{}, fmt.Errorf("the camera's identity key lies in a TPM, and %w; start camd where the TPM is, or run camd factory repair --tpm off, which makes another camera of it", err)
	case err != nil:
		return identityKey{}, err
	}
	return identityKey{k, proto.ClassTPM}, nil
}

// after is how the key is made that replaces the one in dir: what lay in a TPM does not
// become a file in silence.
func (t TPM) after(dir string) TPM {
	if text, err := readPrivate(dir, fileKey); err == nil && tpm.IsKey(text) && (t.Use == "" || t.Use == TPMAuto) {
		t.Use = TPMRequire
	}
	return t
}
