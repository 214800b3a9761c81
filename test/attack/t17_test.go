package attack

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/camd-project/camd/internal/publish/publishtest"
	"github.com/camd-project/camd/pkg/update/catalog"
	"github.com/camd-project/camd/pkg/update/download"
	"github.com/camd-project/camd/pkg/update/release"
)

// maker publishes 1.1.0 for everyone, and a device that runs 1.0.0 has seen it.
func maker(t *testing.T) (*publishtest.Site, *catalog.Catalog) {
	t.Helper()
	s := publishtest.New(t)
	s.Release("1.1.0")
	c := s.Catalog("1.0.0")
	offered(t, c, "1.1.0")
	return s, c
}

func offered(t *testing.T, c *catalog.Catalog, version string) {
	t.Helper()
	if o, err := c.Latest(t.Context()); err != nil || o.Version != version {
		t.Fatalf("offered %q, %v, want %s", o.Version, err, version)
	}
}

// refused checks that nothing is offered, that the reason is told in a sentence with
// these words, and that what the device knows of the log is what it knew.
func refused(t *testing.T, s *publishtest.Site, c *catalog.Catalog, kind error, words string) {
	t.Helper()
	before, _ := os.ReadFile(s.Temp("state/checkpoint"))
	o, err := c.Latest(t.Context())
	if !errors.Is(err, kind) {
		t.Fatalf("offered %q, %v, want %v", o.Version, err, kind)
	}
	if o.Version != "" || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "\n") {
		t.Errorf("%q: it does not say %q", err, words)
	}
	if after, _ := os.ReadFile(s.Temp("state/checkpoint")); !bytes.Equal(before, after) {
		t.Errorf("what was refused is kept:\n%s", after)
	}
}

func catalogOf(t *testing.T, cfg catalog.Config) *catalog.Catalog {
	t.Helper()
	c, err := catalog.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const older = "older than one that this camera saw"

// What was published once is published again.
func TestT17Rollback(t *testing.T) {
	s, c := maker(t)
	old := s.Keep("old")
	s.Release("1.2.0")
	offered(t, c, "1.2.0")
	s.Restore(old)
	refused(t, s, c, release.ErrRefused, older)
	refused(t, s, s.Catalog("1.0.0"), release.ErrRefused, older) // the same after a restart
}

// Who has the online keys brings back an older list under newer numbers.
func TestT17RollbackByOnlineKeys(t *testing.T) {
	s, c := maker(t)
	old := s.Targets()
	s.Release("1.2.0")
	offered(t, c, "1.2.0")
	old.Signed.Version-- // Forge writes the next version: the same as before
	s.Forge(old, "targets-1", "targets-3")
	refused(t, s, c, release.ErrRefused, older)
}

// The device is shown the same for ever.
func TestT17Freeze(t *testing.T) {
	s, _ := maker(t)
	cfg := s.Config("1.0.0")
	cfg.Now = publishtest.Later(8 * 24 * time.Hour) // the timestamp lasts for seven days
	refused(t, s, catalogOf(t, cfg), release.ErrRefused, "out of date")
	cfg.State = s.Temp("another") // a device that sees it for the first time believes it no more
	refused(t, s, catalogOf(t, cfg), release.ErrRefused, "out of date")
}

// Files of different days are published together.
func TestT17MixAndMatch(t *testing.T) {
	for _, role := range []string{"targets", "snapshot"} {
		s, c := maker(t)
		before := s.Read(s.Name(role))
		s.Release("1.2.0")
		s.Write(s.Name(role), before)
		refused(t, s, c, release.ErrRefused, "don't belong together")
		cfg := s.Config("1.0.0")
		cfg.State = s.Temp("another")
		refused(t, s, catalogOf(t, cfg), release.ErrRefused, "don't belong together")
	}
}

// A rollout of before is published, which did not withhold yet.
func TestT17RolloutOfBefore(t *testing.T) {
	s, c := maker(t)
	before := s.Read(s.Name("rollout"))
	if err := s.Halt("", ""); err != nil {
		t.Fatal(err)
	}
	s.PublishAll()
	s.Write(s.Name("rollout"), before)
	refused(t, s, c, release.ErrRefused, "")
}

// One key of the three is stolen, and all online ones.
func TestT17OneSignatureOfThree(t *testing.T) {
	for name, keys := range map[string][]string{
		"one":                     {"targets-2"},
		"none":                    nil,
		"one and a root key":      {"targets-2", "root-1"},
		"one and all online keys": {"targets-2", "snapshot", "timestamp", "rollout"},
		"two root keys":           {"root-1", "root-2"},
	} {
		s, c := maker(t)
		m := s.Targets()
		m.Signed.Targets[release.BundleName(publishtest.Kind, "6.6.6")] = publishtest.Target(publishtest.Custom("6.6.6", 1, 0))
		s.Forge(m, keys...)
		t.Log(name)
		refused(t, s, c, release.ErrRefused, "Too few of the keys")
	}
}

// The one signature stands there twice, the second time under another key's name.
func TestT17OneSignatureTwice(t *testing.T) {
	s, c := maker(t)
	m := s.Targets()
	others := m.Signatures // of targets-1 and targets-3
	m.Signed.Version++
	m.Signed.Targets[release.BundleName(publishtest.Kind, "6.6.6")] = publishtest.Target(publishtest.Custom("6.6.6", 1, 0))
	s.SignForged(m, "targets-1")
	m.Signatures = append(m.Signatures, metadata.Signature{KeyID: others[1].KeyID, Signature: m.Signatures[0].Signature})
	s.ForgeSigned("targets", m)
	refused(t, s, c, release.ErrRefused, "Too few of the keys")
}

// One root key is stolen: it makes a root of its own.
func TestT17RootByOneKey(t *testing.T) {
	s, c := maker(t)
	for _, keys := range [][]string{{"root-1"}, {"targets-1", "targets-2"}, {"root-1", "targets-1"}} {
		root, err := metadata.Root().FromBytes(s.Read("metadata/1.root.json"))
		if err != nil {
			t.Fatal(err)
		}
		root.Signed.Version = 2
		root.Signed.Roles["targets"].Threshold = 1
		s.ForgeRoot(root, keys...)
		refused(t, s, c, release.ErrRefused, "Too few of the keys")
	}
}

// A root that took a stolen key away is hidden again.
func TestT17HiddenRoot(t *testing.T) {
	s, c := maker(t)
	before := s.Keep("before")
	root, err := metadata.Root().FromBytes(s.Read("metadata/1.root.json"))
	if err != nil {
		t.Fatal(err)
	}
	stolen := root.Signed.Roles["targets"].KeyIDs[0]
	root.Signed.Version = 2
	if err := root.Signed.RevokeKey(stolen, "targets"); err != nil {
		t.Fatal(err)
	}
	s.ForgeRoot(root, "root-1", "root-2")
	s.Forge(s.Targets(), "targets-2", "targets-3")
	offered(t, c, "1.1.0")
	s.Restore(before, "metadata/1.root.json")
	if err := os.Remove(s.Temp("www/metadata/2.root.json")); err != nil {
		t.Fatal(err)
	}
	m := s.Targets()
	s.Forge(m, "targets-1", "targets-2")
	refused(t, s, c, release.ErrRefused, "Too few of the keys")
}

// The server sends without end.
func TestT17EndlessData(t *testing.T) {
	for _, path := range []string{"/metadata/2.root.json", "/metadata/timestamp.json", "/log/checkpoint"} {
		s, c := maker(t)
		s.Hijack(func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != path {
				return false
			}
			block := bytes.Repeat([]byte(" "), 1<<16)
			for {
				if _, err := w.Write(block); err != nil {
					return true
				}
			}
		})
		refused(t, s, c, release.ErrRefused, "sends more than it may")
	}
}

