package publish_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/camd-project/camd/internal/publish"
	"github.com/camd-project/camd/internal/publish/publishtest"
	"github.com/camd-project/camd/pkg/update/release"
)

func clear(string, bool) ([]byte, error) { return nil, nil }

func TestInitThatFailsLeavesNothing(t *testing.T) {
	for name, tt := range map[string]struct {
		o   publish.Options
		ask publish.Passphrase
	}{
		"no passphrase":     {publish.Options{Origin: "a.example/log"}, func(string, bool) ([]byte, error) { return nil, errors.New("none") }},
		"name of the log":   {publish.Options{Origin: "a log"}, clear},
		"no name":           {publish.Options{}, clear},
		"a witness":         {publish.Options{Origin: "a.example/log", Witnesses: []string{"anna"}, Need: 1}, clear},
		"too many demanded": {publish.Options{Origin: "a.example/log", Witnesses: []string{witness(t)}, Need: 2}, clear},
	} {
		dir := filepath.Join(t.TempDir(), "maker")
		if _, err := publish.Init(dir, tt.o, tt.ask); err == nil {
			t.Errorf("%s: made", name)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s: %s is left", name, dir)
		}
	}
}

// witness makes a witness's key and returns its line.
func witness(t *testing.T) string {
	t.Helper()
	line, err := publish.MakeWitness(filepath.Join(t.TempDir(), "witness.key"), "w.example", nil)
	if err != nil {
		t.Fatal(err)
	}
	return line
}

