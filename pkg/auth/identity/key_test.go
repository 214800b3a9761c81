package identity

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/auth/tpm"
	"github.com/camd-project/camd/pkg/auth/tpm/tpmtest"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store/storetest"
)

// newTPMState makes an identity in a TPM.
func newTPMState(t *testing.T) (state string, chip *tpmtest.TPM) {
	t.Helper()
	chip, state = tpmtest.New(t), t.TempDir()
	id, err := Init(state, TPM{Path: chip.Path, Use: TPMRequire})
	if err != nil {
		t.Fatal(err)
	}
	if id.Class() != proto.ClassTPM {
		t.Fatalf("class %s", id.Class())
	}
	return state, chip
}

// The request for the broker's certificate is by the TPM's key, and no private key lies in
// the folder.
func TestWhatTheFactoryLeavesOfATPM(t *testing.T) {
	state, chip := newTPMState(t)
	id, err := Load(state, chip.Path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := id.Record(state, "1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	if text, err := r.Encode(); err != nil || !bytes.Contains(text, []byte(`"identity": "C2"`)) {
		t.Errorf("the record: %s, %v", text, err)
	}
	request, err := x509.ParseCertificateRequest(r.Request)
	if err != nil || request.CheckSignature() != nil {
		t.Errorf("the request: %v", err)
	}
	err = filepath.WalkDir(filepath.Join(state, folder), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
			if strings.HasSuffix(block.Type, "PRIVATE KEY") && block.Type != "TSS2 PRIVATE KEY" {
				t.Errorf("%s holds a %s", path, block.Type)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// Where a TPM was asked for, a key in a file is no identity.
func TestARequiredTPMIsNeverAFile(t *testing.T) {
	state := t.TempDir()
	if id, err := Init(state, TPM{Path: filepath.Join(state, "none"), Use: TPMRequire}); !errors.Is(err, tpm.ErrNone) {
		t.Errorf("without a TPM there is %v, %v", id, err)
	}
	if _, err := os.Stat(filepath.Join(state, folder)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is an identity: %v", err)
	}
}

// A TPM that can't be used is a fault to be mended, not a reason for a weaker device.
func TestATPMThatFailsIsNotPassedOver(t *testing.T) {
	state := t.TempDir()
	broken := filepath.Join(t.TempDir(), "tpmrm0")
	if err := os.WriteFile(broken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	id, err := Init(state, TPM{Path: broken})
	if err == nil || !strings.HasSuffix(err.Error(), "; --tpm off makes a key in a file instead") {
		t.Errorf("with a TPM that fails there is %v, %v", id, err)
	}
	if id, err := Init(state, TPM{Path: broken, Use: TPMOff}); err != nil || id.Class() != proto.ClassFile {
		t.Errorf("off: %v, %v", id, err)
	}
	if id, err := Init(t.TempDir(), TPM{Path: filepath.Join(state, "none")}); err != nil || id.Class() != proto.ClassFile {
		t.Errorf("without a TPM: %v, %v", id, err)
	}
	chip := tpmtest.New(t)
	if id, err := Init(t.TempDir(), TPM{Path: chip.Path}); err != nil || id.Class() != proto.ClassTPM {
		t.Errorf("with a TPM: %v, %v", id, err)
	}
}

// Damage around a key in a TPM is mended as it is around a file, and the key stays there.
func TestDamageOfAnIdentityInATPM(t *testing.T) {
	made, chip := newTPMState(t)
	at := TPM{Path: chip.Path}
	old, err := Load(made, chip.Path)
	if err != nil {
		t.Fatal(err)
	}
	for file, lost := range map[string]struct{ device, label bool }{
		fileDeviceID: {false, false}, fileKey: {true, true}, fileCert: {false, false}, fileLabel: {false, true}, fileRequest: {false, false},
	} {
		for harm, do := range storetest.Harms {
			name := file + ", " + harm
			state := filepath.Join(t.TempDir(), "state")
			if err := os.CopyFS(state, os.DirFS(made)); err != nil {
				t.Fatal(err)
			}
			closeModes(t, state)
			path := filepath.Join(state, folder, file)
			content, err := os.ReadFile(path)
			if err == nil {
				err = do(path, content)
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Load(state, chip.Path); (err == nil) != (file == fileRequest || harm == "long" && (file == fileKey || file == fileCert)) ||
				err != nil && !errors.Is(err, ErrDamaged) {
				t.Errorf("%s: loaded: %v", name, err)
			}
			r, err := PlanRepair(state, at)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if len(r.Damage) == 0 {
				continue // PEM may be followed by more, and a request is not looked into
			}
			id, err := r.Do()
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if (id.DeviceID() == old.DeviceID()) == lost.device || (id.Label().Text() == old.Label().Text()) == lost.label || id.Class() != proto.ClassTPM {
				t.Errorf("%s: the device was %s and is %s, class %s", name, old.DeviceID(), id.DeviceID(), id.Class())
			}
			storetest.CheckModes(t, filepath.Join(state, folder))
		}
	}
}

// closeModes gives copied files the modes that they had.
func closeModes(t *testing.T, state string) {
	t.Helper()
	err := filepath.WalkDir(state, func(path string, d fs.DirEntry, err error) error {
		mode := fs.FileMode(0o600)
		if d.IsDir() {
			mode = 0o700
		}
		return errors.Join(err, os.Chmod(path, mode)) //nolint:gosec // a folder
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A cleared TPM, or another one, has lost the camera for good; one that is away has not.
func TestALostTPM(t *testing.T) {
	state, chip := newTPMState(t)
	at := TPM{Path: chip.Path}
	before := storetest.Tree(t, state)
	chip.PowerOff()
	_, err := Load(state, chip.Path)
	if err == nil || errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "lies in a TPM, and there is no TPM at "+chip.Path+"; start camd where the TPM is") {
		t.Errorf("without its TPM: %v", err)
	}
	if r, err := PlanRepair(state, at); err == nil {
		t.Errorf("repaired without its TPM: %+v", r)
	}
	if r, err := PlanRepair(state, TPM{Path: chip.Path, Use: TPMOff}); err != nil || !r.NewDevice {
		t.Errorf("given up: %+v, %v", r, err)
	}
	if after := storetest.Tree(t, state); after != before {
		t.Error("something changed")
	}
	chip.PowerOn()
	chip.Clear()
	if _, err := Load(state, chip.Path); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "was cleared since it made the key, or is another one") {
		t.Errorf("cleared: %v", err)
	}
	r, err := PlanRepair(state, at)
	if err != nil || !r.NewDevice || !r.NewLabel {
		t.Fatalf("cleared: %+v, %v", r, err)
	}
	chip.PowerOff()
	if id, err := r.Do(); !errors.Is(err, tpm.ErrNone) {
		t.Errorf("a key of a TPM becomes %v, %v", id, err)
	}
	if after := storetest.Tree(t, state); after != before {
		t.Error("a repair that failed changed something")
	}
	chip.PowerOn()
	if id, err := r.Do(); err != nil || id.Class() != proto.ClassTPM {
		t.Errorf("made anew: %v, %v", id, err)
	}
}

func TestTPMUse(t *testing.T) {
	for text, ok := range map[string]bool{"auto": true, "require": true, "off": true, "": false, "Require": false} {
		var u TPMUse
		if err := u.UnmarshalText([]byte(text)); (err == nil) != ok || ok && string(u) != text {
			t.Errorf("%q: %q, %v", text, u, err)
		}
	}
}
