package tpm

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/camd-project/camd/pkg/auth/tpm/tpmtest"
)

var digest = sha256.Sum256([]byte("what is signed"))

func create(t *testing.T, chip *tpmtest.TPM) (*Key, []byte) {
	t.Helper()
	k, err := Create(chip.Path)
	if err != nil {
		t.Fatal(err)
	}
	text, err := k.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return k, text
}

// sign signs; Sign itself verifies.
func sign(t *testing.T, k *Key) {
	t.Helper()
	der, err := k.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	if key, ok := k.Public().(*ecdsa.PublicKey); !ok || !ecdsa.VerifyASN1(key, digest[:], der) {
		t.Fatal("the signature is not the key's")
	}
}

// The file and the TPM make the key, before and after the power goes.
func TestKeyComesBack(t *testing.T) {
	chip := tpmtest.New(t)
	k, text := create(t, chip)
	sign(t, k)
	chip.PowerOff()
	chip.PowerOn()
	sign(t, k)
	again, err := Load(chip.Path, text)
	if err != nil {
		t.Fatal(err)
	}
	sign(t, again)
	if !k.public.Equal(again.Public()) || !bytes.Equal(k.Secret(), again.Secret()) || len(k.Secret()) < 64 {
		t.Error("the key that comes back is another one")
	}
	if other, _ := create(t, chip); other.public.Equal(k.public) || bytes.Equal(other.Secret(), k.Secret()) {
		t.Error("two keys are the same")
	}
}

// Nothing gets the key out of its TPM: neither its owner, nor another TPM with the file.
func TestTheKeyStaysInItsTPM(t *testing.T) {
	chip, other := tpmtest.New(t), tpmtest.New(t)
	k, text := create(t, chip)
	chip.Do(func(c transport.TPM) error {
		key, drop, err := k.load(c)
		if err != nil {
			return err
		}
		defer drop()
		_, err = tpm2.Duplicate{ObjectHandle: *key, NewParentHandle: tpm2.TPMRHNull, Symmetric: tpm2.TPMTSymDef{Algorithm: tpm2.TPMAlgNull}}.Execute(c)
		if err == nil {
			return errors.New("the TPM gives the key away")
		}
		return nil
	})
	if !k.areaOf(t).ObjectAttributes.FixedTPM || !k.areaOf(t).ObjectAttributes.FixedParent {
		t.Error("the key may be taken to another TPM")
	}
	if _, err := Load(other.Path, text); !errors.Is(err, ErrLost) {
		t.Errorf("another TPM says %v", err)
	}
}

