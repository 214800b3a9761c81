package publish

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"golang.org/x/mod/sumdb/note"

	"github.com/camd-project/camd/pkg/update/release"
)

// Errors of Publish.
var (
	ErrUnsigned    = errors.New("the draft lacks signatures of offline keys")
	ErrUnwitnessed = errors.New("the release log waits for its witnesses")
)

// Publish writes everything to a folder for a web server: first the log and, when its witnesses
// have signed, also in that folder, the metadata. Calling it again renews what online keys sign.
// ErrUnwitnessed means that only the steps are missing that must wait for witnesses.
func (f *Folder) Publish(to string) error {
	unlock, err := f.lock()
	if err != nil {
		return err
	}
	defer unlock()
	a, err := release.ReadAnchors(f.Path(anchorFolder))
	if err != nil {
		return err
	}
	root, err := f.signedRoot()
	if err != nil {
		return err
	}
	targets, err := f.signedTargets(root)
	if err != nil {
		return err
	}
	if err := f.notOlder(a, root, to); err != nil {
		return err
	}
	if err := f.logReleases(a, targets); err != nil {
		return err
	}
	witnessed := f.mergeWitnesses(a, to)
	if witnessed != nil && !errors.Is(witnessed, ErrUnwitnessed) {
		return witnessed
	}
	if err := f.copyLog(to); err != nil || witnessed != nil {
		return errors.Join(err, witnessed)
	}
	if err := f.release(root, targets); err != nil {
		return err
	}
	return f.copySite(to)
}

// signedTargets returns the draft with all its signatures, by the keys of the root that is
// published with it, or nil if there is no draft and something is published already.
func (f *Folder) signedTargets(root *metadata.Metadata[metadata.RootType]) (*metadata.Metadata[metadata.TargetsType], error) {
	var err error
	if root == nil {
		if root, err = f.root(); err != nil {
			return nil, err
		}
	}
	m := metadata.Targets()
	err = readMetadata(f.Path(draftFolder, "targets.json"), m)
	if errors.Is(err, fs.ErrNotExist) {
		there, err := latest(f, metadata.TARGETS, m)
		if err == nil && !there {
			err = errors.New("there is nothing to publish: begin with camops release add --bundle FILE")
		}
		return nil, err
	}
	if err != nil {
		return nil, err
	}
	if root.VerifyDelegate(metadata.TARGETS, m) != nil {
		return nil, fmt.Errorf("%w: targets %d has %d of %d; camops release sign KEY adds one", ErrUnsigned, m.Signed.Version, len(m.Signatures), root.Signed.Roles[metadata.TARGETS].Threshold)
	}
	return m, nil
}

// signedRoot returns the draft of a root with all its signatures, or nil if there is none.
func (f *Folder) signedRoot() (*metadata.Metadata[metadata.RootType], error) {
	m := metadata.Root()
	err := readMetadata(f.Path(draftFolder, "root.json"), m)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	root, err := f.root()
	if err != nil {
		return nil, err
	}
	if root.VerifyDelegate(metadata.ROOT, m) != nil || m.VerifyDelegate(metadata.ROOT, m) != nil {
		return nil, fmt.Errorf("%w: root %d has %d of %d; camops release sign KEY adds one", ErrUnsigned, m.Signed.Version, len(m.Signatures), root.Signed.Roles[metadata.ROOT].Threshold)
	}
	return m, nil
}

// logReleases adds the draft's releases to the log, and signs a checkpoint that waits for
// witnesses. It is written before anything else mentions the release.
func (f *Folder) logReleases(a *release.Anchors, targets *metadata.Metadata[metadata.TargetsType]) error {
	leaves, err := f.leaves()
	if err != nil {
		return err
	}
	old := len(leaves)
	if targets != nil {
		if leaves, err = withReleases(leaves, targets); err != nil {
			return err
		}
	}
	if len(leaves) > old {
		if err := f.writeLeaves(leaves); err != nil { // first of all: what the log said once it says for ever
			return err
		}
	}
	files, root, err := release.Files(leaves, 0)
	if err != nil {
		return err
	}
	for path, data := range files {
		if err := f.writeSite("log/"+path, data); err != nil {
			return err
		}
	}
	cp := release.Checkpoint{Size: int64(len(leaves)), Hash: root}
	for _, name := range []string{release.CheckpointFile, pendingFile} {
		text, err := os.ReadFile(f.Path(siteFolder, "log", name))
		if err == nil && strings.HasPrefix(string(text), cp.Body(a.Origin())+"\n") {
			return f.writeSite("log/"+pendingFile, text) // it is signed already, perhaps by witnesses too
		}
	}
	text, err := f.signCheckpoint(a.Origin(), cp)
	if err != nil {
		return err
	}
	return f.writeSite("log/"+pendingFile, text)
}

