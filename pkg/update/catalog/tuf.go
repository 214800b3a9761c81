package catalog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/config"
	"github.com/theupdateframework/go-tuf/v2/metadata/updater"

	"github.com/camd-project/camd/pkg/store"
	"github.com/camd-project/camd/pkg/update/release"
)

// rolloutRole is the delegated role that can withhold.
const rolloutRole = "rollout"

// Bounds of each kind of metadata. docs/updates.md 3.1.
const (
	maxRoot      = 512000
	maxTimestamp = 16384
	maxSnapshot  = 2000000
	maxTargets   = 5000000
	maxRotations = 256
)

// listing is the content of the verified TUF metadata.
type listing struct {
	version int64 // of the targets metadata
	targets map[string]*metadata.TargetFiles
	rollout func(compatible string) (release.Rollout, error) // empty if there is none
}

// errUnreadable is the error for metadata on which the library panics.
var errUnreadable = errors.New("the metadata are no metadata")

// guarded calls a function that parses foreign metadata. go-tuf panics on some (a null target,
// in 2.4.2), before it checks a signature.
func guarded[T any](parse func() (T, error)) (v T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errUnreadable
		}
	}()
	return parse()
}

// refresh reads, verifies and stores the TUF metadata (TUF 1.0.31, 5).
func (c *Catalog) refresh(f *fetcher, root []byte) (listing, error) {
	dir := filepath.Join(c.cfg.State, "metadata")
	f.kept = filepath.Join(dir, "roots")
	if err := os.MkdirAll(f.kept, 0o700); err != nil {
		return listing{}, fmt.Errorf("%w: %w", errKeep, store.Bare(err))
	}
	dropDamaged(dir)
	cfg := &config.UpdaterConfig{
		MaxRootRotations: maxRotations, MaxDelegations: 4,
		RootMaxLength: maxRoot, TimestampMaxLength: maxTimestamp, SnapshotMaxLength: maxSnapshot, TargetsMaxLength: maxTargets,
		Fetcher: f, LocalTrustedRoot: root, LocalMetadataDir: dir, LocalTargetsDir: dir,
		RemoteMetadataURL: f.base.JoinPath("metadata").String(), PrefixTargetsWithHash: true,
	}
	u, err := guarded(func() (*updater.Updater, error) { return updater.New(cfg) })
	if err != nil {
		if !ours(err) && !errors.Is(err, errKeep) { // the folder can be written, so it is the root
			err = fmt.Errorf("%w: %w", release.ErrAnchors, err)
		}
		return listing{}, err
	}
	u.UnsafeSetRefTime(c.cfg.Now().UTC()) // the device's clock; unsafe is only to lie to it
	_, refreshed := guarded(func() (any, error) { return nil, u.Refresh() })
	if err := f.keepRoots(u.GetTrustedMetadataSet().Root.Signed.Version, refreshed); err != nil {
		return listing{}, err
	}
	if refreshed != nil {
		return listing{}, refreshed
	}
	return listing{
		version: u.GetTrustedMetadataSet().Targets[metadata.TARGETS].Signed.Version,
		targets: u.GetTopLevelTargets(),
		rollout: func(compatible string) (release.Rollout, error) {
			r, err := guarded(func() (release.Rollout, error) { return rollout(u, compatible) })
			return r, errors.Join(err, syncAll(dir))
		},
	}, syncAll(dir)
}

// rollout reads the delegated role's custom data for a kind of device. Nothing that the role
// lists is a release.
func rollout(u *updater.Updater, compatible string) (release.Rollout, error) {
	info, err := u.GetTargetInfo(rolloutRole + "/" + compatible)
	if err != nil {
		set := u.GetTrustedMetadataSet()
		if set.Targets[rolloutRole] != nil || set.Targets[metadata.TARGETS].Signed.Delegations == nil {
			return release.Rollout{}, nil // read, and silent about this kind
		}
		return release.Rollout{}, err
	}
	if info.Custom == nil {
		return release.Rollout{}, release.ErrRollout
	}
	return release.ParseRollout(*info.Custom)
}

// keepRoots stores the new verified roots. If a stored one was refused, all are removed: they
// were damaged, and the server must send the chain again.
func (f *fetcher) keepRoots(verified int64, refreshed error) error {
	for version, data := range f.roots {
		if version > verified {
			continue
		}
		if err := store.WriteFile(filepath.Join(f.kept, fmt.Sprintf("%d.root.json", version)), data); err != nil {
			return fmt.Errorf("%w: %w", errKeep, err)
		}
	}
	if refreshed == nil {
		return nil
	}
	if _, err := os.Stat(filepath.Join(f.kept, fmt.Sprintf("%d.root.json", verified+1))); err == nil {
		return os.RemoveAll(f.kept)
	}
	return nil
}

// dropDamaged removes stored metadata that can't be read. go-tuf would always fail with them;
// without them the device asks the server, as a new device does.
func dropDamaged(dir string) {
	for role, read := range map[string]func([]byte) error{
		metadata.TIMESTAMP: func(b []byte) error { _, err := metadata.Timestamp().FromBytes(b); return err },
		metadata.SNAPSHOT:  func(b []byte) error { _, err := metadata.Snapshot().FromBytes(b); return err },
		metadata.TARGETS:   func(b []byte) error { _, err := metadata.Targets().FromBytes(b); return err },
		rolloutRole:        func(b []byte) error { _, err := metadata.Targets().FromBytes(b); return err },
	} {
		path := filepath.Join(dir, role+".json")
		data, err := os.ReadFile(path)
		if err == nil {
			_, err = guarded(func() (any, error) { return nil, read(data) })
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			_ = os.RemoveAll(path) // if it stays, the look fails and says so
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "tuf_tmp*")); err == nil {
		for _, path := range left { // of a look that a power cut ended
			_ = os.Remove(path)
		}
	}
}

// syncAll makes go-tuf's files durable: after a power cut an older state would be trusted again.
func syncAll(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("%w: %w", errKeep, store.Bare(err))
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".json") {
			continue
		}
		file, err := os.Open(filepath.Join(dir, e.Name()))
		if err == nil {
			err = errors.Join(file.Sync(), file.Close())
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errKeep, store.Bare(err))
		}
	}
	return store.SyncDir(dir)
}