func (k *Key) areaOf(t *testing.T) *tpm2.TPMTPublic {
	t.Helper()
	p, err := tpm2.Unmarshal[tpm2.TPMTPublic](k.area)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAClearedTPMSaysSo(t *testing.T) {
	chip := tpmtest.New(t)
	k, text := create(t, chip)
	chip.Clear()
	if _, err := Load(chip.Path, text); !errors.Is(err, ErrLost) || !strings.Contains(err.Error(), "was cleared") {
		t.Errorf("loaded: %v", err)
	}
	if _, err := k.Sign(rand.Reader, digest[:], crypto.SHA256); !errors.Is(err, ErrLost) {
		t.Errorf("signed: %v", err)
	}
	k, _ = create(t, chip)
	sign(t, k)
}

// Many sign at once, though a TPM has room for three objects, and nothing of it stays.
func TestManySign(t *testing.T) {
	chip := tpmtest.New(t)
	k, text := create(t, chip)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 3 {
				if _, err := k.Sign(rand.Reader, digest[:], crypto.SHA256); err != nil {
					t.Error(err)
				}
				if _, err := Load(chip.Path, text); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	chip.Do(func(c transport.TPM) error {
		r, err := tpm2.GetCapability{Capability: tpm2.TPMCapHandles, Property: uint32(tpm2.TPMHTTransient) << 24, PropertyCount: 8}.Execute(c)
		if err != nil {
			return err
		}
		l, err := r.CapabilityData.Data.Handles()
		if err == nil && len(l.Handle) > 0 {
			err = fmt.Errorf("%d objects are left in the TPM", len(l.Handle))
		}
		return err
	})
}

// A TPM that is locked for others' keys still signs with ours, which have no password.
func TestLockoutIsOthers(t *testing.T) {
	chip := tpmtest.New(t)
	k, _ := create(t, chip)
	chip.Do(lockOut)
	sign(t, k)
	create(t, chip)
}

// lockOut makes a key with a password, and tries wrong ones until the TPM locks itself.
func lockOut(c transport.TPM) error {
	parent, drop, err := primary(c)
	if err != nil {
		return err
	}
	defer drop()
	public := template(&tpm2.TPMSECCPoint{})
	public.ObjectAttributes.NoDA = false
	made, err := tpm2.Create{ParentHandle: *parent, InPublic: tpm2.New2B(public), InSensitive: tpm2.TPM2BSensitiveCreate{
		Sensitive: &tpm2.TPMSSensitiveCreate{UserAuth: tpm2.TPM2BAuth{Buffer: []byte("right")}}}}.Execute(c)
	if err != nil {
		return err
	}
	loaded, err := tpm2.Load{ParentHandle: *parent, InPrivate: made.OutPrivate, InPublic: made.OutPublic}.Execute(c)
	if err != nil {
		return err
	}
	defer flush(c, loaded.ObjectHandle)()
	for range 100 {
		_, err = tpm2.Sign{KeyHandle: tpm2.AuthHandle{Handle: loaded.ObjectHandle, Name: loaded.Name, Auth: tpm2.PasswordAuth([]byte("wrong"))},
			Digest: tpm2.TPM2BDigest{Buffer: digest[:]}, Validation: tpm2.TPMTTKHashCheck{Tag: tpm2.TPMSTHashCheck}}.Execute(c)
		if errors.Is(err, tpm2.TPMRCLockout) {
			return nil
		}
	}
	return fmt.Errorf("the TPM does not lock itself: %w", err)
}

// What is in the way is one sentence that says what to do.
func TestWhatIsInTheWay(t *testing.T) {
	chip := tpmtest.New(t)
	k, text := create(t, chip)
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(filepath.Join(dir, "none")); !errors.Is(err, ErrNone) || err.Error() != "there is no TPM at "+dir+"/none" {
		t.Errorf("no TPM: %v", err)
	}
	if _, err := Load(file, text); err == nil || !strings.Contains(err.Error(), "does not answer: this is no device") {
		t.Errorf("a file: %v", err)
	}
	if _, err := Load(os.DevNull, text); err == nil || errors.Is(err, ErrLost) || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("another device: %v", err)
	}
	chip.Do(func(c transport.TPM) error {
		_, err := tpm2.HierarchyChangeAuth{AuthHandle: tpm2.TPMRHOwner, NewAuth: tpm2.TPM2BAuth{Buffer: []byte("x")}}.Execute(c)
		return err
	})
	for name, err := range map[string]error{"create": second(Create(chip.Path)), "load": second(Load(chip.Path, text)),
		"sign": second(k.Sign(nil, digest[:], crypto.SHA256))} {
		if err == nil || err.Error() != "the TPM at "+chip.Path+" has a password on its storage hierarchy, and camd needs that to be empty" {
			t.Errorf("%s with a password: %v", name, err)
		}
	}
	chip.Do(func(c transport.TPM) error {
		// TPM2_HierarchyControl, which go-tpm has not: by the platform, without a password.
		answer, err := c.Send([]byte{0x80, 2, 0, 0, 0, 32, 0, 0, 1, 0x21, 0x40, 0, 0, 0xc, 0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0, 0x40, 0, 0, 1, 0})
		if err == nil && !bytes.Equal(answer[6:10], make([]byte, 4)) {
			err = fmt.Errorf("the TPM answers %x", answer)
		}
		return err
	})
	if _, err := Create(chip.Path); err == nil || err.Error() != "the TPM at "+chip.Path+" has its storage hierarchy switched off; the firmware can switch it on" {
		t.Errorf("switched off: %v", err)
	}
	chip.PowerOff()
	if _, err := k.Sign(nil, digest[:], crypto.SHA256); !errors.Is(err, ErrNone) {
		t.Errorf("gone: %v", err)
	}
	if _, err := k.Sign(nil, digest[:20], crypto.SHA1); err == nil || !strings.Contains(err.Error(), "SHA-256 digests only") {
		t.Errorf("SHA-1: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestExplain(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{tpm2.TPMRCFailure, "the TPM at X has failed its self-test and does nothing any more; switch the power off and on"},
		{tpm2.TPMRCLockout, "the TPM at X is locked, since somebody has tried wrong passwords at it; wait, or clear it in the firmware"},
		{tpm2.TPMRCHierarchy + 0x100, "the TPM at X has its storage hierarchy switched off; the firmware can switch it on"},
		{tpm2.TPMRCObjectMemory, "the TPM at X is busy, and did not sign in five seconds; end what else uses it"},
		{tpm2.TPMRCNVSpace, "the TPM at X did not sign: it answered TPM_RC_NV_SPACE: insufficient space for NV allocation"},
		{&fs.PathError{Op: "open", Path: "X", Err: syscall.EACCES}, "camd may not open the TPM at X: add its user to the group of that device"},
		{&fs.PathError{Op: "read", Path: "X", Err: syscall.ETIME}, "the TPM at X does not answer: timer expired"},
		{fmt.Errorf("sending: %w", &net.OpError{Op: "read", Net: "unix", Err: syscall.ECONNRESET}), "the TPM at X does not answer: connection reset by peer"},
	} {
		if got := explain("X", "sign", c.err); got.Error() != c.want {
			t.Errorf("%v: %q, want %q", c.err, got, c.want)
		}
	}
}

// A key of another kind is none of ours, though it would sign: it could be copied.
func TestOnlyKeysOfOurKindAreTaken(t *testing.T) {
	chip := tpmtest.New(t)
	k, text := create(t, chip)
	for name, change := range map[string]func(*tpm2.TPMTPublic){
		"not bound to the TPM": func(p *tpm2.TPMTPublic) { p.ObjectAttributes.FixedTPM = false },
		"brought in":           func(p *tpm2.TPMTPublic) { p.ObjectAttributes.SensitiveDataOrigin = false },
		"with a password":      func(p *tpm2.TPMTPublic) { p.ObjectAttributes.NoDA = false },
		"restricted":           func(p *tpm2.TPMTPublic) { p.ObjectAttributes.Restricted = true },
	} {
		p := k.areaOf(t)
		change(p)
		other := *k
		other.area = tpm2.Marshal(p)
		wrong, err := other.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Load(chip.Path, wrong); !errors.Is(err, ErrForm) {
			t.Errorf("%s: %v", name, err)
		}
	}
	block, _ := pem.Decode(text)
	block.Type = "PRIVATE KEY"
	for name, wrong := range map[string][]byte{"nothing": nil, "half": text[:len(text)/2], "another type": pem.EncodeToMemory(block),
		"more within": pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: append(block.Bytes, 0)})} {
		if _, err := Load(chip.Path, wrong); !errors.Is(err, ErrForm) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !IsKey(text) || !IsKey(text[:len(text)/2]) || IsKey(pem.EncodeToMemory(block)) {
		t.Error("what means to be a key is not known")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(example))
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := parse(text)
		if err != nil {
			if !errors.Is(err, ErrForm) {
				t.Errorf("%v is no ErrForm", err)
			}
			return
		}
		again, err := k.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parse(again); err != nil {
			t.Errorf("what was written can't be read: %v", err)
		}
	})
}

// The form never changes: devices have such files for life.
func TestExampleIsRead(t *testing.T) {
	k, err := parse([]byte(example))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := k.Encode(); err != nil || string(again) != example {
		t.Errorf("it is written as %s, %v", again, err)
	}
	// Fuzzing has the inside of the file, too, with a changed byte each.
	block, _ := pem.Decode([]byte(example))
	for i := range block.Bytes {
		wrong := bytes.Clone(block.Bytes)
		wrong[i] ^= 1
		if k2, err := parse(pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: wrong})); err == nil && k2.public.Equal(k.public) && bytes.Equal(k2.private, k.private) {
			t.Errorf("byte %d makes no difference", i)
		}
	}
}
