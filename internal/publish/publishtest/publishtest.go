// Package publishtest publishes releases for tests: a maker's folder, what it publishes,
// and a web server on loopback that serves it. It can also publish what no honest maker
// would, with keys that were stolen. Only tests import it.
package publishtest

import (
	"crypto/ed25519"
	"encoding/asn1"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/camd-project/camd/internal/publish"
	"github.com/camd-project/camd/pkg/update/catalog"
	"github.com/camd-project/camd/pkg/update/release"
)

// Kind is the kind of device that all releases are for, Device its name.
const (
	Kind   = "camd-test"
	Device = "device-1"
)

// Site is a maker with a web server.
type Site struct {
	*publish.Folder
	Dir     string // what is published
	Anchors string // what the image holds
	URL     string

	t      testing.TB
	tmp    string
	mu     sync.Mutex
	hijack func(w http.ResponseWriter, r *http.Request) bool
}

// passphrase leaves all keys in clear: to encrypt one takes as long as a guess is to take.
func passphrase(string, bool) ([]byte, error) { return nil, nil }

// New returns a maker's folder with one development witness, and serves what it
// publishes.
func New(t testing.TB) *Site {
	t.Helper()
	return NewWith(t, publish.Options{})
}

// NewWith returns one with other witnesses.
func NewWith(t testing.TB, o publish.Options) *Site {
	t.Helper()
	o.Origin = origin
	s := &Site{t: t, tmp: t.TempDir()}
	var err error
	if s.Folder, err = publish.Init(s.Temp("maker"), o, passphrase); err != nil {
		t.Fatal(err)
	}
	s.Dir, s.Anchors = s.Temp("www"), s.Path("anchors")
	files := http.FileServer(http.Dir(s.Dir))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		h := s.hijack
		s.mu.Unlock()
		if h == nil || !h(w, r) {
			files.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// Temp names a file in a folder of the test's own.
func (s *Site) Temp(name string) string { return filepath.Join(s.tmp, name) }

// Hijack has h answer requests; what it returns false for is answered from the folder.
func (s *Site) Hijack(h func(w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hijack = h
}

// Bundle makes a file that is like a RAUC bundle to whoever reads its manifest.
func (s *Site) Bundle(version string) string {
	s.t.Helper()
	path := s.Temp(version + ".raucb")
	manifest := fmt.Sprintf("[update]\ncompatible=%s\nversion=%s\n\n[bundle]\nformat=verity\n", Kind, version)
	if err := os.WriteFile(path, BundleOf([]byte(manifest)), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// BundleOf ends with a CMS message that holds a manifest, as a bundle does.
func BundleOf(manifest []byte) []byte {
	inner, err := asn1.Marshal(manifest)
	if err != nil {
		panic(err)
	}
	type encap struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue
	}
	type signed struct {
		Version int
		Digests asn1.RawValue
		Encap   encap
	}
	body, err := asn1.Marshal(struct {
		Type    asn1.ObjectIdentifier
		Content signed `asn1:"explicit,tag:0"`
	}{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}, signed{1, asn1.RawValue{Tag: asn1.TagSet, IsCompound: true},
		encap{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}, asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: inner}}}})
	if err != nil {
		panic(err)
	}
	out := append([]byte("squashfs, or what stands for it"), body...)
	return binary.BigEndian.AppendUint64(out, uint64(len(body)))
}

// Draft puts a release of this version into the draft and has two keys sign it.
func (s *Site) Draft(r publish.Release, version string) {
	s.t.Helper()
	r.Bundle = s.Bundle(version)
	if _, err := s.Add(r); err != nil {
		s.t.Fatal(err)
	}
	for _, name := range []string{"targets-1", "targets-3"} {
		s.SignWith(name)
	}
}

// SignWith signs the drafts with an offline key.
func (s *Site) SignWith(name string) {
	s.t.Helper()
	if _, err := s.Sign(s.Path("keys", name+".key"), passphrase); err != nil {
		s.t.Fatal(err)
	}
}

// Release publishes a release for every device.
func (s *Site) Release(version string) {
	s.t.Helper()
	s.Draft(publish.Release{Notes: "Notes of " + version}, version)
	if err := s.SetRollout("", version, 100); err != nil {
		s.t.Fatal(err)
	}
	s.PublishAll()
}

// PublishAll publishes with the witness's signature.
func (s *Site) PublishAll() {
	s.t.Helper()
	_ = s.Publish(s.Dir) // it waits for the witness where there is something new
	s.Witness()
	if err := s.Publish(s.Dir); err != nil {
		s.t.Fatal(err)
	}
}

// Witness has the witness sign what waits.
func (s *Site) Witness() {
	s.t.Helper()
	if _, _, err := s.WitnessOf().Sign(s.t.Context(), s.Dir); err != nil {
		s.t.Fatal(err)
	}
}

// WitnessOf returns the witness.
func (s *Site) WitnessOf() publish.Witness {
	return publish.Witness{LogKey: s.Path("anchors", "log.pub"), Key: s.Path("keys", "witness.key"), State: s.Temp("witness.seen"), Ask: passphrase}
}

// Config returns that of a device whose running version is this.
func (s *Site) Config(version string) catalog.Config {
	return catalog.Config{Source: catalog.Source{Anchors: s.Anchors, State: s.Temp("state"), URL: s.URL},
		Compatible: Kind, Device: Device, Version: version}
}

// Catalog returns that of a device whose running version is this.
func (s *Site) Catalog(version string) *catalog.Catalog {
	s.t.Helper()
	c, err := catalog.New(s.Config(version))
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// Keep copies what is published to another folder.
func (s *Site) Keep(name string) string {
	s.t.Helper()
	to := s.Temp(name)
	if err := os.CopyFS(to, os.DirFS(s.Dir)); err != nil {
		s.t.Fatal(err)
	}
	return to
}

// Restore publishes again what Keep kept, or only those of its files that are named.
func (s *Site) Restore(from string, files ...string) {
	s.t.Helper()
	if len(files) == 0 {
		if err := os.RemoveAll(s.Dir); err != nil {
			s.t.Fatal(err)
		}
		if err := os.CopyFS(s.Dir, os.DirFS(from)); err != nil {
			s.t.Fatal(err)
		}
	}
	for _, name := range files {
		s.Write(name, read(s.t, filepath.Join(from, name)))
	}
}

// Write puts a file into what is published.
func (s *Site) Write(name string, data []byte) {
	s.t.Helper()
	path := filepath.Join(s.Dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// Read reads a file of what is published.
func (s *Site) Read(name string) []byte {
	s.t.Helper()
	return read(s.t, filepath.Join(s.Dir, name))
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Stolen returns a private key.
func (s *Site) Stolen(name string) ed25519.PrivateKey {
	s.t.Helper()
	var f struct {
		Seed []byte `json:"seed"`
	}
	if err := json.Unmarshal(read(s.t, s.Path("keys", name+".key")), &f); err != nil {
		s.t.Fatal(err)
	}
	return ed25519.NewKeyFromSeed(f.Seed)
}

// BundlePath returns where the bundle of a release lies in a published folder.
func BundlePath(o release.Offer) string {
	return "targets/" + hex.EncodeToString(o.SHA256) + "." + release.BundleName(o.Compatible, o.Version)
}
