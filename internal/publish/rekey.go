package publish

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// namesFile says which key of TUF was made under which name, a line each: a key that is
// lost can't say so itself.
const namesFile = "names"

// Rekey makes another key in the place of one that is lost or known to others, and
// drafts a root that names it. The new key lies with the draft until that is published.
func (f *Folder) Rekey(name string, ask Passphrase) error {
	unlock, err := f.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if name == rolloutRole {
		return f.rekeyRollout()
	}
	role, _, _ := strings.Cut(name, "-")
	id, err := f.keyID(name)
	if err != nil {
		return err
	}
	root, err := f.rootDraft()
	if err != nil {
		return err
	}
	if root.Signed.RevokeKey(id, role) != nil {
		return fmt.Errorf("%s was replaced in this draft already: camops release add --discard removes the draft", name)
	}
	k, err := newKey(name)
	if err != nil {
		return err
	}
	var passphrase []byte
	if role == metadata.ROOT || role == metadata.TARGETS {
		if passphrase, err = ask(name, true); err != nil {
			return err
		}
	}
	if err := addKey(root, k, role); err != nil {
		return err
	}
	if err := k.write(f.Path(draftFolder, name+".key"), passphrase); err != nil {
		return err
	}
	root.Signatures = nil
	if _, err = writeMetadata(f.Path(draftFolder, "root.json"), root); err != nil || role != metadata.TARGETS {
		return err
	}
	targets, err := f.targetsDraft() // what the old key signed counts no more
	if err != nil {
		return err
	}
	targets.Signatures = nil
	_, err = writeMetadata(f.Path(draftFolder, "targets.json"), targets)
	return err
}

// rekeyRollout makes another key of the delegated role: targets name it, not the root.
func (f *Folder) rekeyRollout() error {
	path := f.Path(draftFolder, rolloutRole+".key")
	if _, err := os.Stat(path); err == nil {
		return fmt.Errorf("%s was replaced in this draft already: camops release add --discard removes the draft", rolloutRole)
	}
	targets, err := f.targetsDraft()
	if err != nil {
		return err
	}
	k, err := newKey(rolloutRole)
	if err != nil {
		return err
	}
	if targets.Signed.Delegations, err = delegation(k); err != nil {
		return err
	}
	if err := k.write(path, nil); err != nil {
		return err
	}
	targets.Signatures = nil
	_, err = writeMetadata(f.Path(draftFolder, "targets.json"), targets)
	return err
}

// rootDraft returns the draft, or one of the next version.
func (f *Folder) rootDraft() (*metadata.Metadata[metadata.RootType], error) {
	path := f.Path(draftFolder, "root.json")
	if _, err := os.Stat(path); err == nil {
		m := metadata.Root()
		return m, readMetadata(path, m)
	}
	m, err := f.root()
	if err != nil {
		return nil, err
	}
	m.Signed.Version++
	m.Signed.Expires, m.Signatures = f.expires(rootLife), nil
	return m, nil
}

// keyID returns the identifier of the key that was made last under a name.
func (f *Folder) keyID(name string) (id string, err error) {
	text, err := os.ReadFile(f.Path(namesFile))
	if err != nil {
		return "", fmt.Errorf("read which keys there are: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if w := strings.Fields(line); len(w) == 2 && w[0] == name {
			id = w[1]
		}
	}
	if id == "" {
		return "", fmt.Errorf("there is no key %s in the root: name one of root-1 to root-%d, targets-1 to targets-%[2]d, snapshot, timestamp, rollout", name, offlineKeys)
	}
	return id, nil
}

// nameKey writes down which key has a name.
func (f *Folder) nameKey(name string, public ed25519.PublicKey) error {
	id, err := keyID(public)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(f.Path(namesFile), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write down which keys there are: %w", err)
	}
	_, err = fmt.Fprintf(file, "%s %s\n", name, id)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("write down which keys there are: %w", err)
	}
	return nil
}

// takeKeys brings the keys of a draft to the others, when what names them is published.
// One that nothing names was never drafted to its end, and stays.
func (f *Folder) takeKeys() error {
	root, err := f.root()
	if err != nil {
		return err
	}
	targets := metadata.Targets()
	if _, err := latest(f, metadata.TARGETS, targets); err != nil {
		return err
	}
	files, _ := filepath.Glob(f.Path(draftFolder, "*.key")) // the pattern is a good one
	for _, path := range files {
		k, err := readKeyFile(path)
		if err != nil {
			return err
		}
		id, err := keyID(k.Public)
		if err != nil {
			return err
		}
		if root.Signed.Keys[id] == nil && (targets.Signed.Delegations == nil || targets.Signed.Delegations.Keys[id] == nil) {
			continue
		}
		if err := f.nameKey(k.Name, k.Public); err != nil {
			return err
		}
		if err := os.Rename(path, f.Path(keyFolder, filepath.Base(path))); err != nil {
			return fmt.Errorf("take the new key: %w", err)
		}
	}
	return nil
}
