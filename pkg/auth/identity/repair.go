package identity

import (
	"crypto"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

// Repair is the plan for an identity of which files are damaged or missing.
type Repair struct {
	Damage []string // the beginning of a sentence for each file: which file, and what is wrong

	NewDevice bool // the key or the identifier is lost: this becomes another device
	NewLabel  bool // the label's secret is lost: the one on the housing fits no more

	state  string
	tpm    TPM // for a new key
	device proto.DeviceID
	key    crypto.Signer
	files  []string // names of those to make again
}

// PlanRepair looks at the identity and changes nothing. If Damage is empty, there is
// nothing to repair. A file that can't be read is not damage but an error, and so is a TPM
// that does not answer. With TPMOff a key in a TPM is lost.
func PlanRepair(state string, t TPM) (*Repair, error) {
	dir := filepath.Join(state, folder)
	if err := checkPrivate(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, ErrMissing
	} else if err != nil {
		return nil, err
	}
	r := &Repair{state: state, tpm: t.replacing(dir)}
	key, err := loadKey(dir, t)
	if r.lost(fileKey, err) != nil {
		return nil, err
	}
	r.key = key.signer
	if r.device, err = loadDevice(dir); r.lost(fileDeviceID, err) != nil {
		return nil, err
	}
	if r.key == nil {
		r.NewDevice, r.NewLabel = true, true
		return r, nil
	}
	chain, err := loadChain(dir, r.key.Public())
	if r.lost(fileCert, err) != nil {
		return nil, err
	}
	if named := deviceOf(chain); named != "" && named != r.device {
		if r.device != "" {
			_ = r.lost(fileDeviceID, damaged(dir, fileDeviceID, "is another device's"))
		}
		r.device = named
	}
	if r.device == "" {
		r.NewDevice, r.NewLabel = true, true
		return r, nil
	}
	_, err = loadLabel(dir, r.device, r.key.Public())
	r.NewLabel = errors.Is(err, ErrDamaged)
	if r.lost(fileLabel, err) != nil {
		return nil, err
	}
	_, err = readPrivate(dir, fileRequest)
	return r, r.lost(fileRequest, err)
}

// lost notes a file that is damaged, and returns any other error.
func (r *Repair) lost(name string, err error) error {
	if !errors.Is(err, ErrDamaged) {
		return err
	}
	r.Damage, r.files = append(r.Damage, err.Error()), append(r.files, name)
	return nil
}

// deviceOf returns the identifier in our own certificates; empty if there is none.
func deviceOf(chain [][]byte) proto.DeviceID {
	if len(chain) == 0 {
		return ""
	}
	leaf, err := x509.ParseCertificate(chain[0])
	if err != nil || !proto.DeviceID(leaf.Subject.CommonName).Valid() {
		return ""
	}
	return proto.DeviceID(leaf.Subject.CommonName)
}

// Do makes again what is lost, and what depends on it. For a new device all files are
// made again, and the old folder is set aside: the household begins a new epoch at the next
// start, since its keys are signed by the identity that is gone.
func (r *Repair) Do() (*Identity, error) {
	dir := filepath.Join(r.state, folder)
	if r.NewDevice {
		files, err := newFiles(r.tpm) // first, since the TPM may be away
		if err != nil {
			return nil, err
		}
		if _, err := store.SetAside(dir); err != nil {
			return nil, err
		}
		return write(r.state, files, r.tpm.Path)
	}
	made, err := filesFor(r.device, r.key)
	if err != nil {
		return nil, err
	}
	for _, name := range r.files {
		path := filepath.Join(dir, name)
		if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
			_, err = store.SetAside(path)
			if err != nil {
				return nil, err
			}
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if err := store.WriteFile(path, made[name]); err != nil {
			return nil, err
		}
	}
	return Load(r.state, r.tpm.Path)
}
