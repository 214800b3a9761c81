package catalog_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/camd-project/camd/internal/publish"
	"github.com/camd-project/camd/internal/publish/publishtest"
	"github.com/camd-project/camd/pkg/update/catalog"
	"github.com/camd-project/camd/pkg/update/release"
)

// The whole way: published, read, offered.
func TestLatest(t *testing.T) {
	s := publishtest.New(t)
	s.Release("1.1.0")
	c := s.Catalog("1.0.0")
	o, err := c.Latest(t.Context())
	if err != nil || o.Version != "1.1.0" || o.Compatible != publishtest.Kind || o.Notes != "Notes of 1.1.0" || o.Index != 0 || o.Targets != 1 {
		t.Fatalf("%+v, %v", o, err)
	}
	if o, err := s.Catalog("1.1.0").Latest(t.Context()); !errors.Is(err, release.ErrNone) {
		t.Errorf("who has it is offered %+v, %v", o, err)
	}
	s.Release("1.2.0")
	if o, err = c.Latest(t.Context()); err != nil || o.Version != "1.2.0" || o.Index != 1 || o.Targets != 2 {
		t.Errorf("%+v, %v", o, err)
	}
}

// Which of several releases a device takes.
func TestWhichRelease(t *testing.T) {
	s := publishtest.New(t)
	share := map[string]int{"1.1.0": 100, "1.2.0": 100, "2.0.0": 100, "2.1.0": 0, "3.0.0-rc.1": 0}
	s.Draft(publish.Release{}, "1.1.0")
	s.Draft(publish.Release{Minimum: "1.0.5"}, "1.2.0")
	s.Draft(publish.Release{Minimum: "1.2.0", Lowest: "1.1.0", Security: true}, "2.0.0")
	s.Draft(publish.Release{Minimum: "1.2.0"}, "2.1.0")
	s.Draft(publish.Release{}, "3.0.0-rc.1")
	for version, percent := range share {
		if err := s.SetRollout("", version, percent); err != nil {
			t.Fatal(err)
		}
	}
	s.PublishAll()
	for name, tt := range map[string]struct {
		running, lowest, device, kind string
		want                          string // "" for none
	}{
		"by a step":                {running: "1.0.0", want: "1.1.0"},
		"by a longer step":         {running: "1.0.5", want: "1.2.0"},
		"the last step":            {running: "1.2.0", want: "2.0.0"},
		"the rest is withheld":     {running: "2.0.0"},
		"the running one is newer": {running: "9.0.0"},
		"lower than allowed":       {running: "1.0.0", lowest: "2.0.1"},
		"every one is too far":     {running: "1.0.0", lowest: "1.1.1"},
		"lowest allowed":           {running: "1.0.0", lowest: "1.1.0", want: "1.1.0"},
		"a prerelease goes up":     {running: "2.0.0-rc.1", want: "2.0.0"},
		"another kind":             {running: "1.0.0", kind: "camd-other"},
	} {
		cfg := s.Config(tt.running)
		cfg.Lowest = func() string { return tt.lowest }
		if tt.kind != "" {
			cfg.Compatible = tt.kind
		}
		c, err := catalog.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		o, err := c.Latest(t.Context())
		if beyond := errors.Is(err, release.ErrBeyond); beyond != (name == "every one is too far") ||
			beyond && err.Error() != "Version 2.0.0 can be reached from 1.2.0 on, and this camera runs 1.0.0." {
			t.Errorf("%s: %v", name, err)
		}
		if o.Version != tt.want || tt.want == "" != errors.Is(err, release.ErrNone) || tt.want != "" && err != nil {
			t.Errorf("%s: offered %q, %v, want %q", name, o.Version, err, tt.want)
		}
		if o.Version == "2.0.0" && (!o.Security || o.Lowest != "1.1.0" || o.Minimum != "1.2.0" || o.Size == 0 ||
			!strings.HasPrefix(o.URL, s.URL+"/targets/") || !bytes.Equal(s.Read(publishtest.BundlePath(o)), read(t, s.Bundle("2.0.0")))) {
			t.Errorf("%s: %+v", name, o)
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A release says in which list it first appeared: not in one that is still to come.
func TestReleaseOfALaterList(t *testing.T) {
	s := publishtest.New(t)
	s.Release("1.1.0")
	m := s.Targets()
	c := publishtest.Custom("1.2.0", m.Signed.Version+2, 1)
	m.Signed.Targets[release.BundleName(publishtest.Kind, "1.2.0")] = publishtest.Target(c)
	s.Forge(m, "targets-1", "targets-2")
	s.ForgeLog(append(s.Leaves(), c.Leaf()), true)
	if o, err := s.Catalog("1.0.0").Latest(t.Context()); !errors.Is(err, release.ErrRelease) {
		t.Errorf("offered %+v, %v", o, err)
	}
}

// A part of the devices is a part.
func TestRolloutByParts(t *testing.T) {
	s := publishtest.New(t)
	s.Draft(publish.Release{}, "1.1.0")
	if err := s.SetRollout("", "1.1.0", 50); err != nil {
		t.Fatal(err)
	}
	s.PublishAll()
	got := 0
	for i := range 20 {
		cfg := s.Config("1.0.0")
		cfg.Device = fmt.Sprintf("device-%d", i)
		c, err := catalog.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Latest(t.Context()); err == nil {
			got++
		} else if !errors.Is(err, release.ErrNone) {
			t.Error(err)
		}
	}
	if got == 0 || got == 20 {
		t.Errorf("%d of 20 devices", got)
	}
}

// A power cut or a bad block in what is kept stops no update.
func TestDamagedState(t *testing.T) {
	s := publishtest.New(t)
	s.Release("1.1.0")
	root, err := metadata.Root().FromBytes(s.Read("metadata/1.root.json"))
	if err != nil {
		t.Fatal(err)
	}
	root.Signed.Version = 2
	s.ForgeRoot(root, "root-1", "root-2") // it is kept
	c := s.Catalog("1.0.0")
	look := func(what string) {
		t.Helper()
		if o, err := c.Latest(t.Context()); err != nil || o.Version != "1.1.0" {
			t.Errorf("%s: %+v, %v", what, o, err)
		}
	}
	look("at first")
	for _, name := range []string{"metadata/timestamp.json", "metadata/snapshot.json", "metadata/targets.json", "metadata/rollout.json", "metadata/root.json", "checkpoint", "fork"} {
		for what, spoil := range map[string]func(path string) error{
			"empty":   func(p string) error { return os.WriteFile(p, nil, 0o600) },
			"garbage": func(p string) error { return os.WriteFile(p, []byte("\x00\xff{"), 0o600) },
			"null":    func(p string) error { return os.WriteFile(p, []byte("null"), 0o600) },
			"no type": func(p string) error { return os.WriteFile(p, []byte(`{"signed":{}}`), 0o600) },
			"unsigned": func(p string) error {
				return os.WriteFile(p, bytes.ReplaceAll(slurp(p), []byte("1"), []byte("2")), 0o600)
			},
			"gone": os.Remove,
		} {
			path := filepath.Join(s.Temp("state"), name)
			if err := spoil(path); err != nil && what != "gone" {
				t.Fatal(err)
			}
			look(name + " " + what)
		}
	}
	if err := os.WriteFile(s.Temp("state/metadata/tuf_tmp123"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	look("half a file")
	if left, _ := filepath.Glob(s.Temp("state/metadata/tuf_tmp*")); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
	// A kept root that is damaged is read again with the next look.
	if err := os.WriteFile(s.Temp("state/metadata/roots/2.root.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Latest(t.Context()); err == nil {
		t.Error("a damaged root was believed")
	}
	look("after a damaged root")
}

func slurp(path string) []byte {
	data, _ := os.ReadFile(path) // none is as good
	return data
}

// Who can't be reached, or has nothing, is told from who lies.
func TestUnreachable(t *testing.T) {
	s := publishtest.New(t)
	c := s.Catalog("1.0.0")
	if _, err := c.Latest(t.Context()); !errors.Is(err, release.ErrUnreachable) || !strings.Contains(err.Error(), "(it answers 404)") {
		t.Errorf("nothing published: %v", err)
	}
	s.Release("1.1.0")
	s.Hijack(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "2.root.json") { // as an object store says that there is none
			w.WriteHeader(http.StatusForbidden)
			return true
		}
		return false
	})
	if o, err := c.Latest(t.Context()); err != nil || o.Version != "1.1.0" {
		t.Errorf("an object store: %+v, %v", o, err)
	}
	s.Hijack(func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	if _, err := c.Latest(t.Context()); !errors.Is(err, release.ErrUnreachable) || !strings.Contains(err.Error(), "503") {
		t.Errorf("busy: %v", err)
	}
	s.Hijack(func(w http.ResponseWriter, _ *http.Request) bool { panic(http.ErrAbortHandler) })
	if _, err := c.Latest(t.Context()); !errors.Is(err, release.ErrUnreachable) || !strings.Contains(err.Error(), "can't be reached: EOF") {
		t.Errorf("cut off: %v", err)
	}
	s.Hijack(nil)
	if o, err := c.Latest(t.Context()); err != nil || o.Version != "1.1.0" {
		t.Errorf("and back: %+v, %v", o, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Latest(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("ended: %v", err)
	}
}

// The device's own trouble is told as such.
func TestOwnTrouble(t *testing.T) {
	s := publishtest.New(t)
	s.Release("1.1.0")
	cfg := s.Config("1.0.0")
	cfg.State = s.Temp("file/state")
	if err := os.WriteFile(s.Temp("file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := catalog.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Latest(t.Context())
	if err == nil || errors.Is(err, release.ErrRefused) || errors.Is(err, release.ErrUnreachable) || err.Error() != "What was seen of releases can't be kept (not a directory): look at the storage of the state folder." {
		t.Errorf("%v", err)
	}
	cfg = s.Config("1.0.0")
	cfg.Anchors = s.Temp("nowhere")
	if c, err = catalog.New(cfg); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Latest(t.Context()); !errors.Is(err, release.ErrAnchors) || !strings.HasPrefix(err.Error(), "The keys by which this image knows releases can't be used (open ") ||
		!strings.HasSuffix(err.Error(), "no such file or directory): the maker has to build it with root.json, log.pub and witnesses.") {
		t.Errorf("%v", err)
	}
	for name, text := range map[string]string{"garbage": "{", "not signed": string(bytes.Replace(s.Read("metadata/1.root.json"), []byte(`"version": 1`), []byte(`"version": 2`), 1))} {
		cfg.Anchors, cfg.State = t.TempDir(), t.TempDir()
		if err := os.CopyFS(cfg.Anchors, os.DirFS(s.Anchors)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(cfg.Anchors, release.RootFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err = catalog.New(cfg); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Latest(t.Context()); !errors.Is(err, release.ErrAnchors) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What the server wrote is no part of a sentence, but for what it says of itself.
func TestHostileTextIsNotShown(t *testing.T) {
	s := publishtest.New(t)
	s.Release("1.1.0")
	c := s.Catalog("1.0.0")
	for _, path := range []string{"/metadata/timestamp.json", "/log/checkpoint", "/metadata/2.root.json"} {
		s.Hijack(func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != path {
				return false
			}
			_, _ = w.Write([]byte("{\"signed\":{\"_type\":\"\x1b[31mevil\",\"version\":\"\\u001b\"}}"))
			return true
		})
		_, err := c.Latest(t.Context())
		if !errors.Is(err, release.ErrRefused) || strings.Contains(err.Error(), "evil") || strings.ContainsRune(err.Error(), '\x1b') {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// Anybody can ask at the same time.
func TestConcurrentLooks(t *testing.T) {
	s := publishtest.New(t)
	s.Release("1.1.0")
	c := s.Catalog("1.0.0")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if o, err := c.Latest(t.Context()); err != nil || o.Version != "1.1.0" {
				t.Errorf("%+v, %v", o, err)
			}
		})
	}
	wg.Wait()
}

// Metadata that make the library panic are refused like all others. What is in targets
// is read before its signatures are looked at.
func TestMetadataOfNothing(t *testing.T) {
	for name, text := range map[string]string{
		"a target that is none": `{"signed":{"_type":"targets","spec_version":"1.0.31","version":9,"targets":{"x":null}},"signatures":[]}`,
		"a signature of null":   `{"signed":{"_type":"targets","spec_version":"1.0.31","version":9,"targets":{}},"signatures":[null]}`,
		"delegations of null":   `{"signed":{"_type":"targets","spec_version":"1.0.31","version":9,"targets":{},"delegations":{"keys":{"a":null},"roles":null}},"signatures":[]}`,
	} {
		s := publishtest.New(t)
		s.Release("1.1.0")
		s.ForgeRaw("targets", 9, []byte(text))
		if _, err := s.Catalog("1.0.0").Latest(t.Context()); !errors.Is(err, release.ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzMetadata has a hostile server answer with anything, instead of what a device reads
// before it has verified anything.
func FuzzMetadata(f *testing.F) {
	s := publishtest.New(f)
	s.Release("1.1.0")
	names := []string{"metadata/timestamp.json", "metadata/2.root.json", "log/checkpoint"}
	f.Add(0, s.Read("metadata/timestamp.json"))
	f.Add(1, s.Read("metadata/1.root.json"))
	f.Add(2, s.Read("log/checkpoint"))
	f.Add(0, []byte(`{"signed":{"_type":"timestamp","meta":{"snapshot.json":null}},"signatures":[]}`))
	f.Add(1, []byte(`{"signed":{"_type":"root","keys":{"a":null},"roles":{"root":null}},"signatures":[null]}`))
	f.Fuzz(func(t *testing.T, which int, data []byte) {
		name := names[uint(which)%uint(len(names))]
		s.Hijack(func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/"+name {
				return false
			}
			_, _ = w.Write(data)
			return true
		})
		cfg := s.Config("1.0.0")
		cfg.State = t.TempDir()
		c, err := catalog.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if o, err := c.Latest(t.Context()); err == nil && o.Version != "1.1.0" {
			t.Errorf("%q: offered %+v", data, o)
		} else if err != nil && !errors.Is(err, release.ErrRefused) && !errors.Is(err, release.ErrUnreachable) {
			t.Errorf("%q: %v", data, err)
		}
	})
}