func TestKeysThatAreNone(t *testing.T) {
	s := publishtest.New(t)
	good := slurp(t, s.Path("keys", "targets-1.key"))
	other := slurp(t, s.Path("keys", "targets-2.key"))
	public := func(text []byte) string { return strings.Split(string(text), `"`)[7] }
	for name, tt := range map[string]struct {
		text string
		mode os.FileMode
		want string
	}{
		"open to others": {string(good), 0o644, "chmod go-rwx"},
		"empty":          {"", 0o600, "is no key"},
		"another file":   {"{}", 0o600, "is no key"},
		"short":          {`{"name":"targets-1","seed":"AAAA"}`, 0o600, "is no key"},
		"another public": {strings.Replace(string(good), public(good), public(other), 1), 0o600, "another public key"},
		"sealed garbage": {strings.Replace(string(good), `"seed": "`, `"encrypted": {"kdf":1}, "x": "`, 1), 0o600, "passphrase is wrong"},
	} {
		path := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(path, []byte(tt.text), tt.mode); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Sign(path, clear); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func slurp(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestBundlesThatCantBeReleased(t *testing.T) {
	s := publishtest.New(t)
	for name, manifest := range map[string]string{
		"no version":     "[update]\ncompatible=camd-test\n",
		"other version":  "[update]\ncompatible=camd-test\nversion=v1\n",
		"no kind":        "[update]\nversion=1.0.0\n",
		"a path as kind": "[update]\ncompatible=../x\nversion=1.0.0\n",
		"other section":  "[bundle]\ncompatible=camd-test\nversion=1.0.0\n",
	} {
		path := s.Temp("x.raucb")
		if err := os.WriteFile(path, publishtest.BundleOf([]byte(manifest)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Add(publish.Release{Bundle: path}); !errors.Is(err, release.ErrRelease) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, r := range map[string]publish.Release{
		"too new a minimum": {Minimum: "9.0.0"}, "too new a lowest": {Lowest: "9.0.0"}, "long notes": {Notes: strings.Repeat("a", 3000)},
	} {
		r.Bundle = s.Bundle("1.0.0")
		if _, err := s.Add(r); !errors.Is(err, release.ErrRelease) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if drafts, err := s.Drafts(); err != nil || len(drafts) != 0 {
		t.Errorf("what was refused is drafted: %+v, %v", drafts, err)
	}
}

// Whoever changes a draft has it signed again.
func TestADraftThatChangesLosesItsSignatures(t *testing.T) {
	s := publishtest.New(t)
	s.Draft(publish.Release{}, "1.0.0")
	if d, err := s.Drafts(); err != nil || len(d) != 1 || d[0].Have != 2 || d[0].Need != 2 {
		t.Fatalf("%+v, %v", d, err)
	}
	if _, err := s.Add(publish.Release{Bundle: s.Bundle("1.1.0")}); err != nil {
		t.Fatal(err)
	}
	if err := s.Publish(s.Dir); !errors.Is(err, publish.ErrUnsigned) {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(filepath.Join(s.Dir, "log")); err == nil {
		t.Error("the log knows what nobody has signed")
	}
}

// Keys that are lost, or known to others, are replaced; cameras follow.
func TestRekey(t *testing.T) {
	s := publishtest.New(t)
	s.Release("1.0.0")
	c := s.Catalog("0.9.0")
	look := func() {
		t.Helper()
		if _, err := c.Latest(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	look()
	lost := map[string][]byte{}
	for _, name := range []string{"root-1", "targets-2", "snapshot", "timestamp"} {
		lost[name] = slurp(t, s.Path("keys", name+".key"))
		if err := s.Rekey(name, clear); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Rekey("root-1", clear); err == nil || !strings.Contains(err.Error(), "replaced in this draft already") {
		t.Errorf("twice: %v", err)
	}
	for _, name := range []string{"log", "anna", ""} {
		if err := s.Rekey(name, clear); err == nil || !strings.Contains(err.Error(), "there is no key") {
			t.Errorf("%s: %v", name, err)
		}
	}
	reader, err := publish.Open(s.Path())
	if err != nil {
		t.Fatal(err)
	}
	changes, err := reader.Changes()
	if text := strings.Join(changes, "\n"); err != nil || strings.Count(text, "NEW KEY of") != 4 || strings.Count(text, "taken away") != 4 {
		t.Errorf("%s, %v", text, err)
	}
	unsigned := func(want string) {
		t.Helper()
		if err := s.Publish(s.Dir); !errors.Is(err, publish.ErrUnsigned) || !strings.Contains(err.Error(), want) {
			t.Fatalf("%v, want %s", err, want)
		}
	}
	unsigned("root 2")
	if err := os.WriteFile(s.Temp("lost"), lost["targets-2"], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sign(s.Temp("lost"), clear); !errors.Is(err, publish.ErrNothingToSign) {
		t.Errorf("the lost key signs: %v", err)
	}
	s.SignWith("root-2")
	unsigned("root 2")
	s.SignWith("root-3")
	s.SignWith("targets-1")
	unsigned("targets 2 has 1 of 2")
	if _, err := s.Sign(s.Path("draft", "targets-2.key"), clear); err != nil {
		t.Fatal(err)
	}
	if err := s.Publish(s.Dir); err != nil {
		t.Fatal(err)
	}
	look()
	for name, old := range lost {
		if now := slurp(t, s.Path("keys", name+".key")); bytes.Equal(now, old) {
			t.Errorf("%s is the old key", name)
		}
	}
	if left, err := os.ReadDir(s.Path("draft")); err != nil || len(left) != 0 {
		t.Errorf("left in the draft: %v, %v", left, err)
	}
	s.Release("1.1.0") // by targets-1 and targets-3
	look()
	if err := s.Rekey("targets-2", clear); err != nil { // and again
		t.Fatal(err)
	}
	if err := s.Discard(); err != nil {
		t.Fatal(err)
	}
	if err := s.Publish(s.Dir); err != nil {
		t.Fatal(err)
	}
	look()
}

// A discarded draft leaves its place in the log to nobody else.
func TestDiscardedAfterItWasLogged(t *testing.T) {
	s := publishtest.New(t)
	s.Release("1.0.0")
	s.Draft(publish.Release{}, "1.1.0")
	if err := s.Publish(s.Dir); !errors.Is(err, publish.ErrUnwitnessed) {
		t.Fatal(err)
	}
	if err := s.Discard(); err != nil {
		t.Fatal(err)
	}
	s.Release("1.2.0")
	r, err := publish.Monitor(t.Context(), s.Anchors, s.Temp("monitor"), s.Dir)
	if err != nil || len(r.Entries) != 3 || r.Entries[1].Offer != nil || r.Entries[1].Version != "1.1.0" || r.Entries[2].Offer == nil || r.Entries[2].Share.Percent != 100 {
		t.Errorf("%+v, %v", r, err)
	}
}

// Two witnesses sign, one at the folder, one from its address.
func TestTwoWitnesses(t *testing.T) {
	s := publishtest.NewWith(t, publish.Options{Witnesses: []string{witnessAt(t, "a"), witnessAt(t, "b"), witnessAt(t, "c")}, Need: 2})
	s.Draft(publish.Release{}, "1.0.0")
	waits := func(want string) {
		t.Helper()
		if err := s.Publish(s.Dir); !errors.Is(err, publish.ErrUnwitnessed) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	waits("0 of 2")
	sign := func(name, from string) []byte {
		t.Helper()
		w := publish.Witness{LogKey: s.Path("anchors", "log.pub"), Key: witnessPath(t, name), State: witnessPath(t, name) + ".seen", Ask: clear}
		text, _, err := w.Sign(t.Context(), from)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	sign("b", s.Dir)
	sign("b", s.Dir)
	waits("1 of 2")
	s.Write("log/pending", bytes.Replace(s.Read("log/pending"), []byte("— b.example "), []byte("— c.example "), 1))
	waits("1 of 2") // what b signed is not c's, and is kept as b's
	s.Write("log/pending", sign("a", s.URL))
	if err := s.Publish(s.Dir); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Catalog("0.9.0").Latest(t.Context()); !errors.Is(err, release.ErrNone) { // the rollout says nobody
		t.Error(err)
	}
}

var witnesses = map[string]string{} // by test and name

func witnessPath(t *testing.T, name string) string { return witnesses[t.Name()+name] }

func witnessAt(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name+".key")
	witnesses[t.Name()+name] = path
	line, err := publish.MakeWitness(path, name+".example", nil)
	if err != nil {
		t.Fatal(err)
	}
	return line
}

// A witness signs no log whose entries nobody can read, nor one of another key.
func TestAWitnessReadsWhatItSigns(t *testing.T) {
	s := publishtest.New(t)
	s.Release("1.0.0")
	if err := os.Remove(s.Temp("witness.seen")); err != nil {
		t.Fatal(err)
	}
	other := publishtest.New(t)
	w := s.WitnessOf()
	w.LogKey = other.Path("anchors", "log.pub")
	if _, _, err := w.Sign(t.Context(), s.Dir); !errors.Is(err, release.ErrCheckpoint) {
		t.Errorf("another log: %v", err)
	}
	entries := s.Read("log/tile/entries/000.p/1")
	s.Write("log/tile/entries/000.p/1", bytes.Replace(entries, []byte("1.0.0"), []byte("1.0.1"), 1))
	if _, _, err := s.WitnessOf().Sign(t.Context(), s.Dir); !errors.Is(err, release.ErrTiles) {
		t.Errorf("another entry: %v", err)
	}
	if _, _, err := s.WitnessOf().Sign(t.Context(), t.TempDir()); err == nil {
		t.Error("an empty folder was signed")
	}
}

// A monitor says that a name stands for two things.
func TestMonitorSeesTwoOfOneName(t *testing.T) {
	s := publishtest.New(t)
	s.Release("1.0.0")
	twin := s.Leaves()[0]
	twin.Manifest = release.ManifestHash([]byte("another"))
	s.ForgeLog(append(s.Leaves(), twin), true)
	r, err := publish.Monitor(t.Context(), s.Anchors, s.Temp("monitor"), s.Dir)
	if !errors.Is(err, publish.ErrWrong) || len(r.Wrong) != 1 || !strings.Contains(r.Wrong[0], "two different releases that call themselves 1.0.0") {
		t.Errorf("%+v, %v", r, err)
	}
}

// Many releases: none that cameras may need on their way goes out of the rollout by itself.
func TestManyReleases(t *testing.T) {
	s := publishtest.New(t)
	const n = 34
	for i := range n {
		if _, err := s.Add(publish.Release{Bundle: s.Bundle(fmt.Sprintf("1.%d.0", i))}); err != nil {
			t.Fatal(err)
		}
	}
	s.SignWith("targets-1")
	s.SignWith("targets-2")
	roll := func(i int) error { return s.SetRollout("", fmt.Sprintf("1.%d.0", i), 100) }
	for i := range n - 2 {
		if err := roll(i); err != nil {
			t.Fatal(err)
		}
	}
	if err := roll(n - 1); err == nil || !strings.Contains(err.Error(), "such as 1.0.0") {
		t.Fatalf("one too many: %v", err)
	}
	if err := s.Halt("", "1.3.0"); err != nil {
		t.Fatal(err)
	}
	if err := roll(n - 1); err != nil {
		t.Fatal(err)
	}
	s.PublishAll()
	if o, err := s.Catalog("0.0.1").Latest(t.Context()); err != nil || o.Version != "1.33.0" {
		t.Errorf("%+v, %v", o, err)
	}
	r, err := publish.Monitor(t.Context(), s.Anchors, s.Temp("monitor"), s.Dir)
	if err != nil || len(r.Entries) != n || r.Entries[0].Share.Percent != 100 || r.Entries[3].Share.Percent != 0 || r.Entries[n-1].Share.Percent != 100 {
		t.Errorf("%d entries, %v", len(r.Entries), err)
	}
}
