package publish

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/camd-project/camd/pkg/store"
	"github.com/camd-project/camd/pkg/update/release"
)

// Release is what a maker says of a bundle; the bundle itself says version and kind of
// device.
type Release struct {
	Bundle   string // path
	Minimum  string // "": any version
	Lowest   string // "": as Minimum
	Notes    string
	Security bool
	SBOM     string // path, or ""
}

// Add puts a release into the draft of the targets metadata, which offline keys must
// sign then, and its bundle into the site.
func (f *Folder) Add(r Release) (release.Custom, error) {
	unlock, err := f.lock()
	if err != nil {
		return release.Custom{}, err
	}
	defer unlock()
	manifest, sum, size, err := readBundle(r.Bundle)
	if err != nil {
		return release.Custom{}, err
	}
	draft, err := f.targetsDraft()
	if err != nil {
		return release.Custom{}, err
	}
	c, err := f.custom(r, manifest, draft)
	if err != nil {
		return c, err
	}
	custom, err := c.Marshal()
	if err != nil {
		return c, fmt.Errorf("%s (version %q of %q): %w", r.Bundle, c.Version, c.Compatible, err)
	}
	name := release.BundleName(c.Compatible, c.Version)
	if _, there := draft.Signed.Targets[name]; there {
		return c, fmt.Errorf("%s is released already: a version never changes, make another one", name)
	}
	if err := f.notAnother(c.Leaf()); err != nil {
		return c, err
	}
	if err := f.keepFiles(r, name, sum); err != nil {
		return c, err
	}
	raw := json.RawMessage(custom)
	draft.Signed.Targets[name] = &metadata.TargetFiles{Length: size, Hashes: metadata.Hashes{"sha256": sum}, Custom: &raw, Path: name}
	draft.Signatures = nil // of what was signed before it changed
	_, err = writeMetadata(f.Path(draftFolder, "targets.json"), draft)
	return c, err
}

// custom returns what the metadata say of a release that goes into the draft.
func (f *Folder) custom(r Release, manifest []byte, draft *metadata.Metadata[metadata.TargetsType]) (release.Custom, error) {
	index, err := f.nextLeaf(draft)
	if err != nil {
		return release.Custom{}, err
	}
	minimum := cmp.Or(r.Minimum, "0.0.0")
	return release.Custom{
		Version: manifestValue(manifest, "version"), Compatible: manifestValue(manifest, "compatible"),
		Manifest: release.ManifestHash(manifest), Minimum: minimum, Lowest: cmp.Or(r.Lowest, minimum), Notes: r.Notes, Security: r.Security,
		Targets: draft.Signed.Version, Log: index,
	}, nil
}

// targetsDraft returns the draft, or one of the next version.
func (f *Folder) targetsDraft() (*metadata.Metadata[metadata.TargetsType], error) {
	m := metadata.Targets(f.expires(targetsLife))
	path := f.Path(draftFolder, "targets.json")
	if _, err := os.Stat(path); err == nil {
		return m, readMetadata(path, m)
	}
	there, err := latest(f, metadata.TARGETS, m)
	if err != nil {
		return nil, err
	}
	if there {
		m.Signed.Version++
		m.Signed.Expires = f.expires(targetsLife)
		m.Signatures = nil
		return m, nil
	}
	k, err := f.online(rolloutRole)
	if err != nil {
		return nil, err
	}
	m.Signed.Delegations, err = delegation(k)
	return m, err
}

// delegation lets a key withhold releases, and nothing else.
func delegation(k key) (*metadata.Delegations, error) {
	public, err := k.tuf()
	if err != nil {
		return nil, fmt.Errorf("delegate to %s: %w", rolloutRole, err)
	}
	id, err := public.ID()
	if err != nil {
		return nil, fmt.Errorf("delegate to %s: %w", rolloutRole, err)
	}
	return &metadata.Delegations{
		Keys:  map[string]*metadata.Key{id: public},
		Roles: []metadata.DelegatedRole{{Name: rolloutRole, KeyIDs: []string{id}, Threshold: 1, Terminating: true, Paths: []string{rolloutRole + "/*"}}},
	}, nil
}

// nextLeaf returns the index that the next release's leaf will have.
func (f *Folder) nextLeaf(draft *metadata.Metadata[metadata.TargetsType]) (int64, error) {
	leaves, err := f.leaves()
	if err != nil {
		return 0, err
	}
	next := int64(len(leaves))
	for name, t := range draft.Signed.Targets {
		c, err := customOf(name, t)
		if err != nil {
			return 0, err
		}
		next = max(next, c.Log+1)
	}
	return next, nil
}