// The server says that more comes than may come.
func TestT17TooLargeByItsOwnWord(t *testing.T) {
	s, c := maker(t)
	s.Hijack(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/metadata/timestamp.json" {
			return false
		}
		w.Header().Set("Content-Length", "1000000000000")
		return true
	})
	refused(t, s, c, release.ErrRefused, "sends more than it may")
}

// The server sends on to a place where anyone on the way can change what is read.
func TestT17RedirectionWithoutTLS(t *testing.T) {
	s, c := maker(t)
	s.Hijack(func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, "http://updates.invalid"+r.URL.Path, http.StatusFound)
		return true
	})
	refused(t, s, c, release.ErrRefused, "without TLS")
}

// The role that can withhold releases nothing.
func TestT17RolloutReleasesNothing(t *testing.T) {
	s, _ := maker(t)
	c := s.Catalog("1.1.0")
	m := s.Rollout()
	m.Signed.Targets[release.BundleName(publishtest.Kind, "6.6.6")] = publishtest.Target(publishtest.Custom("6.6.6", 1, 0))
	*m.Signed.Targets["rollout/"+publishtest.Kind].Custom = []byte(`{"releases":[{"version":"6.6.6","percent":100}]}`)
	s.ForgeRollout(m)
	refused(t, s, c, release.ErrNone, "no newer release")
}

// A release that was withdrawn from the rollout goes to nobody any more.
func TestT17Halt(t *testing.T) {
	s, c := maker(t)
	if err := s.Halt("", ""); err != nil {
		t.Fatal(err)
	}
	s.PublishAll()
	refused(t, s, c, release.ErrNone, "no newer release")
}

// A bundle that RAUC would take, of the maker's own signer, stands where the released one
// stood: to be signed for RAUC alone is not to be released. (That a bundle which is
// released and not signed for RAUC is refused, pkg/update shows with the real RAUC.)
func TestT17RAUCOnly(t *testing.T) {
	s, c := maker(t)
	o, err := c.Latest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	item := download.Item{URL: o.URL, Path: s.Temp("bundle"), Size: o.Size, SHA256: o.SHA256}
	fetch := func() error {
		return download.New(download.Config{HTTP: http.DefaultClient}).Fetch(t.Context(), item, func(int) {})
	}
	honest := s.Read(publishtest.BundlePath(o))
	s.Write(publishtest.BundlePath(o), readFile(t, s.Bundle("1.1.1")))
	if err := fetch(); !errors.Is(err, download.ErrWrong) {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(item.Path); err == nil {
		t.Error("it is there")
	}
	s.Write(publishtest.BundlePath(o), honest)
	if err := fetch(); err != nil {
		t.Error(err)
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
