package interop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/camd-project/camd/internal/publish"
	"github.com/camd-project/camd/internal/publish/publishtest"
	"github.com/camd-project/camd/pkg/update/release"
)

// TestAMonitorOfTheDocumentAlone reads what we publish by docs/updates.md, in another
// language, and comes to what our own monitor and cameras come to.
func TestAMonitorOfTheDocumentAlone(t *testing.T) {
	needsNode(t)
	s := publishtest.New(t)
	s.Release("1.0.0")
	s.Draft(publish.Release{Notes: "“Better”, \\ and <more>\nof it"}, "1.1.0")
	s.Draft(publish.Release{Security: true}, "1.2.0")
	for version, percent := range map[string]int{"1.1.0": 40, "1.2.0": 0} {
		if err := s.SetRollout("", version, percent); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Rekey("targets-2", func(string, bool) ([]byte, error) { return nil, nil }); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"root-1", "root-3", "targets-1", "targets-3"} {
		s.SignWith(name)
	}
	s.PublishAll()
	got, why := monitor(t, s)
	if why != "" {
		t.Fatal(why)
	}
	r, err := publish.Monitor(t.Context(), s.Anchors, s.Temp("monitor"), s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	want := found{Entries: len(r.Entries)}
	for _, e := range r.Entries {
		takes := release.Rollout{Releases: []release.Share{e.Share}}.Takes(e.Version, publishtest.Device)
		want.Releases = append(want.Releases, one{e.Version, e.Index, takes})
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || len(got.Releases) != 3 {
		t.Errorf("it found %+v, ours %+v", got, want)
	}
	published := s.Keep("published")
	for name, tt := range map[string]struct {
		spoil func()
		why   string
	}{
		"one signature": {func() { s.Forge(s.Targets(), "targets-1") }, "targets: 1 of 2 signatures"},
		"no witness":    {s.Unwitness, "0 of 1 witnesses"},
		"another entry": {func() {
			const bundle = "log/tile/entries/000.p/3"
			s.Write(bundle, bytes.Replace(s.Read(bundle), []byte("1.1.0"), []byte("6.6.6"), 1))
		}, "tile 0 is not of its entries"},
		"not in the log": {func() {
			m := s.Targets()
			m.Signed.Targets[release.BundleName(publishtest.Kind, "6.6.6")] = publishtest.Target(publishtest.Custom("6.6.6", 1, 0))
			s.Forge(m, "targets-1", "targets-3")
		}, "6.6.6 does not stand in the log"},
		"mixed": {func() { s.Write(s.Name("targets"), s.Read("metadata/1.targets.json")) }, "targets does not belong to the rest"},
	} {
		s.Restore(published)
		tt.spoil()
		if got, why := monitor(t, s); !strings.Contains(why, tt.why) {
			t.Errorf("%s: found %+v, said %q, want %q", name, got, why, tt.why)
		}
	}
}

type one struct {
	Version string
	Index   int64
	Taken   bool
}

// found is what the other monitor prints.
type found struct {
	Entries  int
	Releases []one
}

// monitor runs it, and returns what it finds, or why it finds nothing.
func monitor(t *testing.T, s *publishtest.Site) (f found, why string) {
	t.Helper()
	var out, errOut bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "node", "updates.mjs", s.Anchors, s.Dir)
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		return f, errOut.String()
	}
	if err := json.Unmarshal(out.Bytes(), &f); err != nil {
		t.Fatalf("%q: %v", out.String(), err)
	}
	return f, ""
}
