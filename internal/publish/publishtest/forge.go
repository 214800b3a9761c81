package publishtest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"
	formats "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"github.com/camd-project/camd/pkg/update/release"
)

// Targets returns the newest targets metadata that are published.
func (s *Site) Targets() *metadata.Metadata[metadata.TargetsType] {
	s.t.Helper()
	return s.role("targets")
}

// Rollout returns the newest metadata of the role that can withhold.
func (s *Site) Rollout() *metadata.Metadata[metadata.TargetsType] {
	s.t.Helper()
	return s.role("rollout")
}

// Name returns the path of the metadata of a role that are published now.
func (s *Site) Name(role string) string {
	s.t.Helper()
	if role == "snapshot" {
		return fmt.Sprintf("metadata/%d.snapshot.json", s.timestamp().Signed.Meta["snapshot.json"].Version)
	}
	return fmt.Sprintf("metadata/%d.%s.json", s.snapshot().Signed.Meta[role+".json"].Version, role)
}

func (s *Site) role(name string) *metadata.Metadata[metadata.TargetsType] {
	s.t.Helper()
	m, err := metadata.Targets().FromBytes(s.Read(s.Name(name)))
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}

func (s *Site) timestamp() *metadata.Metadata[metadata.TimestampType] {
	s.t.Helper()
	m, err := metadata.Timestamp().FromBytes(s.Read("metadata/timestamp.json"))
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}

func (s *Site) snapshot() *metadata.Metadata[metadata.SnapshotType] {
	s.t.Helper()
	m, err := metadata.Snapshot().FromBytes(s.Read(s.Name("snapshot")))
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}

// Forge publishes targets metadata of the next version that these keys sign, with a
// snapshot and a timestamp that name them, as who has stolen the online keys can.
func (s *Site) Forge(m *metadata.Metadata[metadata.TargetsType], keys ...string) {
	s.t.Helper()
	m.Signed.Version++
	signed(s, m, &m.Signatures, keys...)
	s.ForgeSigned("targets", m)
}

// SignForged has these keys sign targets metadata.
func (s *Site) SignForged(m *metadata.Metadata[metadata.TargetsType], keys ...string) {
	s.t.Helper()
	signed(s, m, &m.Signatures, keys...)
}

// ForgeRoot publishes a root that these keys sign.
func (s *Site) ForgeRoot(m *metadata.Metadata[metadata.RootType], keys ...string) {
	s.t.Helper()
	signed(s, m, &m.Signatures, keys...)
	s.put(fmt.Sprintf("metadata/%d.root.json", m.Signed.Version), m)
}

// ForgeRollout does the same with the role that can withhold.
func (s *Site) ForgeRollout(m *metadata.Metadata[metadata.TargetsType]) {
	s.t.Helper()
	m.Signed.Version++
	signed(s, m, &m.Signatures, "rollout")
	s.ForgeSigned("rollout", m)
}

// ForgeSigned publishes metadata with the signatures that they have.
func (s *Site) ForgeSigned(role string, m *metadata.Metadata[metadata.TargetsType]) {
	s.t.Helper()
	text, err := m.ToBytes(true)
	if err != nil {
		s.t.Fatal(err)
	}
	s.ForgeRaw(role, m.Signed.Version, text)
}

// ForgeRaw publishes any bytes as metadata of a role.
func (s *Site) ForgeRaw(role string, version int64, text []byte) {
	s.t.Helper()
	snap, stamp := s.snapshot(), s.timestamp()
	s.Write(fmt.Sprintf("metadata/%d.%s.json", version, role), text)
	snap.Signed.Version++
	snap.Signed.Meta[role+".json"] = meta(version, text)
	signed(s, snap, &snap.Signatures, "snapshot")
	text = s.put(fmt.Sprintf("metadata/%d.snapshot.json", snap.Signed.Version), snap)
	stamp.Signed.Version++
	stamp.Signed.Meta["snapshot.json"] = meta(snap.Signed.Version, text)
	signed(s, stamp, &stamp.Signatures, "timestamp")
	s.put("metadata/timestamp.json", stamp)
}

