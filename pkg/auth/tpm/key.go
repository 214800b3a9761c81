package tpm

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// Key is a signing key in a TPM, for ECDSA over P-256 with SHA-256. It may be used by
// many goroutines.
type Key struct {
	path    string // of the TPM
	public  *ecdsa.PublicKey
	area    []byte // TPMT_PUBLIC
	private []byte // as the TPM has encrypted it
}

// attributes are those of a key that was made in its TPM and can't be taken out of it, in
// whatever form.
var attributes = tpm2.TPMAObject{FixedTPM: true, FixedParent: true, SensitiveDataOrigin: true, UserWithAuth: true, NoDA: true, SignEncrypt: true}

// template is what the key is made by, but for its point.
func template(point *tpm2.TPMSECCPoint) tpm2.TPMTPublic {
	return tpm2.TPMTPublic{
		Type: tpm2.TPMAlgECC, NameAlg: tpm2.TPMAlgSHA256, ObjectAttributes: attributes,
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{
			Scheme: tpm2.TPMTECCScheme{Scheme: tpm2.TPMAlgECDSA,
				Details: tpm2.NewTPMUAsymScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSigSchemeECDSA{HashAlg: tpm2.TPMAlgSHA256})},
			CurveID: tpm2.TPMECCNistP256,
		}),
		Unique: tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, point),
	}
}

// Create makes a key in the TPM at path, which keeps nothing of it. Errors: as of Load,
// but for ErrForm and ErrLost.
func Create(path string) (*Key, error) {
	k := &Key{path: path}
	err := use(path, "make a key", func(t transport.TPM) error {
		parent, drop, err := primary(t)
		if err != nil {
			return err
		}
		defer drop()
		made, err := tpm2.Create{ParentHandle: *parent, InPublic: tpm2.New2B(template(&tpm2.TPMSECCPoint{}))}.Execute(t)
		if err != nil {
			return err
		}
		k.area, k.private = made.OutPublic.Bytes(), made.OutPrivate.Buffer
		return nil
	})
	if err != nil {
		return nil, err
	}
	if k.public, err = publicKey(k.area); err != nil {
		return nil, fmt.Errorf("the TPM at %s made another kind of key than camd asked for", path)
	}
	return k, nil
}

// Load reads what Encode wrote, and has the TPM at path open it. Errors: ErrForm; ErrLost;
// ErrNone; or a sentence about the TPM, which is no judgement of the key.
func Load(path string, text []byte) (*Key, error) {
	k, err := parse(text)
	if err != nil {
		return nil, err
	}
	k.path = path
	return k, use(path, "open the key", func(t transport.TPM) error {
		_, drop, err := k.load(t)
		if err == nil {
			drop()
		}
		return err
	})
}

// Public is an *ecdsa.PublicKey.
func (k *Key) Public() crypto.PublicKey { return k.public }

// Sign has the TPM sign a SHA-256 digest, and returns the signature as ASN.1.
func (k *Key) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts == nil || opts.HashFunc() != crypto.SHA256 || len(digest) != sha256.Size {
		return nil, errors.New("the key in the TPM signs SHA-256 digests only")
	}
	var sig struct{ R, S *big.Int }
	err := use(k.path, "sign", func(t transport.TPM) error {
		key, drop, err := k.load(t)
		if err != nil {
			return err
		}
		defer drop()
		signed, err := tpm2.Sign{KeyHandle: *key, Digest: tpm2.TPM2BDigest{Buffer: digest},
			Validation: tpm2.TPMTTKHashCheck{Tag: tpm2.TPMSTHashCheck}}.Execute(t)
		if err != nil {
			return err
		}
		parts, err := signed.Signature.Signature.ECDSA()
		if err != nil {
			return err
		}
		sig.R, sig.S = new(big.Int).SetBytes(parts.SignatureR.Buffer), new(big.Int).SetBytes(parts.SignatureS.Buffer)
		return nil
	})
	if err != nil {
		return nil, err
	}
	der, err := asn1.Marshal(sig)
	if err != nil || !ecdsa.VerifyASN1(k.public, digest, der) {
		return nil, fmt.Errorf("the TPM at %s gave a signature that is not of its key", k.path)
	}
	return der, nil
}

// Secret returns bytes that nobody knows but who reads the key's file: its private part as
// the TPM has encrypted it. They open nothing.
func (k *Key) Secret() []byte { return bytes.Clone(k.private) }

