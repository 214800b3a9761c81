package auth

import (
	"crypto"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

// Repair is what becomes of an identity of which files are damaged or missing.
type Repair struct {
	Damage []string // sentences' beginnings: which file is what

	NewDevice bool // the key or the identifier is lost: this becomes another device
	NewLabel  bool // the label's secret is lost: the one on the housing fits no more

	state  string
	tpm    TPM // for a key that is made anew
	device proto.DeviceID
	key    crypto.Signer
	files  []string // names of those that are made anew
}

// PlanRepair looks at the identity and changes nothing. Nothing is to be repaired where
// Damage is empty. What can't be read is no damage, but an error, and so is a TPM that does
// not answer; with TPMOff what lies in a TPM is lost.
func PlanRepair(state string, t TPM) (*Repair, error) {
	dir := filepath.Join(state, identityFolder)
	if err := private(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoIdentity
	} else if err != nil {
		return nil, err
	}
	r := &Repair{state: state, tpm: t.after(dir)}
	key, err := loadKey(dir, t)
	if r.lost(fileKey, err) != nil {
		return nil, err
	}
	r.key = key.key
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
	r.NewLabel = errors.Is(err, ErrIdentity)
	if r.lost(fileLabel, err) != nil {
		return nil, err
	}
	_, err = readPrivate(dir, fileRequest)
	return r, r.lost(fileRequest, err)
}

// lost notes a file that is damaged. Any other error is returned.
func (r *Repair) lost(name string, err error) error {
	if !errors.Is(err, ErrIdentity) {
		return err
	}
	r.Damage, r.files = append(r.Damage, err.Error()), append(r.files, name)
	return nil
}

// deviceOf is the identifier in certificates of ours; empty if there is none.
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

// Do makes anew what is lost, and what does not fit without it. Of another device's
// identity all is made anew, and what was there is set aside: the household begins a new
// epoch at the next start, since its keys are signed by the identity that is gone.
func (r *Repair) Do() (Identity, error) {
	dir := filepath.Join(r.state, identityFolder)
	if r.NewDevice {
		files, err := newIdentity(proto.NewDeviceID(), r.tpm) // first, since the TPM may be away
		if err != nil {
			return nil, err
		}
		if _, err := store.SetAside(dir); err != nil {
			return nil, err
		}
		return writeIdentity(r.state, files, r.tpm.Path)
	}
	made, err := r.remake()
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
	return LoadIdentity(r.state, r.tpm.Path)
}

// remake makes all files that follow from key and identifier.
func (r *Repair) remake() (map[string][]byte, error) {
	cert, err := selfSigned(r.device, r.key)
	if err != nil {
		return nil, err
	}
	request, err := signingRequest(r.device, r.key)
	if err != nil {
		return nil, err
	}
	label, err := pairing.NewLabel(r.device, pairing.NewSecret(), r.key.Public())
	if err != nil {
		return nil, err
	}
	return map[string][]byte{fileDeviceID: []byte(r.device), fileCert: cert, fileRequest: request, fileLabel: []byte(label.Text())}, nil
}