// withReleases adds the leaves of releases that are not in the log yet, in the order of the
// indexes in their metadata.
func withReleases(leaves []release.Leaf, targets *metadata.Metadata[metadata.TargetsType]) ([]release.Leaf, error) {
	places := map[int64]release.Leaf{}
	for name, t := range targets.Signed.Targets {
		c, err := customOf(name, t)
		if err != nil {
			return nil, err
		}
		places[c.Log] = c.Leaf()
	}
	for _, i := range slices.Sorted(maps.Keys(places)) {
		switch {
		case i == int64(len(leaves)):
			leaves = append(leaves, places[i])
		case i > int64(len(leaves)) || leaves[i] != places[i]:
			return nil, fmt.Errorf("the draft names place %d of the log for %s, which is not its place: discard the draft and add its releases again", i, places[i].Version)
		}
	}
	return leaves, nil
}

func (f *Folder) signCheckpoint(origin string, cp release.Checkpoint) ([]byte, error) {
	k, err := f.online("log")
	if err != nil {
		return nil, err
	}
	skey, _, err := k.noteKeys(origin)
	if err != nil {
		return nil, err
	}
	s, err := note.NewSigner(skey)
	if err != nil {
		return nil, fmt.Errorf("sign the release log: %w", err)
	}
	text, err := note.Sign(&note.Note{Text: cp.Body(origin)}, s)
	if err != nil {
		return nil, fmt.Errorf("sign the release log: %w", err)
	}
	return text, nil
}

// mergeWitnesses adds the signatures of witnesses from the published folder. With enough of them
// the checkpoint becomes the log's.
func (f *Folder) mergeWitnesses(a *release.Anchors, to string) error {
	path := f.Path(siteFolder, "log", pendingFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the release log: %w", err)
	}
	if signed, err := os.ReadFile(filepath.Join(to, "log", pendingFile)); err == nil {
		merged := release.MergeSignatures(text, signed)
		if _, err := a.OpenUnwitnessed(merged); err == nil { // a signature that is false stays where it is
			text = merged
		}
	}
	if err := f.writeSite("log/"+pendingFile, text); err != nil {
		return err
	}
	cp, err := a.Open(text)
	if errors.Is(err, release.ErrFewWitnesses) {
		return fmt.Errorf("%w: %d of %d have signed; have each run camops release witness, then publish again", ErrUnwitnessed, len(cp.Witnesses), a.Need)
	} else if err != nil {
		return err
	}
	return f.writeSite("log/"+release.CheckpointFile, text)
}

// release signs and writes the metadata, timestamp last.
func (f *Folder) release(root *metadata.Metadata[metadata.RootType], targets *metadata.Metadata[metadata.TargetsType]) error {
	if root != nil {
		if err := commit(f, metadata.ROOT, root.Signed.Version, root); err != nil {
			return err
		}
	}
	if targets != nil {
		if err := commit(f, metadata.TARGETS, targets.Signed.Version, targets); err != nil {
			return err
		}
	}
	if err := f.takeKeys(); err != nil { // also after a publish that was cut off here
		return err
	}
	if err := f.renewRollout(); err != nil {
		return err
	}
	if err := f.snapshot(); err != nil {
		return err
	}
	return f.timestamp()
}

// commit publishes a draft.
func commit[T metadata.Roles](f *Folder, role string, version int64, m *metadata.Metadata[T]) error {
	if _, err := writeMetadata(f.Path(siteFolder, "metadata", fmt.Sprintf("%d.%s.json", version, role)), m); err != nil {
		return err
	}
	if err := os.Remove(f.Path(draftFolder, role+".json")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("end the draft: %w", err)
	}
	return nil
}

// copyLog copies the log, bundles and SBOMs to the published folder.
func (f *Folder) copyLog(to string) error {
	if err := f.copyTree(to, "log", release.CheckpointFile, pendingFile); err != nil {
		return err
	}
	for _, name := range []string{"targets", "sbom"} {
		if err := f.copyTree(to, name); err != nil {
			return err
		}
	}
	return f.copyOne(to, "log/"+pendingFile)
}

// copySite copies the rest. The files that readers begin with come last, so that everything they
// name is there.
func (f *Folder) copySite(to string) error {
	if err := f.copyOne(to, "log/"+release.CheckpointFile); err != nil {
		return err
	}
	if err := f.copyTree(to, "metadata", "timestamp.json"); err != nil {
		return err
	}
	return f.copyOne(to, "metadata/timestamp.json")
}

func (f *Folder) copyOne(to, path string) error {
	data, err := os.ReadFile(f.Path(siteFolder, filepath.FromSlash(path)))
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return writePublic(to, path, data)
}

// copyTree copies the files of a folder that are not there yet, but for those named.
func (f *Folder) copyTree(to, name string, except ...string) error {
	root := f.Path(siteFolder, name)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || slices.Contains(except, d.Name()) || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		return copyFile(path, filepath.Join(to, name, rel))
	})
	if _, there := os.Stat(root); errors.Is(there, fs.ErrNotExist) { // no bundle yet, or no SBOM
		return nil
	}
	return err
}
