package attack

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/camd-project/camd/internal/publish"
	"github.com/camd-project/camd/internal/publish/publishtest"
	"github.com/camd-project/camd/pkg/update/release"
)

// forced publishes a release that the maker was made to sign: validly, by two keys.
func forced(s *publishtest.Site, index int64) release.Custom {
	m := s.Targets()
	c := publishtest.Custom("6.6.6", m.Signed.Version+1, index)
	m.Signed.Targets[release.BundleName(publishtest.Kind, "6.6.6")] = publishtest.Target(c)
	s.Forge(m, "targets-1", "targets-2")
	r := s.Rollout()
	custom := []byte(`{"releases":[{"version":"6.6.6","percent":100}]}`)
	*r.Signed.Targets["rollout/"+publishtest.Kind].Custom = custom
	s.ForgeRollout(r)
	return c
}

// A validly signed release stands in no log: behind its end, or in the place of another.
func TestT17bNotInTheLog(t *testing.T) {
	for _, index := range []int64{0, 1, 1 << 40} {
		s, c := maker(t)
		forced(s, index)
		refused(t, s, c, release.ErrRefused, "is not in the public release log")
	}
}

// The log that a release stands in is shown to one household alone.
func TestT17bForkedLog(t *testing.T) {
	for name, fork := range map[string]func(honest []release.Leaf, forced release.Leaf) []release.Leaf{
		"longer":      func(h []release.Leaf, l release.Leaf) []release.Leaf { return []release.Leaf{h[0], l, h[1], h[1]} },
		"as long":     func(h []release.Leaf, l release.Leaf) []release.Leaf { return []release.Leaf{h[0], l} },
		"a whole new": func(_ []release.Leaf, l release.Leaf) []release.Leaf { return []release.Leaf{l, l, l} },
	} {
		t.Run(name, func(t *testing.T) {
			s, c := maker(t)
			s.Release("1.2.0")
			offered(t, c, "1.2.0")
			honest := s.Keep("honest")
			seen := s.Read("log/checkpoint")
			custom := forced(s, 1)
			s.ForgeLog(fork(s.Leaves(), custom.Leaf()), true)
			refused(t, s, c, release.ErrFork, "signed two different pasts")
			proof, err := os.ReadFile(s.Temp("state/fork"))
			if err != nil || !strings.Contains(string(proof), string(seen)) || !strings.Contains(string(proof), string(s.Read("log/checkpoint"))) {
				t.Errorf("the proof is %q, %v", proof, err)
			}
			s.Restore(honest) // and quickly back: the device does not forget
			refused(t, s, c, release.ErrFork, "signed two different pasts")
			refused(t, s, s.Catalog("1.0.0"), release.ErrFork, "signed two different pasts")
		})
	}
}

// A new image, whose log is another one, ends it.
func TestT17bAForkEndsWithANewLog(t *testing.T) {
	s, c := maker(t)
	s.ForgeLog([]release.Leaf{publishtest.Custom("6.6.6", 1, 0).Leaf()}, true)
	refused(t, s, c, release.ErrFork, "two different pasts")
	other := publishtest.New(t)
	other.Release("2.0.0")
	cfg := other.Config("1.0.0")
	cfg.State = s.Temp("state")
	offered(t, catalogOf(t, cfg), "2.0.0")
}

// The log alone has signed, or one witness where two are demanded.
func TestT17bTooFewWitnesses(t *testing.T) {
	s, c := maker(t)
	s.Release("1.2.0")
	s.Unwitness()
	refused(t, s, c, release.ErrRefused, "Too few witnesses")
	custom := forced(s, 2)
	s.ForgeLog(append(s.Leaves(), custom.Leaf()), false)
	refused(t, s, c, release.ErrRefused, "Too few witnesses")
}

// Witnesses have signed, and the log has not: no one of them can make a log.
func TestT17bWitnessesWithoutTheLog(t *testing.T) {
	s, c := maker(t)
	s.ForgeWitnessesLog([]release.Leaf{publishtest.Custom("6.6.6", 1, 0).Leaf()})
	refused(t, s, c, release.ErrRefused, "not signed by the key")
}

