package publish

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/camd-project/camd/pkg/foreign"
	"github.com/camd-project/camd/pkg/update/release"
)

// Changes returns, in lines, what the drafts change, for the people who sign them.
func (f *Folder) Changes() ([]string, error) {
	f.shown = map[string]string{}
	l, err := f.targetChanges()
	if err != nil {
		return nil, err
	}
	more, err := f.rootChanges()
	l = append(l, more...)
	for i := range l {
		l[i] = foreign.Line(l[i]) // who drafted it wrote parts of it
	}
	return l, err
}

// show reads a draft, if there is one, and notes that it was shown.
func show[T metadata.Roles](f *Folder, role string, draft *metadata.Metadata[T]) (bool, error) {
	text, err := os.ReadFile(f.Path(draftFolder, role+".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		f.shown[role] = string(text)
		_, err = draft.FromBytes(text)
	}
	if err != nil {
		return false, fmt.Errorf("read the draft of %s: %w", role, err)
	}
	return true, nil
}

func (f *Folder) targetChanges() ([]string, error) {
	draft, now := metadata.Targets(), metadata.Targets()
	if there, err := show(f, metadata.TARGETS, draft); !there || err != nil {
		return nil, err
	}
	if err := f.signedNow(now); err != nil {
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
		l = append(l, "  "+verb+" "+describe(c))
	}
	for _, name := range slices.Sorted(maps.Keys(now.Signed.Targets)) {
		if draft.Signed.Targets[name] == nil {
			l = append(l, "  WITHDRAW "+name)
		}
	}
	return append(l, delegationChanges(draft.Signed.Delegations, now.Signed.Delegations)...), nil
}

// signedNow reads the newest targets that the offline keys have signed. If other files are in
// their place, everything counts as new, so that nothing is hidden.
func (f *Folder) signedNow(now *metadata.Metadata[metadata.TargetsType]) error {
	there, err := latest(f, metadata.TARGETS, now)
	if err != nil || !there {
		return err
	}
	root, err := f.root()
	if err == nil && root.VerifyDelegate(metadata.TARGETS, now) != nil {
		*now = *metadata.Targets()
	}
	return err
}

// describe returns what a release is.
func describe(c release.Custom) string {
	s := fmt.Sprintf("%s for %s, manifest %s, from %s on", c.Version, c.Compatible, c.Manifest, c.Minimum)
	if c.Lowest != c.Minimum {
		s += ", nothing below " + c.Lowest + " after it"
	}
	if c.Security {
		s += ", closes a hole"
	}
	if c.Notes != "" {
		s += fmt.Sprintf(", %q", c.Notes)
	}
	return s
}

// delegationChanges says who else may list targets. There is one such role, rollout.
func delegationChanges(draft, now *metadata.Delegations) (l []string) {
	if draft == nil {
		draft = &metadata.Delegations{}
	}
	was := map[string]metadata.DelegatedRole{}
	if now != nil {
		for _, r := range now.Roles {
			was[r.Name] = r
		}
	}
	for _, r := range draft.Roles {
		old, there := was[r.Name]
		l = append(l, keyChanges(r.Name, r.KeyIDs, old.KeyIDs)...)
		if !there || r.Threshold != old.Threshold || !slices.Equal(r.Paths, old.Paths) || !slices.Equal(r.PathHashPrefixes, old.PathHashPrefixes) {
			l = append(l, fmt.Sprintf("  %q lists %q, and %d of its keys sign", r.Name, slices.Concat(r.Paths, r.PathHashPrefixes), r.Threshold))
		}
		delete(was, r.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(was)) {
		l = append(l, fmt.Sprintf("  %q lists nothing any more", name))
	}
	if draft.SuccinctRoles != nil {
		l = append(l, fmt.Sprintf("  ROLES %q list everything", draft.SuccinctRoles.NamePrefix))
	}
	return l
}

// keyChanges returns which keys a role gets and loses.
func keyChanges(role string, ids, old []string) (l []string) {
	for _, id := range ids {
		if !slices.Contains(old, id) {
			l = append(l, fmt.Sprintf("  NEW KEY of %s: %s", role, id))
		}
	}
	for _, id := range old {
		if !slices.Contains(ids, id) {
			l = append(l, fmt.Sprintf("  key of %s taken away: %s", role, id))
		}
	}
	return l
}

// ownNames refuses metadata in which a key has the identifier of another one: TUF does not
// compare them, and people see only identifiers.
func ownNames(m any) error {
	var keys map[string]*metadata.Key
	switch m := m.(type) {
	case *metadata.Metadata[metadata.RootType]:
		keys = m.Signed.Keys
	case *metadata.Metadata[metadata.TargetsType]:
		if m.Signed.Delegations != nil {
			keys = m.Signed.Delegations.Keys
		}
	}
	for name, k := range keys {
		if id, err := k.ID(); err != nil || id != name {
			return fmt.Errorf("the draft holds a key under another key's name (%s), as no command writes it: sign nothing, and find out who changed the folder", foreign.Name(name))
		}
	}
	return nil
}

func (f *Folder) rootChanges() ([]string, error) {
	draft := metadata.Root()
	if there, err := show(f, metadata.ROOT, draft); !there || err != nil {
		return nil, err
	}
	now, err := f.root()
	if err != nil {
		return nil, err
	}
	l := []string{fmt.Sprintf("root %d, which lasts until %s:", draft.Signed.Version, draft.Signed.Expires.Format("2006-01-02"))}
	for _, role := range slices.Sorted(maps.Keys(draft.Signed.Roles)) {
		r, old := draft.Signed.Roles[role], now.Signed.Roles[role]
		if old == nil {
			old = &metadata.Role{Threshold: r.Threshold}
		}
		l = append(l, keyChanges(role, r.KeyIDs, old.KeyIDs)...)
		if r.Threshold != old.Threshold {
			l = append(l, fmt.Sprintf("  %d KEYS SIGN for %s, not %d", r.Threshold, role, old.Threshold))
		}
	}
	return l, nil
}
