package publish

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/camd-project/camd/pkg/update/release"
)

// notOlder refuses to publish from a folder that is older than what it has published, such
// as a copy that was brought back: what the log signs next would contradict what it has
// signed, and every camera that saw both would take no release from it any more.
func (f *Folder) notOlder(a *release.Anchors, root *metadata.Metadata[metadata.RootType], to string) error {
	leaves, err := f.leaves()
	if err != nil {
		return err
	}
	for _, dir := range []string{to, f.Path(siteFolder)} {
		for _, name := range []string{release.CheckpointFile, pendingFile} {
			text, err := os.ReadFile(filepath.Join(dir, "log", name))
			if err != nil {
				continue // nothing was published there yet
			}
			cp, err := a.OpenUnwitnessed(text)
			if err != nil {
				continue // the log's key has not signed it
			}
			if holds, err := continues(leaves, cp); err != nil {
				return err
			} else if !holds {
				return f.older(dir)
			}
		}
	}
	return f.notOlderMetadata(root, to)
}

// continues reports whether a log of these leaves begins with what a checkpoint signs.
func continues(leaves []release.Leaf, cp release.Checkpoint) (bool, error) {
	if cp.Size > int64(len(leaves)) {
		return false, nil
	}
	_, root, err := release.Files(leaves[:cp.Size], 0)
	return root == cp.Hash, err
}

// notOlderMetadata compares the timestamps, which every publish counts up. By a root that
// is to be published now, if there is one: a thief's key may be replaced with it.
func (f *Folder) notOlderMetadata(root *metadata.Metadata[metadata.RootType], to string) error {
	var err error
	if root == nil {
		if root, err = f.root(); err != nil {
			return err
		}
	}
	theirs, ours := metadata.Timestamp(), metadata.Timestamp()
	if readMetadata(filepath.Join(to, "metadata", "timestamp.json"), theirs) != nil || root.VerifyDelegate(metadata.TIMESTAMP, theirs) != nil {
		return nil //nolint:nilerr // nothing was published there yet, or a key was replaced
	}
	there, err := latest(f, metadata.TIMESTAMP, ours)
	if err != nil {
		return err
	}
	if !there || theirs.Signed.Version > ours.Signed.Version {
		return f.older(to)
	}
	return nil
}

func (f *Folder) older(than string) error {
	return fmt.Errorf("the folder %s is older than what is published in %s, so nothing is published: use the newest copy of it, since cameras that see two pasts of the release log never take a release from it again. If this is the newest, somebody else signs with its keys: camops release rekey", f.dir, than)
}
