package publish

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Changes says in lines what the drafts change of what is published: who signs reads it
// first.
func (f *Folder) Changes() ([]string, error) {
	l, err := f.targetChanges()
	if err != nil {
		return nil, err
	}
	more, err := f.rootChanges()
	return append(l, more...), err
}

func (f *Folder) targetChanges() ([]string, error) {
	draft, now := metadata.Targets(), metadata.Targets()
	if err := readMetadata(f.Path(draftFolder, "targets.json"), draft); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if _, err := latest(f, metadata.TARGETS, now); err != nil {
		return nil, err
	}
	l := []string{fmt.Sprintf("targets %d, which last until %s:", draft.Signed.Version, draft.Signed.Expires.Format("2006-01-02"))}
	for _, name := range slices.Sorted(maps.Keys(draft.Signed.Targets)) {
		t, old := draft.Signed.Targets[name], now.Signed.Targets[name]
		if old != nil && t.Equal(*old) && string(*t.Custom) == string(*old.Custom) {
			continue
		}
		c, err := customOf(name, t)
		if err != nil {
			return nil, err
		}
		verb := "release"
		if old != nil {
			verb = "CHANGE"
		}
		l = append(l, fmt.Sprintf("  %s %s for %s, manifest %s, from %s on", verb, c.Version, c.Compatible, c.Manifest, c.Minimum))
	}
	for _, name := range slices.Sorted(maps.Keys(now.Signed.Targets)) {
		if draft.Signed.Targets[name] == nil {
			l = append(l, "  WITHDRAW "+name)
		}
	}
	return l, nil
}

func (f *Folder) rootChanges() ([]string, error) {
	draft := metadata.Root()
	if err := readMetadata(f.Path(draftFolder, "root.json"), draft); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	now, err := f.root()
	if err != nil {
		return nil, err
	}
	l := []string{fmt.Sprintf("root %d, which lasts until %s:", draft.Signed.Version, draft.Signed.Expires.Format("2006-01-02"))}
	for _, role := range slices.Sorted(maps.Keys(draft.Signed.Roles)) {
		r, old := draft.Signed.Roles[role], now.Signed.Roles[role]
		for _, id := range r.KeyIDs {
			if old == nil || !slices.Contains(old.KeyIDs, id) {
				l = append(l, fmt.Sprintf("  NEW KEY of %s: %s", role, id))
			}
		}
		if old == nil {
			continue
		}
		for _, id := range old.KeyIDs {
			if !slices.Contains(r.KeyIDs, id) {
				l = append(l, fmt.Sprintf("  key of %s taken away: %s", role, id))
			}
		}
		if r.Threshold != old.Threshold {
			l = append(l, fmt.Sprintf("  %d KEYS SIGN for %s, not %d", r.Threshold, role, old.Threshold))
		}
	}
	return l, nil
}
