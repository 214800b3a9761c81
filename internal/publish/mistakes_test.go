package publish_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/camd-project/camd/internal/publish"
	"github.com/camd-project/camd/internal/publish/publishtest"
	"github.com/camd-project/camd/pkg/update/release"
)

// A copy of the maker's folder that is older than what was published must not go on from
// where it is: the log's key would sign two pasts, and every camera would stop updating.
func TestAnOlderCopyPublishesNothing(t *testing.T) {
	s := publishtest.New(t)
	s.Release("1.0.0")
	kept := s.Temp("backup")
	copyFolder(t, s.Path(), kept)
	s.Release("1.1.0")
	checkpoint := s.Read("log/checkpoint")
	if err := os.RemoveAll(s.Path()); err != nil {
		t.Fatal(err)
	}
	copyFolder(t, kept, s.Path())
	says := func(when string) {
		t.Helper()
		if err := s.Publish(s.Dir); err == nil || !strings.Contains(err.Error(), "older than what is published") {
			t.Errorf("%s: %v", when, err)
		}
	}
	says("as it is")
	s.Draft(publish.Release{}, "1.2.0")
	says("with a release")
	if !bytes.Equal(checkpoint, s.Read("log/checkpoint")) || !bytes.Equal(checkpoint, s.Read("log/pending")) {
		t.Error("the log in the published folder is another one")
	}
	if n := bytes.Count(slurp(t, s.Path("leaves")), []byte("\n")); n != 1 {
		t.Errorf("the older copy's log has %d entries", n)
	}
	if _, err := s.Catalog("0.9.0").Latest(t.Context()); err != nil {
		t.Errorf("a camera: %v", err)
	}
}

// What was logged under a name has that name for ever, also if nobody could install it.
func TestADiscardedVersionIsNotAnother(t *testing.T) {
	s := publishtest.New(t)
	s.Release("1.0.0")
	s.Draft(publish.Release{}, "1.1.0")
	_ = s.Publish(s.Dir) // logged, not yet released
	if err := s.Discard(); err != nil {
		t.Fatal(err)
	}
	path := s.Bundle("1.1.0")
	manifest := "[update]\ncompatible=camd-test\nversion=1.1.0\n\n[bundle]\nformat=verity\n# built again\n"
	if err := os.WriteFile(path, publishtest.BundleOf([]byte(manifest)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := s.Add(publish.Release{Bundle: path})
	if errd := s.Discard(); errd != nil {
		t.Fatal(errd)
	}
	if err == nil || !strings.Contains(err.Error(), "another bundle") {
		t.Errorf("another bundle under the name that was logged: %v", err)
	}
	s.Release("1.1.0") // the same is the same
	if r, err := publish.Monitor(t.Context(), s.Anchors, s.Temp("monitor"), s.Dir); err != nil {
		t.Errorf("%v: %v", err, r.Wrong)
	}
}

// copyFolder copies a maker's folder with its keys, which nobody else may read.
func copyFolder(t *testing.T, from, to string) {
	t.Helper()
	err := os.CopyFS(to, os.DirFS(from))
	keys, _ := filepath.Glob(filepath.Join(to, "keys", "*"))
	for _, key := range keys {
		err = errors.Join(err, os.Chmod(key, 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Power goes while a root with another key is published: the next publish takes that key.
func TestAKeyIsTakenAlsoAfterACut(t *testing.T) {
	s := publishtest.New(t)
	s.Release("1.0.0")
	if err := s.Rekey("timestamp", clear); err != nil {
		t.Fatal(err)
	}
	cut := s.Temp("cut.key")
	if err := os.Rename(s.Path("draft", "timestamp.key"), cut); err != nil {
		t.Fatal(err)
	}
	s.SignWith("root-1")
	s.SignWith("root-2")
	_ = s.Publish(s.Temp("nowhere")) // it ends without the key, as if cut off before it was taken
	if err := os.Rename(cut, s.Path("draft", "timestamp.key")); err != nil {
		t.Fatal(err)
	}
	if err := s.Publish(s.Dir); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Catalog("0.9.0").Latest(t.Context()); err != nil {
		t.Error(err)
	}
}

// Who has all online keys for a while can be shut out: even versions that no honest
// publisher would ever reach end with the keys.
func TestAllOnlineKeysAreReplaced(t *testing.T) {
	s := publishtest.New(t)
	s.Release("1.0.0")
	c := s.Catalog("0.9.0")
	m := s.Rollout()
	m.Signed.Version = 1 << 40
	m.Signed.Targets = map[string]*metadata.TargetFiles{}
	s.ForgeRollout(m)
	if _, err := c.Latest(t.Context()); !errors.Is(err, release.ErrNone) {
		t.Fatalf("the thief withholds nothing: %v", err)
	}
	if err := s.Publish(s.Dir); err == nil || !strings.Contains(err.Error(), "somebody else signs") {
		t.Errorf("with a thief at work: %v", err)
	}
	for _, name := range []string{"rollout", "snapshot", "timestamp"} {
		if err := s.Rekey(name, clear); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Rekey("rollout", clear); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("twice: %v", err)
	}
	if l, err := s.Changes(); err != nil || strings.Count(strings.Join(l, "\n"), "NEW KEY of") != 3 {
		t.Errorf("%q, %v", l, err)
	}
	for _, name := range []string{"root-1", "root-2", "targets-1", "targets-2"} {
		s.SignWith(name)
	}
	if err := s.Publish(s.Dir); err != nil {
		t.Fatal(err)
	}
	if o, err := c.Latest(t.Context()); err != nil || o.Version != "1.0.0" {
		t.Errorf("a camera that saw the thief's: %+v, %v", o, err)
	}
	if left, err := os.ReadDir(s.Path("draft")); err != nil || len(left) != 0 {
		t.Errorf("left in the draft: %v, %v", left, err)
	}
}

// Publishing again mends what was damaged in the published folder, as a camera asks for.
func TestPublishMends(t *testing.T) {
	s := publishtest.New(t)
	s.Release("1.0.0")
	o, err := s.Catalog("0.9.0").Latest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{strings.TrimPrefix(o.URL, s.URL+"/"), "metadata/1.targets.json", "metadata/1.root.json", "log/tile/0/000.p/1"} {
		good := s.Read(name)
		bad := bytes.Clone(good)
		bad[len(bad)/2] ^= 1
		s.Write(name, bad)
		if err := s.Publish(s.Dir); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(s.Read(name), good) {
			t.Errorf("%s is still damaged", name)
		}
	}
}