func signed[T metadata.Roles](s *Site, m *metadata.Metadata[T], sigs *[]metadata.Signature, keys ...string) {
	s.t.Helper()
	*sigs = nil
	for _, name := range keys {
		signer, err := signature.LoadED25519Signer(s.Stolen(name))
		if err == nil {
			_, err = m.Sign(signer)
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *Site) put(name string, m interface{ ToBytes(bool) ([]byte, error) }) []byte {
	s.t.Helper()
	text, err := m.ToBytes(true)
	if err != nil {
		s.t.Fatal(err)
	}
	s.Write(name, text)
	return text
}

func meta(version int64, text []byte) *metadata.MetaFiles {
	sum := sha256.Sum256(text)
	return &metadata.MetaFiles{Version: version, Length: int64(len(text)), Hashes: metadata.Hashes{"sha256": sum[:]}}
}

// Target makes a target that is a release in all but what the log says of it.
func Target(c release.Custom) *metadata.TargetFiles {
	text, err := c.Marshal()
	if err != nil {
		panic(err)
	}
	raw := json.RawMessage(text)
	sum := sha256.Sum256(text)
	return &metadata.TargetFiles{Length: 1000, Hashes: metadata.Hashes{"sha256": sum[:]}, Custom: &raw}
}

// Custom returns what a release of this version says of itself.
func Custom(version string, targets, index int64) release.Custom {
	return release.Custom{Version: version, Compatible: Kind, Manifest: release.ManifestHash([]byte(version)),
		Minimum: "0.0.0", Lowest: "0.0.0", Targets: targets, Log: index}
}

// Leaves returns what the published log holds.
func (s *Site) Leaves() (l []release.Leaf) {
	s.t.Helper()
	a, err := release.ReadAnchors(s.Anchors)
	if err != nil {
		s.t.Fatal(err)
	}
	cp, err := a.OpenUnwitnessed(s.Read("log/checkpoint"))
	if err != nil {
		s.t.Fatal(err)
	}
	tree := release.NewTree(cp, func(path string, _ int64) ([]byte, error) { return s.Read("log/" + path), nil })
	if err := tree.Leaves(0, func(_ int64, leaf release.Leaf) error { l = append(l, leaf); return nil }); err != nil {
		s.t.Fatal(err)
	}
	return l
}

// ForgeLog publishes another log, which the log's stolen key signs, and the witness's if
// it agrees to anything.
func (s *Site) ForgeLog(leaves []release.Leaf, witness bool) {
	s.t.Helper()
	files, root, err := release.Files(leaves, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	for path, data := range files {
		s.Write("log/"+path, data)
	}
	signers := []note.Signer{noteSigner(s.t, origin, s.Stolen("log"))}
	if witness {
		signers = append(signers, s.cosigner())
	}
	s.checkpoint(release.Checkpoint{Size: int64(len(leaves)), Hash: root}, signers...)
}

// ForgeWitnessesLog publishes a log that the witness alone has signed.
func (s *Site) ForgeWitnessesLog(leaves []release.Leaf) {
	s.t.Helper()
	s.ForgeLog(leaves, true)
	_, root, err := release.Files(leaves, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	s.checkpoint(release.Checkpoint{Size: int64(len(leaves)), Hash: root}, s.cosigner())
}

// origin is the log's name.
const origin = "updates.test/log"

func (s *Site) checkpoint(cp release.Checkpoint, signers ...note.Signer) {
	s.t.Helper()
	text, err := note.Sign(&note.Note{Text: cp.Body(origin)}, signers...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.Write("log/checkpoint", text)
}

// Unwitness takes the witness's signature off the published checkpoint.
func (s *Site) Unwitness() {
	s.t.Helper()
	body, sigs, _ := bytes.Cut(s.Read("log/checkpoint"), []byte("\n\n"))
	first, _, _ := bytes.Cut(sigs, []byte("\n"))
	s.Write("log/checkpoint", bytes.Join([][]byte{body, append(first, '\n')}, []byte("\n\n")))
}

func skey(t testing.TB, name string, key ed25519.PrivateKey) string {
	t.Helper()
	public, _ := key.Public().(ed25519.PublicKey)
	vkey, err := note.NewEd25519VerifierKey(name, public)
	if err != nil {
		t.Fatal(err)
	}
	hash := bytes.Split([]byte(vkey), []byte("+"))[1]
	return fmt.Sprintf("PRIVATE+KEY+%s+%s+%s", name, hash, base64.StdEncoding.EncodeToString(append([]byte{1}, key.Seed()...)))
}

func noteSigner(t testing.TB, name string, key ed25519.PrivateKey) note.Signer {
	t.Helper()
	s, err := note.NewSigner(skey(t, name, key))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// cosigner signs as the witness whatever it is given.
func (s *Site) cosigner() note.Signer {
	s.t.Helper()
	c, err := formats.NewSignerForCosignatureV1(skey(s.t, "development.witness", s.Stolen("witness")))
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// Later returns a clock that is ahead.
func Later(d time.Duration) func() time.Time { return func() time.Time { return time.Now().Add(d) } }
