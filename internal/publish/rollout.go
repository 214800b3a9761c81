package publish

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/camd-project/camd/pkg/store"
	"github.com/camd-project/camd/pkg/update/release"
)

// rolloutFile is what the next rollout metadata will say, by kind of device.
const rolloutFile = "rollout.json"

// SetRollout says to how many percent of the devices a release goes. It takes effect
// with the next publish. compatible may be "" where there is one kind of device.
func (f *Folder) SetRollout(compatible, version string, percent int) error {
	if percent < 0 || percent > 100 {
		return fmt.Errorf("%d percent: give a number from 0 to 100", percent)
	}
	return f.changeRollout(compatible, version, func(s *release.Share) { s.Percent, s.Halted = percent, false })
}

// Halt withholds a release, or all if version is "", from whoever does not have it yet.
func (f *Folder) Halt(compatible, version string) error {
	return f.changeRollout(compatible, version, func(s *release.Share) { s.Halted = true })
}

func (f *Folder) changeRollout(compatible, version string, change func(*release.Share)) error {
	unlock, err := f.lock()
	if err != nil {
		return err
	}
	defer unlock()
	released, err := f.released()
	if err != nil {
		return err
	}
	kinds := map[string]bool{}
	for _, c := range released {
		kinds[c.Compatible] = true
	}
	if compatible == "" {
		if len(kinds) != 1 {
			return fmt.Errorf("there are releases for %d kinds of devices: say which one with --compatible", len(kinds))
		}
		compatible = released[0].Compatible
	}
	all, err := f.rollouts()
	if err != nil {
		return err
	}
	r, changed := all[compatible], 0
	for _, c := range released {
		if c.Compatible == compatible && (version == "" || c.Version == version) {
			change(share(&r, c.Version))
			changed++
		}
	}
	if changed == 0 {
		return fmt.Errorf("there is no release %s for %s: camops release add, sign and publish it first", version, compatible)
	}
	slices.SortFunc(r.Releases, func(a, b release.Share) int { return release.Compare(b.Version, a.Version) })
	if all[compatible], err = fitting(r); err != nil {
		return err
	}
	return f.writeRollouts(all)
}

// fitting leaves out what goes to nobody, the oldest first, if there is too much. What goes
// to somebody may be the only way from an old version, so that is for a person to end.
func fitting(r release.Rollout) (release.Rollout, error) {
	for i := len(r.Releases) - 1; i >= 0 && len(r.Releases) > release.MaxReleases; i-- {
		if s := r.Releases[i]; s.Halted || s.Percent == 0 {
			r.Releases = slices.Delete(r.Releases, i, i+1)
		}
	}
	if len(r.Releases) > release.MaxReleases {
		return r, fmt.Errorf("%d releases go to cameras already, and a camera reads no more: camops release halt one that no camera needs any more on its way, such as %s", release.MaxReleases, r.Releases[len(r.Releases)-1].Version)
	}
	return r, nil
}

// share returns a release's entry, made if it is not there: to nobody.
func share(r *release.Rollout, version string) *release.Share {
	for i := range r.Releases {
		if r.Releases[i].Version == version {
			return &r.Releases[i]
		}
	}
	r.Releases = append(r.Releases, release.Share{Version: version})
	return &r.Releases[len(r.Releases)-1]
}

// released returns the releases of draft and site.
func (f *Folder) released() ([]release.Custom, error) {
	m, err := f.targetsDraft()
	if err != nil {
		return nil, err
	}
	var l []release.Custom
	for name, t := range m.Signed.Targets {
		c, err := customOf(name, t)
		if err != nil {
			return nil, err
		}
		l = append(l, c)
	}
	return l, nil
}

func (f *Folder) rollouts() (map[string]release.Rollout, error) {
	all := map[string]release.Rollout{}
	text, err := os.ReadFile(f.Path(rolloutFile))
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Path(rolloutFile), err)
	}
	return all, nil
}

func (f *Folder) writeRollouts(all map[string]release.Rollout) error {
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return fmt.Errorf("write the rollout: %w", err)
	}
	return store.WriteFile(f.Path(rolloutFile), append(text, '\n'))
}

