package auth

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/auth/identity"
	"github.com/camd-project/camd/pkg/foreign"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

// householdKeys holds the keys of one epoch. docs/protocol.md 2.4, 11.1.
type householdKeys struct {
	device proto.DeviceID
	epoch  uint64
	sig    *ecdsa.PrivateKey  // signs answers, signals and receipts
	enc    *ecdh.PrivateKey   // requests are sealed for it
	log    ed25519.PrivateKey // signs checkpoints of the access log
	trio   []byte             // their public keys, signed by the identity
	reason string             // why this epoch began
}

// Names in <state>/household/<epoch>.
const (
	householdFolder = "household"
	fileSig         = "sig.key"
	fileEnc         = "enc.key"
	fileLog         = "log.key"
	fileTrio        = "trio"
	fileReason      = "reason"

	maxReason = 200 // bytes, since members get it
)

// reasonFirst is why epoch 1 begins.
const reasonFirst = "first start"

// reasonDamaged is why an epoch begins after damage.
const reasonDamaged = "the camera's store was damaged"

// newestEpoch returns the highest epoch that has key files; 0 if there is none.
func newestEpoch(state string) (uint64, error) {
	entries, err := os.ReadDir(filepath.Join(state, householdFolder))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("look for household keys: %w", err)
	}
	var newest uint64
	for _, e := range entries { // a half-made folder has a dot in its name, which is no number
		if n, err := strconv.ParseUint(e.Name(), 10, 64); err == nil {
			newest = max(newest, n)
		}
	}
	return newest, nil
}

func epochFolder(state string, epoch uint64) string {
	return filepath.Join(state, householdFolder, strconv.FormatUint(epoch, 10))
}

// makeHouseholdKeys makes the keys of an epoch and stores them durably.
func makeHouseholdKeys(state string, id *identity.Identity, epoch uint64, reason string) (*householdKeys, error) {
	h, err := newHouseholdKeys(id, epoch, reason)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{fileTrio: h.trio, fileReason: []byte(reason)}
	for name, key := range map[string]any{fileSig: h.sig, fileEnc: h.enc, fileLog: h.log} {
		if files[name], err = identity.EncodeKey(key); err != nil {
			return nil, err
		}
	}
	dir := epochFolder(state, epoch)
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return nil, fmt.Errorf("make household folder: %w", err)
	}
	if err := store.SyncDir(state); err != nil {
		return nil, err
	}
	return h, store.WriteDir(dir, files)
}

func newHouseholdKeys(id *identity.Identity, epoch uint64, reason string) (*householdKeys, error) {
	h := &householdKeys{device: id.DeviceID(), epoch: epoch, reason: reason}
	var err error
	if h.sig, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, fmt.Errorf("make household key: %w", err)
	}
	if h.enc, err = ecdh.P256().GenerateKey(rand.Reader); err != nil {
		return nil, fmt.Errorf("make household key: %w", err)
	}
	if _, h.log, err = ed25519.GenerateKey(rand.Reader); err != nil {
		return nil, fmt.Errorf("make household key: %w", err)
	}
	logKey, _ := h.log.Public().(ed25519.PublicKey) // it is one
	h.trio, err = envelope.SignTrio(envelope.Trio{Device: id.DeviceID(), Epoch: epoch,
		Sig: &h.sig.PublicKey, Enc: h.enc.PublicKey(), Log: logKey}, id.Signer())
	if err != nil {
		return nil, fmt.Errorf("sign household keys: %w", err)
	}
	return h, nil
}

// CheckKeys returns what is wrong with the household keys and the sealing key, for camd
// check; nil also where there are none yet. It changes nothing.
func CheckKeys(state string, id *identity.Identity) error {
	epoch, err := newestEpoch(state)
	if err != nil || epoch == 0 {
		return err
	}
	if _, err := loadHouseholdKeys(state, id, epoch); err != nil {
		return err
	}
	_, err = store.ReadSealer(filepath.Join(state, storeFolder, fileSeal))
	return err
}

