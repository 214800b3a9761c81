package publish

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/camd-project/camd/pkg/update/release"
)

// Signed says how far a draft is.
type Signed struct {
	Role       string
	Version    int64
	Have, Need int
}

// ErrNothingToSign is the error for a key that no draft waits for.
var ErrNothingToSign = errors.New("nothing waits for this key: camops release add or sign --renew makes a draft")

// Renew makes drafts of what offline keys sign, with new ends. Drafts that have them already
// stay as they are, with their signatures: each who signs may say --renew.
func (f *Folder) Renew() error {
	unlock, err := f.lock()
	if err != nil {
		return err
	}
	defer unlock()
	targets, err := f.targetsDraft()
	if err == nil {
		err = renew(f, metadata.TARGETS, targets, &targets.Signed.Expires, f.expires(targetsLife))
	}
	if err != nil {
		return err
	}
	root, err := f.rootDraft()
	if err == nil {
		err = renew(f, metadata.ROOT, root, &root.Signed.Expires, f.expires(rootLife))
	}
	return err
}

func renew[T metadata.Roles](f *Folder, role string, m *metadata.Metadata[T], expires *time.Time, to time.Time) error {
	path := f.Path(draftFolder, role+".json")
	if _, err := os.Stat(path); err == nil && to.Sub(*expires) < day {
		return nil
	}
	*expires, m.Signatures = to, nil
	_, err := writeMetadata(path, m)
	return err
}

// EndsSoon says in sentences which of what offline keys sign has to be renewed.
func (f *Folder) EndsSoon() ([]string, error) {
	root, err := f.root()
	if err != nil {
		return nil, err
	}
	targets := metadata.Targets()
	if _, err := latest(f, metadata.TARGETS, targets); err != nil {
		return nil, err
	}
	var l []string
	for _, m := range []struct {
		role string
		end  time.Time
	}{{metadata.ROOT, root.Signed.Expires}, {metadata.TARGETS, targets.Signed.Expires}} {
		if m.end.Sub(f.now()) < warnBefore {
			l = append(l, fmt.Sprintf("The %s metadata end on %s, and then every camera refuses everything: have two of its keys sign with camops release sign --renew before.", m.role, m.end.Format("2006-01-02")))
		}
	}
	return l, nil
}

// root returns the newest root that is published, of a chain that begins with the anchors' one.
func (f *Folder) root() (*metadata.Metadata[metadata.RootType], error) {
	root := metadata.Root()
	if err := readMetadata(f.Path(anchorFolder, release.RootFile), root); err != nil {
		return nil, err
	}
	for {
		next, path := metadata.Root(), f.Path(siteFolder, "metadata", fmt.Sprintf("%d.root.json", root.Signed.Version+1))
		if err := readMetadata(path, next); errors.Is(err, fs.ErrNotExist) {
			return root, nil
		} else if err != nil {
			return nil, err
		}
		if root.VerifyDelegate(metadata.ROOT, next) != nil || next.VerifyDelegate(metadata.ROOT, next) != nil {
			return nil, fmt.Errorf("%s is not signed by two root keys of the root before it: find out who changed the folder", path)
		}
		root = next
	}
}

// Sign signs every draft that a key may sign, and says how far each draft is.
func (f *Folder) Sign(path string, ask Passphrase) ([]Signed, error) {
	k, err := readKey(path, ask)
	if err != nil {
		return nil, err
	}
	unlock, err := f.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	root, err := f.root()
	if err != nil {
		return nil, err
	}
	next, err := f.rootDraft() // which is published with the rest, and which its own keys sign, too
	if err != nil {
		return nil, err
	}
	old := root.Signed.Roles[metadata.ROOT].KeyIDs
	a, err := signDraft(f, next.Signed.Roles[metadata.TARGETS].KeyIDs, k, metadata.TARGETS, metadata.Targets())
	if err != nil {
		return nil, err
	}
	b, err := signDraft(f, slices.Concat(old, next.Signed.Roles[metadata.ROOT].KeyIDs), k, metadata.ROOT, metadata.Root())
	if err != nil {
		return nil, err
	}
	if !a && !b {
		return nil, ErrNothingToSign
	}
	return f.Drafts()
}

// signDraft signs a draft if there is one, and if the key is one of those that may.
func signDraft[T metadata.Roles](f *Folder, may []string, k key, role string, draft *metadata.Metadata[T]) (bool, error) {
	path := f.Path(draftFolder, role+".json")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		_, err = draft.FromBytes(text)
	}
	if err != nil {
		return false, fmt.Errorf("read the draft of %s: %w", role, err)
	}
	id, err := keyID(k.public())
	if err != nil {
		return false, err
	}
	if !slices.Contains(may, id) {
		return false, nil
	}
	if f.shown != nil && f.shown[role] != string(text) { // while the passphrase was typed
		return false, fmt.Errorf("the draft of %s has changed since it was shown, so it is not signed: begin again", role)
	}
	if err := ownNames(draft); err != nil {
		return false, err
	}
	if slices.ContainsFunc(draft.Signatures, func(s metadata.Signature) bool { return s.KeyID == id }) {
		return true, nil // a second time changes nothing
	}
	if err := signMetadata(draft, k); err != nil {
		return false, err
	}
	text, err = writeMetadata(path, draft)
	if f.shown != nil {
		f.shown[role] = string(text) // but for the signature it is the same
	}
	return true, err
}

// Drafts returns how far each draft is.
func (f *Folder) Drafts() ([]Signed, error) {
	root, err := f.root()
	if err != nil {
		return nil, err
	}
	var l []Signed
	targets, next := metadata.Targets(), metadata.Root()
	for _, d := range []struct {
		role string
		read func(path string) error
		is   func() (version int64, have int)
	}{
		{metadata.TARGETS, func(p string) error { return readMetadata(p, targets) }, func() (int64, int) { return targets.Signed.Version, len(targets.Signatures) }},
		{metadata.ROOT, func(p string) error { return readMetadata(p, next) }, func() (int64, int) { return next.Signed.Version, len(next.Signatures) }},
	} {
		path := f.Path(draftFolder, d.role+".json")
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := d.read(path); err != nil {
			return nil, err
		}
		s := Signed{Role: d.role, Need: root.Signed.Roles[d.role].Threshold}
		s.Version, s.Have = d.is()
		l = append(l, s)
	}
	return l, nil
}