// load loads the key, until drop is called.
func (k *Key) load(t transport.TPM) (key *tpm2.AuthHandle, drop func(), err error) {
	parent, dropParent, err := primary(t)
	if err != nil {
		return nil, nil, err
	}
	defer dropParent()
	loaded, err := tpm2.Load{ParentHandle: *parent, InPrivate: tpm2.TPM2BPrivate{Buffer: k.private},
		InPublic: tpm2.BytesAs2B[tpm2.TPMTPublic](k.area)}.Execute(t)
	switch {
	case errors.Is(err, tpm2.TPMRCIntegrity), errors.Is(err, tpm2.TPMRCBinding), errors.Is(err, tpm2.TPMRCSensitive), errors.Is(err, tpm2.TPMRCSize):
		return nil, nil, ErrLost
	case err != nil:
		return nil, nil, err
	}
	return &tpm2.AuthHandle{Handle: loaded.ObjectHandle, Name: loaded.Name, Auth: tpm2.PasswordAuth(nil)}, flush(t, loaded.ObjectHandle), nil
}

// primary makes the key's parent, which is the same each time until the TPM is cleared. Its
// template is the TCG's for a storage key of ECC P-256, with nothing in unique, as whoever
// else reads TSS2 key files takes it.
func primary(t transport.TPM) (parent *tpm2.AuthHandle, drop func(), err error) {
	public := tpm2.ECCSRKTemplate
	public.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{})
	made, err := tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(public)}.Execute(t)
	if err != nil {
		return nil, nil, err
	}
	return &tpm2.AuthHandle{Handle: made.ObjectHandle, Name: made.Name, Auth: tpm2.PasswordAuth(nil)}, flush(t, made.ObjectHandle), nil
}

func flush(t transport.TPM, h tpm2.TPMHandle) func() {
	return func() { _, _ = tpm2.FlushContext{FlushHandle: h}.Execute(t) } // what stays, the kernel removes as the device is closed
}

// publicKey reads a TPMT_PUBLIC. It must be of template: a key that can be taken out, or
// that was brought in, is none of ours.
func publicKey(area []byte) (*ecdsa.PublicKey, error) {
	public, err := tpm2.Unmarshal[tpm2.TPMTPublic](area)
	if err != nil {
		return nil, ErrForm
	}
	point, err := public.Unique.ECC()
	if err != nil || !bytes.Equal(tpm2.Marshal(template(point)), area) {
		return nil, ErrForm
	}
	x, y := point.X.Buffer, point.Y.Buffer
	const size = 32
	if len(x) > size || len(y) > size { // fewer: some TPMs leave out leading zeros
		return nil, ErrForm
	}
	text := make([]byte, 1+2*size)
	text[0] = 4
	copy(text[1+size-len(x):], x)
	copy(text[1+2*size-len(y):], y)
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), text)
	if err != nil {
		return nil, ErrForm
	}
	return key, nil
}

const pemType = "TSS2 PRIVATE KEY"

// loadable is the type of a key that TPM2_Load takes (TCG's registry).
var loadable = asn1.ObjectIdentifier{2, 23, 133, 10, 1, 3}

// file is TPMKey of draft-bottomley-tpm2-keys.
type file struct {
	Type      asn1.ObjectIdentifier
	EmptyAuth bool `asn1:"optional,explicit,tag:0"`
	Parent    int64
	Public    []byte // TPM2B_PUBLIC
	Private   []byte // TPM2B_PRIVATE
}

// Encode writes the key as a TSS2 key file.
func (k *Key) Encode() ([]byte, error) {
	der, err := asn1.Marshal(file{Type: loadable, EmptyAuth: true, Parent: int64(tpm2.TPMRHOwner),
		Public: sized(k.area), Private: sized(k.private)})
	if err != nil {
		return nil, fmt.Errorf("encode the TPM's key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der}), nil
}

// IsKey reports whether text means to be what Encode wrote, damaged or not.
func IsKey(text []byte) bool { return bytes.Contains(text, []byte(pemType)) }

// parse reads a key file. Only what Encode writes is taken.
func parse(text []byte) (*Key, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != pemType {
		return nil, ErrForm
	}
	var f file
	if rest, err := asn1.Unmarshal(block.Bytes, &f); err != nil || len(rest) > 0 {
		return nil, ErrForm
	}
	var k Key
	var ok bool
	if k.area, ok = unsized(f.Public); !ok {
		return nil, ErrForm
	}
	if k.private, ok = unsized(f.Private); !ok {
		return nil, ErrForm
	}
	var err error
	if k.public, err = publicKey(k.area); err != nil {
		return nil, err
	}
	if again, err := k.Encode(); err != nil || !bytes.Equal(again, pem.EncodeToMemory(block)) {
		return nil, ErrForm
	}
	return &k, nil
}

// sized puts a TPM2B's length before b.
func sized(b []byte) []byte { return append([]byte{byte(len(b) >> 8), byte(len(b))}, b...) }

// unsized takes it away again.
func unsized(b []byte) ([]byte, bool) {
	if len(b) < 2 || len(b)-2 != int(b[0])<<8|int(b[1]) {
		return nil, false
	}
	return b[2:], true
}
