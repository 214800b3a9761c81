package identity

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store/storetest"
)

func newState(t *testing.T) string {
	t.Helper()
	state := t.TempDir()
	if _, err := Init(state, TPM{Use: TPMOff}); err != nil {
		t.Fatal(err)
	}
	return state
}

func TestFactory(t *testing.T) {
	state := filepath.Join(t.TempDir(), "camd")
	id, err := Init(state, TPM{Use: TPMOff})
	if err != nil {
		t.Fatal(err)
	}
	if !id.DeviceID().Valid() || id.Class() != "C1" {
		t.Errorf("device %q, class %s", id.DeviceID(), id.Class())
	}
	label, err := pairing.ParseLabel(id.Label().Text())
	if err != nil || label.Device != id.DeviceID() {
		t.Errorf("label %q: %v", id.Label().Text(), err)
	}
	leaf, err := x509.ParseCertificate(id.Chain()[0])
	if err != nil {
		t.Fatal(err)
	}
	urn := "urn:camd:device:" + string(id.DeviceID())
	if leaf.Subject.CommonName != string(id.DeviceID()) || len(leaf.URIs) != 1 || leaf.URIs[0].String() != urn || leaf.NotAfter.Year() != 9999 {
		t.Errorf("certificate: %v %v %v", leaf.Subject, leaf.URIs, leaf.NotAfter)
	}
	text, err := os.ReadFile(filepath.Join(state, folder, fileRequest))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil || csr.CheckSignature() != nil || csr.Subject.CommonName != string(id.DeviceID()) || csr.URIs[0].String() != urn {
		t.Errorf("certificate request: %+v, %v", csr, err)
	}
	if key, ok := csr.PublicKey.(*ecdsa.PublicKey); !ok || !key.Equal(id.Signer().Public()) {
		t.Error("the request is for another key")
	}
	storetest.CheckModes(t, filepath.Join(state, folder))
}

func TestFactoryRunsOnce(t *testing.T) {
	state := newState(t)
	before, err := Load(state, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Init(state, TPM{Use: TPMOff}); !errors.Is(err, ErrExists) {
		t.Errorf("second run: %v", err)
	}
	after, err := Load(state, "")
	if err != nil || after.Label().Text() != before.Label().Text() {
		t.Errorf("the identity changed: %v", err)
	}
}

// What a power cut leaves of a half-made identity is no identity, and goes.
func TestFactoryAfterPowerCut(t *testing.T) {
	state := t.TempDir()
	half := filepath.Join(state, ".identity.123")
	if err := os.Mkdir(half, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(half, fileKey), []byte("half a key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(state, ""); !errors.Is(err, ErrMissing) {
		t.Errorf("half an identity: %v", err)
	}
	if _, err := Init(state, TPM{Use: TPMOff}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(half); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the half is still there: %v", err)
	}
}

func TestLoadIdentityRefuses(t *testing.T) {
	other := newState(t)
	copyFrom := func(name string) func(string) error {
		return func(dir string) error {
			b, err := os.ReadFile(filepath.Join(other, folder, name))
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(dir, name), b, 0o600)
		}
	}
	inPlace := func(make func(string) error) func(string) error {
		return func(dir string) error { return errors.Join(os.RemoveAll(dir), make(dir)) }
	}
	write := func(name, text string) func(string) error {
		return func(dir string) error { return os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600) }
	}
	for name, c := range map[string]struct {
		change func(dir string) error
		want   string
	}{
		"none":            {os.RemoveAll, "camd factory init"},
		"a file":          {inPlace(func(d string) error { return os.WriteFile(d, []byte("x"), 0o600) }), "camd factory repair"},
		"a pipe":          {inPlace(func(d string) error { return syscall.Mkfifo(d, 0o600) }), "camd factory repair"},
		"a loop of links": {inPlace(func(d string) error { return os.Symlink(d, d) }), "identity can't be read: too many"},
		"open folder":     {func(d string) error { return os.Chmod(d, 0o755) }, "chmod go-rwx"}, //nolint:gosec // that is what is tested
		"open key":        {func(d string) error { return os.Chmod(filepath.Join(d, fileKey), 0o640) }, "chmod go-rwx"},
		"no key":          {func(d string) error { return os.Remove(filepath.Join(d, fileKey)) }, "identity.key is missing"},
		"device id":       {write(fileDeviceID, "../../etc"), "no device id"},
		"key":             {write(fileKey, "key"), "holds no key of this camera"},
		"certificate":     {write(fileCert, "cert"), "no certificate"},
		"other's cert":    {copyFrom(fileCert), "not the certificate of"},
		"other's label":   {copyFrom(fileLabel), "label of another device"},
		"other's id":      {copyFrom(fileDeviceID), "label of another device"},
		"no label at all": {write(fileLabel, "hello"), "holds no label"},
	} {
		state := newState(t)
		if err := c.change(filepath.Join(state, folder)); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(state, ""); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever lies in the folder's place is kept, and another identity made.
func TestRepairOfAFileInTheFoldersPlace(t *testing.T) {
	state := newState(t)
	dir := filepath.Join(state, folder)
	if err := errors.Join(os.RemoveAll(dir), os.WriteFile(dir, []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := Init(state, TPM{Use: TPMOff}); !errors.Is(err, ErrDamaged) {
		t.Errorf("init says %v", err)
	}
	r, err := PlanRepair(state, TPM{Use: TPMOff})
	if err != nil || !r.NewDevice {
		t.Fatalf("plan %+v, %v", r, err)
	}
	if _, err := r.Do(); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(dir + ".bad"); err != nil || string(b) != "x" {
		t.Errorf("what was there: %q, %v", b, err)
	}
}

// The identifier of another device is mended from the certificate, which the key proves.
func TestRepairOfAnotherDevicesIdentifier(t *testing.T) {
	state := newState(t)
	before, err := Load(state, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(state, folder, fileDeviceID), []byte(proto.NewDeviceID()), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := PlanRepair(state, TPM{Use: TPMOff})
	if err != nil || r.NewDevice || r.NewLabel {
		t.Fatalf("%+v, %v", r, err)
	}
	if after, err := r.Do(); err != nil || after.Label().Text() != before.Label().Text() {
		t.Errorf("%v, %v", after, err)
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	id, err := Load(newState(t), "")
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ := strings.Cut(id.Label().Text(), "&k=")
	_, secret, _ := strings.Cut(text, "&s=")
	if bytes.Contains([]byte(id.Label().String()), []byte(secret)) {
		t.Error("the label prints its secret")
	}
}