// The log goes back to where it was before a release.
func TestT17bLogGoesBack(t *testing.T) {
	s, c := maker(t)
	old := s.Keep("old")
	s.Release("1.2.0")
	offered(t, c, "1.2.0")
	s.Restore(old, "log/checkpoint")
	refused(t, s, c, release.ErrRefused, "has gone back")
}

// Files that don't fit what was signed prove nothing: no release, and no fork either.
func TestT17bFilesOfTheLogThatDontFit(t *testing.T) {
	for _, path := range []string{"log/tile/0/000.p/2"} {
		s, c := maker(t)
		s.Release("1.2.0")
		tile := s.Read(path)
		slices.Reverse(tile)
		s.Write(path, tile)
		refused(t, s, c, release.ErrRefused, "don't fit what was signed")
		if _, err := os.Stat(s.Temp("state/fork")); err == nil {
			t.Error("a bad file is taken for a fork")
		}
	}
}

// A witness signs no log that does not continue the one it signed before.
func TestT17bAWitnessSignsNoFork(t *testing.T) {
	s, _ := maker(t)
	s.Release("1.2.0")
	signed := s.Read("log/checkpoint")
	for name, leaves := range map[string][]release.Leaf{
		"another past": {publishtest.Custom("6.6.6", 1, 0).Leaf(), publishtest.Custom("6.6.7", 1, 1).Leaf(), publishtest.Custom("6.6.8", 1, 2).Leaf()},
		"as long":      {publishtest.Custom("6.6.6", 1, 0).Leaf(), publishtest.Custom("6.6.7", 1, 1).Leaf()},
		"shorter":      s.Leaves()[:1],
	} {
		s.ForgeLog(leaves, false)
		s.Write("log/pending", s.Read("log/checkpoint"))
		text, _, err := s.WitnessOf().Sign(t.Context(), s.Dir)
		if !errors.Is(err, release.ErrFork) && !errors.Is(err, release.ErrLogBack) || text != nil {
			t.Errorf("%s: signed %q, %v", name, text, err)
		}
	}
	if kept, err := os.ReadFile(s.Temp("witness.seen")); err != nil || string(kept) != string(signed) {
		t.Errorf("it remembers %q, %v", kept, err)
	}
}

// Until the witnesses have signed, nothing that is published names the release.
func TestT17bTheLogComesFirst(t *testing.T) {
	s, c := maker(t)
	s.Draft(publish.Release{}, "1.2.0")
	if err := s.SetRollout("", "1.2.0", 100); err != nil {
		t.Fatal(err)
	}
	if err := s.Publish(s.Dir); !errors.Is(err, publish.ErrUnwitnessed) {
		t.Fatalf("published without a witness: %v", err)
	}
	offered(t, c, "1.1.0")
	s.Witness()
	offered(t, c, "1.1.0")
	if err := s.Publish(s.Dir); err != nil {
		t.Fatal(err)
	}
	offered(t, c, "1.2.0")
}

// The monitor names every release that a camera could install, and every one that claims
// a place in the log that is not its own.
func TestT17bTheMonitorSeesIt(t *testing.T) {
	for _, index := range []int64{0, 5} { // the place of another, and none
		s, _ := maker(t)
		forced(s, index)
		r, err := publish.Monitor(t.Context(), s.Anchors, s.Temp("monitor"), s.URL)
		if !errors.Is(err, publish.ErrWrong) || !strings.Contains(strings.Join(r.Wrong, "\n"), "The release 6.6.6") {
			t.Errorf("entry %d: %+v, %v", index, r, err)
		}
	}
	s, _ := maker(t)
	if _, err := publish.Monitor(t.Context(), s.Anchors, s.Temp("monitor"), s.URL); err != nil {
		t.Fatal(err)
	}
	s.ForgeLog([]release.Leaf{publishtest.Custom("6.6.6", 1, 0).Leaf()}, true)
	if r, err := publish.Monitor(t.Context(), s.Anchors, s.Temp("monitor"), s.URL); !errors.Is(err, release.ErrFork) {
		t.Errorf("%+v, %v", r, err)
	}
}