// renewRollout signs the rollout again if it says something else, or ends soon.
func (f *Folder) renewRollout() error {
	all, err := f.rollouts()
	if err != nil {
		return err
	}
	nothing := sha256.Sum256(nil)
	want := map[string]*metadata.TargetFiles{}
	for compatible, r := range all {
		text, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("write the rollout: %w", err)
		}
		raw := json.RawMessage(text)
		want[rolloutRole+"/"+compatible] = &metadata.TargetFiles{Hashes: metadata.Hashes{"sha256": nothing[:]}, Custom: &raw}
	}
	m := metadata.Targets()
	there, err := latest(f, rolloutRole, m)
	if err != nil {
		return err
	}
	same := there && maps.EqualFunc(m.Signed.Targets, want, func(a, b *metadata.TargetFiles) bool { return sameJSON(*a.Custom, *b.Custom) })
	targets := metadata.Targets()
	if _, err := latest(f, metadata.TARGETS, targets); err != nil {
		return err
	}
	if same && f.lasts(m.Signed.Expires, rolloutLife) && targets.VerifyDelegate(rolloutRole, m) == nil {
		return nil // it may have been signed by a key that was replaced since
	}
	if there {
		m.Signed.Version++
	}
	m.Signed.Targets, m.Signed.Expires, m.Signatures = want, f.expires(rolloutLife), nil
	k, err := f.online(rolloutRole)
	if err != nil {
		return err
	}
	if err := signMetadata(m, k); err != nil {
		return err
	}
	return commit(f, rolloutRole, m.Signed.Version, m)
}

// sameJSON compares what was indented with what was not.
func sameJSON(a, b json.RawMessage) bool {
	var x, y release.Rollout
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	return slices.Equal(x.Releases, y.Releases)
}

// lasts reports whether more than half of a life is left.
func (f *Folder) lasts(end time.Time, life time.Duration) bool { return end.Sub(f.now()) > life/2 }

// snapshot returns which versions of targets and rollout belong together.
func (f *Folder) snapshot() error {
	m := metadata.Snapshot()
	there, err := latest(f, metadata.SNAPSHOT, m)
	if err != nil {
		return err
	}
	meta := map[string]*metadata.MetaFiles{}
	for _, role := range []string{metadata.TARGETS, rolloutRole} {
		t := metadata.Targets()
		if _, err := latest(f, role, t); err != nil {
			return err
		}
		text, err := os.ReadFile(f.Path(siteFolder, "metadata", fmt.Sprintf("%d.%s.json", t.Signed.Version, role)))
		if err != nil {
			return fmt.Errorf("read metadata: %w", err)
		}
		meta[role+".json"] = metaFile(t.Signed.Version, text)
	}
	same := maps.EqualFunc(m.Signed.Meta, meta, func(a, b *metadata.MetaFiles) bool { return a.Version == b.Version && a.Hashes.Equal(b.Hashes) })
	root, err := f.root()
	if err != nil {
		return err
	}
	if there && same && f.lasts(m.Signed.Expires, snapshotLife) && root.VerifyDelegate(metadata.SNAPSHOT, m) == nil {
		return nil // it may have been signed by a key that was replaced since
	}
	if there {
		m.Signed.Version++
	}
	m.Signed.Meta, m.Signed.Expires, m.Signatures = meta, f.expires(snapshotLife), nil
	k, err := f.online(metadata.SNAPSHOT)
	if err != nil {
		return err
	}
	if err := signMetadata(m, k); err != nil {
		return err
	}
	return commit(f, metadata.SNAPSHOT, m.Signed.Version, m)
}

// timestamp returns which snapshot is the newest. It is signed again each time.
func (f *Folder) timestamp() error {
	s := metadata.Snapshot()
	if _, err := latest(f, metadata.SNAPSHOT, s); err != nil {
		return err
	}
	text, err := os.ReadFile(f.Path(siteFolder, "metadata", fmt.Sprintf("%d.snapshot.json", s.Signed.Version)))
	if err != nil {
		return fmt.Errorf("read metadata: %w", err)
	}
	m := metadata.Timestamp()
	there, err := latest(f, metadata.TIMESTAMP, m)
	if err != nil {
		return err
	}
	if there {
		m.Signed.Version++
	}
	m.Signed.Meta = map[string]*metadata.MetaFiles{"snapshot.json": metaFile(s.Signed.Version, text)}
	m.Signed.Expires, m.Signatures = f.expires(timestampLife), nil
	k, err := f.online(metadata.TIMESTAMP)
	if err != nil {
		return err
	}
	if err := signMetadata(m, k); err != nil {
		return err
	}
	_, err = writeMetadata(f.Path(siteFolder, "metadata", "timestamp.json"), m)
	return err
}
