package identity

import (
	"cmp"
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

// TPMUse says whether a new identity key is made in the TPM.
type TPMUse string

// Where a new identity key is made. If there is a TPM that can't be used, TPMAuto makes no
// key: a fault on the line must not silently make a weaker device.
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

// key is the key of an identity, and where it is.
type key struct {
	signer crypto.Signer // P-256; nil: lost
	class  string
}

// newKey makes a key, and returns it with the content of its file.
func (t TPM) newKey() (key, []byte, error) {
	if t.Use != TPMOff {
		k, err := tpm.Create(cmp.Or(t.Path, tpm.Device))
		if err == nil {
			text, err := k.Encode()
			return key{k, proto.ClassTPM}, text, err
		}
		if t.Use == TPMRequire {
			return key{}, nil, err
		}
		if !errors.Is(err, tpm.ErrNone) {
			return key{}, nil, fmt.Errorf("%w; --tpm off makes a key in a file instead", err)
		}
	}
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return key{}, nil, fmt.Errorf("make identity key: %w", err)
	}
	text, err := EncodeKey(k)
	return key{k, proto.ClassFile}, text, err
}

// loadKey reads the identity key. With TPMOff a key in a TPM counts as lost.
func loadKey(dir string, t TPM) (key, error) {
	text, err := readPrivate(dir, fileKey)
	if err != nil {
		return key{}, err
	}
	if tpm.IsKey(text) {
		return loadTPMKey(dir, text, t)
	}
	parsed, err := ParseKey(text)
	ec, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok || ec.Curve != elliptic.P256() {
		return key{}, damaged(dir, fileKey, "holds no key of this camera")
	}
	return key{ec, proto.ClassFile}, nil
}

func loadTPMKey(dir string, text []byte, t TPM) (key, error) {
	if t.Use == TPMOff {
		return key{}, damaged(dir, fileKey, "opens in a TPM only, and none is to be used")
	}
	k, err := tpm.Load(cmp.Or(t.Path, tpm.Device), text)
	switch {
	case errors.Is(err, tpm.ErrForm):
		return key{}, damaged(dir, fileKey, "holds no key of this camera")
	case errors.Is(err, tpm.ErrLost):
		return key{}, damaged(dir, fileKey, "does not open in the camera's TPM, which was cleared since it made the key, or is another one")
	case errors.Is(err, tpm.ErrNone):
		return key{}, fmt.Errorf("the camera's identity key lies in a TPM, and %w; start camd where the TPM is, or run camd factory repair --tpm off, which makes another camera of it", err)
	case err != nil:
		return key{}, err
	}
	return key{k, proto.ClassTPM}, nil
}

// replacing returns how to make the key that replaces the one in dir: a key that was in a
// TPM does not silently become a file.
func (t TPM) replacing(dir string) TPM {
	if text, err := readPrivate(dir, fileKey); err == nil && tpm.IsKey(text) && (t.Use == "" || t.Use == TPMAuto) {
		t.Use = TPMRequire
	}
	return t
}
