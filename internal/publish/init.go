package publish

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	formats "github.com/transparency-dev/formats/note"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/camd-project/camd/pkg/store"
	"github.com/camd-project/camd/pkg/update/release"
)

// Options are what a new Folder is made with.
type Options struct {
	Origin    string   // name of the release log, such as updates.example/log
	Witnesses []string // verifier keys of the witnesses; none: a development witness is made
	Need      int      // how many must sign
}

// Init makes a Folder with all its keys.
func Init(dir string, o Options, ask Passphrase) (*Folder, error) {
	f := &Folder{dir: dir, now: time.Now}
	if err := os.Mkdir(dir, 0o700); errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%s is there already: name another folder with --dir, or remove it", dir)
	} else if err != nil {
		return nil, fmt.Errorf("make the folder: %w", err)
	}
	if err := f.fill(o, ask); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir)) // keys of a folder that was never whole are nobody's
	}
	return f, nil
}

func (f *Folder) fill(o Options, ask Passphrase) error {
	for _, name := range []string{keyFolder, anchorFolder, siteFolder, draftFolder} {
		if err := os.Mkdir(f.Path(name), 0o700); err != nil {
			return fmt.Errorf("make the folder: %w", err)
		}
	}
	if err := os.Chmod(f.Path(anchorFolder), 0o755); err != nil { //nolint:gosec // it is public
		return fmt.Errorf("make the folder: %w", err)
	}
	if err := f.writeLeaves(nil); err != nil {
		return err
	}
	if err := f.makeRoot(ask); err != nil {
		return err
	}
	log, err := f.makeOnline("log")
	if err != nil {
		return err
	}
	_, vkey, err := log.noteKeys(o.Origin)
	if err != nil {
		return err
	}
	if err := writePublic(f.Path(anchorFolder), release.LogFile, []byte(vkey+"\n")); err != nil {
		return err
	}
	return f.makeWitnesses(o, vkey) // last: with it the folder is whole
}

// makeRoot makes all keys of TUF and signs the first root.
func (f *Folder) makeRoot(ask Passphrase) error {
	root := metadata.Root(f.expires(rootLife))
	signers, err := f.makeOffline(root, metadata.ROOT, ask)
	if err != nil {
		return err
	}
	if _, err := f.makeOffline(root, metadata.TARGETS, ask); err != nil {
		return err
	}
	for _, role := range []string{metadata.SNAPSHOT, metadata.TIMESTAMP} {
		k, err := f.makeOnline(role)
		if err != nil {
			return err
		}
		if err := f.addNamed(root, k, role); err != nil {
			return err
		}
	}
	if _, err := f.makeOnline(rolloutRole); err != nil {
		return err
	}
	for _, k := range signers[:offlineSigns] {
		if err := signMetadata(root, k); err != nil {
			return err
		}
	}
	text, err := writeMetadata(f.Path(siteFolder, "metadata", "1.root.json"), root)
	if err != nil {
		return err
	}
	return writePublic(f.Path(anchorFolder), release.RootFile, text)
}

// makeOffline makes the keys of a role that people keep, and names them in root.
func (f *Folder) makeOffline(root *metadata.Metadata[metadata.RootType], role string, ask Passphrase) ([]key, error) {
	var l []key
	for i := range offlineKeys {
		k, err := newKey(fmt.Sprintf("%s-%d", role, i+1))
		if err != nil {
			return nil, err
		}
		passphrase, err := ask(k.name, true)
		if err != nil {
			return nil, err
		}
		if err := k.write(f.Path(keyFolder, k.name+".key"), passphrase); err != nil {
			return nil, err
		}
		if err := f.addNamed(root, k, role); err != nil {
			return nil, err
		}
		l = append(l, k)
	}
	root.Signed.Roles[role].Threshold = offlineSigns
	return l, nil
}

func (f *Folder) addNamed(root *metadata.Metadata[metadata.RootType], k key, role string) error {
	if err := addKey(root, k, role); err != nil {
		return err
	}
	return f.nameKey(k.name, k.public())
}

func addKey(root *metadata.Metadata[metadata.RootType], k key, role string) error {
	public, err := k.tuf()
	if err == nil {
		err = root.Signed.AddKey(public, role)
	}
	if err != nil {
		return fmt.Errorf("add the key %s: %w", k.name, err)
	}
	return nil
}

func signMetadata[T metadata.Roles](m *metadata.Metadata[T], k key) error {
	s, err := k.signer()
	if err == nil {
		_, err = m.Sign(s)
	}
	if err != nil {
		return fmt.Errorf("sign with %s: %w", k.name, err)
	}
	return nil
}

// makeOnline makes a key that is needed without a person.
func (f *Folder) makeOnline(name string) (key, error) {
	k, err := newKey(name)
	if err != nil {
		return key{}, err
	}
	return k, k.write(f.Path(keyFolder, name+".key"), nil)
}

// makeWitnesses writes who is pinned. Without anybody a development witness is made: it
// is on the same machine, and proves nothing to anyone else.
func (f *Folder) makeWitnesses(o Options, logKey string) error {
	lines, need := o.Witnesses, o.Need
	if len(lines) == 0 {
		line, err := MakeWitness(f.Path(keyFolder, "witness.key"), "development.witness", nil)
		if err != nil {
			return err
		}
		lines, need = []string{line}, 1
	}
	text := fmt.Sprintf("n=%d\n%s\n", need, strings.Join(lines, "\n"))
	if _, err := release.ParseAnchors([]byte(logKey), []byte(text)); err != nil {
		return err
	}
	return writePublic(f.Path(anchorFolder), release.WitnessesFile, []byte(text))
}

// MakeWitness makes a witness's key, encrypted if there is a passphrase, and returns
// the line by which makers pin it.
func MakeWitness(path, name string, passphrase []byte) (string, error) {
	if _, err := os.Lstat(path); err == nil {
		return "", fmt.Errorf("%s is there already", path)
	}
	k, err := newKey(name)
	if err != nil {
		return "", err
	}
	_, vkey, err := k.noteKeys(name)
	if err != nil {
		return "", err
	}
	line, err := formats.VKeyToCosignatureV1(vkey)
	if err != nil {
		return "", fmt.Errorf("make the witness's key: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", fmt.Errorf("make the witness's key: %w", store.Bare(err))
	}
	return line, k.write(path, passphrase)
}
