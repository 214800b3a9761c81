package publish_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/camd-project/camd/internal/publish"
	"github.com/camd-project/camd/internal/publish/publishtest"
)

// strange returns a key that nobody here has made.
func strange(t *testing.T) *metadata.Key {
	t.Helper()
	k, err := metadata.KeyFromPublicKey(publishtest.New(t).Stolen("targets-1").Public())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// edit changes metadata in the maker's folder, as who has broken into that machine can.
func edit[T metadata.Roles](t *testing.T, path string, m *metadata.Metadata[T], how func(*metadata.Metadata[T])) {
	t.Helper()
	if _, err := m.FromBytes(slurp(t, path)); err != nil {
		t.Fatal(err)
	}
	how(m)
	write(t, path, m)
}

func write[T metadata.Roles](t *testing.T, path string, m *metadata.Metadata[T]) {
	t.Helper()
	text, err := m.ToBytes(true)
	if err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func changes(t *testing.T, s *publishtest.Site) string {
	t.Helper()
	l, err := s.Changes()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(l, "\n")
}

// A key by the name of another one would be no change to who reads, and TUF does not look.
func TestNobodySignsAKeyByAnothersName(t *testing.T) {
	s := publishtest.New(t)
	s.Release("1.0.0")
	if err := s.Renew(); err != nil {
		t.Fatal(err)
	}
	foreign := strange(t)
	edit(t, s.Path("draft", "root.json"), metadata.Root(), func(m *metadata.Metadata[metadata.RootType]) {
		for _, id := range m.Signed.Roles[metadata.TARGETS].KeyIDs {
			m.Signed.Keys[id] = foreign
		}
	})
	if strings.Contains(changes(t, s), "NEW KEY") {
		t.Fatal("this test is about what is not shown")
	}
	if _, err := s.Sign(s.Path("keys", "root-1.key"), clear); err == nil || !strings.Contains(err.Error(), "another key's name") {
		t.Errorf("root: %v", err)
	}
	edit(t, s.Path("draft", "targets.json"), metadata.Targets(), func(m *metadata.Metadata[metadata.TargetsType]) {
		for id := range m.Signed.Delegations.Keys {
			m.Signed.Delegations.Keys[id] = foreign
		}
	})
	changes(t, s)
	if _, err := s.Sign(s.Path("keys", "targets-1.key"), clear); err == nil || !strings.Contains(err.Error(), "another key's name") {
		t.Errorf("targets: %v", err)
	}
}

// Who signs sees every release that no two keys have signed before, whatever lies in the
// folder as if it was published.
func TestWhoSignsSeesWhatWasSlippedIn(t *testing.T) {
	s := publishtest.New(t)
	s.Release("1.0.0")
	m := metadata.Targets()
	edit(t, s.Path("site", "metadata", "1.targets.json"), m, func(*metadata.Metadata[metadata.TargetsType]) {})
	raw := json.RawMessage(strings.Replace(string(*m.Signed.Targets["camd-test-1.0.0.raucb"].Custom), "1.0.0", "6.6.6", 1))
	slipped := *m.Signed.Targets["camd-test-1.0.0.raucb"]
	slipped.Custom = &raw
	m.Signed.Targets["camd-test-6.6.6.raucb"] = &slipped
	m.Signed.Version++ // its signatures are those of the version before
	write(t, s.Path("site", "metadata", "2.targets.json"), m)
	if _, err := s.Add(publish.Release{Bundle: s.Bundle("1.1.0")}); err != nil {
		t.Fatal(err)
	}
	if text := changes(t, s); !strings.Contains(text, "release 6.6.6") || !strings.Contains(text, "release 1.1.0") {
		t.Error(text)
	}
}

// Who may withhold releases, and how far back cameras may go, is shown as well.
func TestWhoSignsSeesTheRest(t *testing.T) {
	s := publishtest.New(t)
	s.Draft(publish.Release{}, "1.0.0")
	if text := changes(t, s); strings.Count(text, "NEW KEY of rollout") != 1 {
		t.Errorf("the first: %s", text)
	}
	if err := s.SetRollout("", "1.0.0", 100); err != nil {
		t.Fatal(err)
	}
	s.PublishAll()
	if _, err := s.Add(publish.Release{Bundle: s.Bundle("1.1.0"), Lowest: "1.0.0", Security: true, Notes: "Sound\x1b[2J"}); err != nil {
		t.Fatal(err)
	}
	text := changes(t, s)
	if strings.Contains(text, "rollout") || strings.Contains(text, "\x1b") {
		t.Errorf("%q", text)
	}
	for _, want := range []string{"nothing below 1.0.0 after it", "closes a hole", `"Sound`} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in %q", want, text)
		}
	}
	k := strange(t)
	id, err := k.ID()
	if err != nil {
		t.Fatal(err)
	}
	edit(t, s.Path("draft", "targets.json"), metadata.Targets(), func(m *metadata.Metadata[metadata.TargetsType]) {
		m.Signed.Delegations.Keys[id] = k
		m.Signed.Delegations.Roles[0].KeyIDs = []string{id}
	})
	if text := changes(t, s); !strings.Contains(text, "NEW KEY of rollout: "+id) || !strings.Contains(text, "taken away") {
		t.Errorf("another key: %s", text)
	}
}

// What is signed is what was shown, also if somebody changes it while the passphrase is typed.
func TestWhatIsSignedWasShown(t *testing.T) {
	s := publishtest.New(t)
	s.Release("1.0.0")
	if _, err := s.Add(publish.Release{Bundle: s.Bundle("1.1.0")}); err != nil {
		t.Fatal(err)
	}
	changes(t, s)
	meanwhile, err := publish.Open(s.Path())
	if err != nil {
		t.Fatal(err)
	}
	// The keys of these tests have no passphrase, so this comes before it.
	if _, err := meanwhile.Add(publish.Release{Bundle: s.Bundle("6.6.6")}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sign(s.Path("keys", "targets-1.key"), clear); err == nil || !strings.Contains(err.Error(), "changed since it was shown") {
		t.Errorf("%v", err)
	}
	if err := meanwhile.Renew(); err != nil { // and a root that was not there at all
		t.Fatal(err)
	}
	changes(t, s)
	if _, err := s.Sign(s.Path("keys", "root-1.key"), clear); err != nil {
		t.Error(err)
	}
}