// loadHouseholdKeys reads the keys of an epoch. A file that has the wrong content is damage; one
// that can't be read is not.
func loadHouseholdKeys(state string, id *identity.Identity, epoch uint64) (*householdKeys, error) {
	dir := epochFolder(state, epoch)
	files := map[string][]byte{}
	for _, name := range []string{fileSig, fileEnc, fileLog, fileTrio, fileReason} {
		b, err := store.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, store.ErrMissing) {
			err = fmt.Errorf("%w: %s has no %s", store.ErrDamaged, dir, name)
		}
		if err != nil {
			return nil, fmt.Errorf("load household keys: %w", err)
		}
		files[name] = b
	}
	h := &householdKeys{device: id.DeviceID(), epoch: epoch, trio: files[fileTrio], reason: string(files[fileReason])}
	if err := h.parse(files); err != nil {
		return nil, fmt.Errorf("load household keys of epoch %d: %w: %w", epoch, store.ErrDamaged, err)
	}
	if len(h.reason) > maxReason || foreign.Line(h.reason) != h.reason {
		return nil, fmt.Errorf("load household keys of epoch %d: %w: %s is no reason", epoch, store.ErrDamaged, fileReason)
	}
	if err := h.verify(id); err != nil {
		return nil, fmt.Errorf("load household keys of epoch %d: %w: %w", epoch, store.ErrDamaged, err)
	}
	return h, nil
}

func (h *householdKeys) parse(files map[string][]byte) error {
	sig, err := identity.ParseKey(files[fileSig])
	if err != nil {
		return err
	}
	enc, err := identity.ParseKey(files[fileEnc])
	if err != nil {
		return err
	}
	log, err := identity.ParseKey(files[fileLog])
	if err != nil {
		return err
	}
	agree, ok := enc.(*ecdsa.PrivateKey) // PKCS #8 has one form for both uses
	if !ok {
		return errors.New("the encryption key is of another kind")
	}
	if h.enc, err = agree.ECDH(); err != nil {
		return err
	}
	var okSig, okLog bool
	h.sig, okSig = sig.(*ecdsa.PrivateKey)
	h.log, okLog = log.(ed25519.PrivateKey)
	if !okSig || !okLog {
		return errors.New("a key is of another kind")
	}
	return nil
}

// verify returns an error unless the signed keys are those of this device and epoch.
func (h *householdKeys) verify(id *identity.Identity) error {
	key, ok := id.Signer().Public().(*ecdsa.PublicKey)
	if !ok {
		return errors.New("the identity has no ECDSA key")
	}
	t, err := envelope.VerifyTrio(h.trio, key)
	if err != nil {
		return err
	}
	if t.Device != id.DeviceID() || t.Epoch != h.epoch || !t.Sig.Equal(h.sig.Public()) ||
		!bytes.Equal(t.Enc.Bytes(), h.enc.PublicKey().Bytes()) || !t.Log.Equal(h.log.Public()) {
		return errors.New("the signed trio is of other keys")
	}
	return nil
}

// removeOlder overwrites and removes the keys of earlier epochs: what was sealed for them
// must not be opened any more.
func removeOlder(state string, epoch uint64) error {
	dir := filepath.Join(state, householdFolder)
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if e.Name() != strconv.FormatUint(epoch, 10) {
			err = errors.Join(err, shredFolder(filepath.Join(dir, e.Name())))
		}
	}
	if err != nil {
		return fmt.Errorf("remove old household keys: %w", err)
	}
	return store.SyncDir(dir)
}

func shredFolder(dir string) error {
	if info, err := os.Lstat(dir); err == nil && !info.IsDir() { // a file in its place
		return errors.Join(store.Shred(dir), os.RemoveAll(dir))
	}
	files, err := os.ReadDir(dir)
	for _, f := range files {
		err = errors.Join(err, store.Shred(filepath.Join(dir, f.Name())))
	}
	return errors.Join(err, os.RemoveAll(dir))
}