// notAnother refuses a bundle by the name of another one that the log holds, be it of a
// draft that was discarded: every monitor would say for ever that a name stands for two.
func (f *Folder) notAnother(l release.Leaf) error {
	leaves, err := f.leaves()
	for _, old := range leaves {
		if old.Compatible == l.Compatible && old.Version == l.Version && old.Manifest != l.Manifest {
			return fmt.Errorf("the release log holds another bundle as version %s for %s, which stays: give this one another version", l.Version, l.Compatible)
		}
	}
	return err
}

func customOf(name string, t *metadata.TargetFiles) (release.Custom, error) {
	if t.Custom == nil {
		return release.Custom{}, fmt.Errorf("the target %q is no release", name)
	}
	c, err := release.ParseCustom(*t.Custom)
	if err != nil {
		return c, fmt.Errorf("the target %q: %w", name, err)
	}
	return c, nil
}

// readBundle reads the manifest of a bundle, its hash and its size.
func readBundle(path string) (manifest, sum []byte, size int64, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, 0, fmt.Errorf("open the bundle: %w", err)
	}
	defer func() { _ = file.Close() }() // only read
	h := sha256.New()
	if size, err = io.Copy(h, file); err != nil {
		return nil, nil, 0, fmt.Errorf("read the bundle: %w", err)
	}
	if manifest, err = release.Manifest(file, size); err != nil {
		return nil, nil, 0, fmt.Errorf("%s can't be released: %w", path, err)
	}
	return manifest, h.Sum(nil), size, nil
}

// manifestValue reads a value of the section [update] of a RAUC manifest.
func manifestValue(manifest []byte, name string) string {
	section := ""
	for line := range strings.Lines(string(manifest)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section = line
		} else if k, v, ok := strings.Cut(line, "="); ok && section == "[update]" && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// keepFiles copies bundle and SBOM into the site.
func (f *Folder) keepFiles(r Release, name string, sum []byte) error {
	if err := copyFile(r.Bundle, f.Path(siteFolder, "targets", hex.EncodeToString(sum)+"."+name)); err != nil {
		return err
	}
	if r.SBOM == "" {
		return nil
	}
	return copyFile(r.SBOM, f.Path(siteFolder, "sbom", strings.TrimSuffix(name, ".raucb")+".cdx.json"))
}

// copyFile copies a file that others are to read, whole or not at all.
func copyFile(from, to string) error {
	if same(from, to) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil { //nolint:gosec // it is public
		return fmt.Errorf("publish: %w", err)
	}
	in, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	defer func() { _ = in.Close() }() // only read
	out, err := os.CreateTemp(filepath.Dir(to), ".camops-*")
	if err != nil {
		return fmt.Errorf("publish %s: %w", to, store.Bare(err))
	}
	_, err = io.Copy(out, in)
	err = errors.Join(err, out.Chmod(0o644), out.Sync(), out.Close())
	if err == nil {
		err = os.Rename(out.Name(), to)
	}
	if err != nil {
		_ = os.Remove(out.Name())
		return fmt.Errorf("publish %s: %w", to, store.Bare(err))
	}
	return store.SyncDir(filepath.Dir(to))
}

// same reports whether two files hold the same. A published one may have been damaged.
func same(from, to string) bool {
	a, errA := os.Stat(from)
	b, errB := os.Stat(to)
	return errors.Join(errA, errB) == nil && a.Size() == b.Size() && bytes.Equal(sumOf(from), sumOf(to))
}

// sumOf returns the hash of a file; of one that can't be read it is another one each time.
func sumOf(path string) []byte {
	h := sha256.New()
	file, err := os.Open(path)
	if err == nil {
		_, err = io.Copy(h, file)
		_ = file.Close() // only read
	}
	if err != nil {
		return []byte(rand.Text())
	}
	return h.Sum(nil)
}

// Discard removes the draft. Leaves that the log has stay in it.
func (f *Folder) Discard() error {
	unlock, err := f.lock()
	if err != nil {
		return err
	}
	defer unlock()
	drafts, err := os.ReadDir(f.Path(draftFolder)) // new keys among them
	if err != nil {
		return fmt.Errorf("discard the draft: %w", err)
	}
	for _, d := range drafts {
		if err := os.Remove(f.Path(draftFolder, d.Name())); err != nil {
			return fmt.Errorf("discard the draft: %w", err)
		}
	}
	return nil
}
