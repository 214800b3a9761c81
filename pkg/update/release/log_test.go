package release

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	formats "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

// keeper signs checkpoints as the log and as witnesses do; all its keys are made of one
// byte.
type keeper struct {
	log       note.Signer
	witnesses []*formats.Signer
	logKey    string
	lines     []string
}

func newKeeper(t testing.TB, witnesses int) keeper {
	t.Helper()
	var k keeper
	skey, vkey := pair(t, "updates.example/log", 1)
	k.logKey = vkey
	var err error
	if k.log, err = note.NewSigner(skey); err != nil {
		t.Fatal(err)
	}
	for i := range witnesses {
		skey, vkey := pair(t, fmt.Sprintf("witness-%d.example", i), byte(2+i))
		s, err := formats.NewSignerForCosignatureV1(skey)
		if err != nil {
			t.Fatal(err)
		}
		line, err := formats.VKeyToCosignatureV1(vkey)
		if err != nil {
			t.Fatal(err)
		}
		k.witnesses, k.lines = append(k.witnesses, s), append(k.lines, line)
	}
	return k
}

func pair(t testing.TB, name string, seed byte) (skey, vkey string) {
	t.Helper()
	skey, vkey, err := note.GenerateKey(bytes.NewReader(bytes.Repeat([]byte{seed}, ed25519.SeedSize)), name)
	if err != nil {
		t.Fatal(err)
	}
	return skey, vkey
}

func (k keeper) anchors(t testing.TB, need int) *Anchors {
	t.Helper()
	a, err := ParseAnchors([]byte(k.logKey+"\n"), []byte(fmt.Sprintf("# pinned\nn=%d\n\n%s\n", need, strings.Join(k.lines, "\n"))))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// sign signs any text by these.
func sign(t testing.TB, body string, signers ...note.Signer) []byte {
	t.Helper()
	text, err := note.Sign(&note.Note{Text: body}, signers...)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// logOf makes leaves, the files of their log and its checkpoint.
func (k keeper) logOf(t testing.TB, name string, n int) (leaves []Leaf, files map[string][]byte, cp Checkpoint) {
	t.Helper()
	for i := range n {
		l := testLeaf(fmt.Sprintf("1.%d.0", i), int64(i+1))
		l.Compatible = name
		leaves = append(leaves, l)
	}
	files, root, err := Files(leaves, 0)
	if err != nil {
		t.Fatal(err)
	}
	cp = Checkpoint{Size: int64(n), Hash: root}
	cp.Note = sign(t, cp.Body("updates.example/log"), k.log)
	return leaves, files, cp
}

func serve(files map[string][]byte) ReadFile {
	return func(path string, limit int64) ([]byte, error) {
		data, ok := files[path]
		if !ok {
			return nil, os.ErrNotExist
		}
		return data[:min(int64(len(data)), limit)], nil
	}
}

func TestWitnessesAreCounted(t *testing.T) {
	k := newKeeper(t, 3)
	other := newKeeper(t, 6).witnesses[5]
	_, _, cp := k.logOf(t, "a", 3)
	body := cp.Body("updates.example/log")
	for name, tt := range map[string]struct {
		need    int
		signers []note.Signer
		want    error
	}{
		"none is needed":         {0, []note.Signer{k.log}, nil},
		"two of two":             {2, []note.Signer{k.log, k.witnesses[0], k.witnesses[2]}, nil},
		"three of two":           {2, []note.Signer{k.log, k.witnesses[0], k.witnesses[1], k.witnesses[2]}, nil},
		"one of two":             {2, []note.Signer{k.log, k.witnesses[0]}, ErrFewWitnesses},
		"one twice":              {2, []note.Signer{k.log, k.witnesses[0], k.witnesses[0]}, ErrFewWitnesses},
		"one and a stranger":     {2, []note.Signer{k.log, k.witnesses[0], other}, ErrFewWitnesses},
		"witnesses without log":  {1, []note.Signer{k.witnesses[0], k.witnesses[1]}, ErrCheckpoint},
		"strangers alone":        {0, []note.Signer{other}, ErrCheckpoint},
		"a witness signs as log": {1, []note.Signer{k.log, plain(t, 2)}, ErrFewWitnesses},
	} {
		got, err := k.anchors(t, tt.need).Open(sign(t, body, tt.signers...))
		if !errors.Is(err, tt.want) || tt.want == nil && (err != nil || got.Size != 3 || got.Hash != cp.Hash) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// plain signs with a witness's key what is no cosignature.
func plain(t *testing.T, seed byte) note.Signer {
	skey, _ := pair(t, "witness-0.example", seed)
	s, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestOpenRefuses(t *testing.T) {
	k := newKeeper(t, 1)
	a := k.anchors(t, 1)
	_, _, cp := k.logOf(t, "a", 3)
	body := cp.Body("updates.example/log")
	lines := strings.SplitAfter(body, "\n")
	signed := func(body string) []byte { return sign(t, body, k.log, k.witnesses[0]) }
	good := signed(body)
	if _, err := a.Open(good); err != nil {
		t.Fatal(err)
	}
	const empty = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
	for name, text := range map[string][]byte{
		"empty":           nil,
		"other log":       signed("other.example/log\n" + lines[1] + lines[2]),
		"a fourth line":   signed(body + "more\n"),
		"leading zero":    signed(lines[0] + "0" + lines[1] + lines[2]),
		"negative":        signed(lines[0] + "-1\n" + lines[2]),
		"too large":       signed(lines[0] + "9007199254740992\n" + lines[2]),
		"short hash":      signed(lines[0] + lines[1] + "AAAA\n"),
		"loose hash":      signed(lines[0] + "0\n" + strings.Replace(empty, "U=", "V=", 1) + "\n"),
		"empty, not so":   signed(lines[0] + "0\n" + lines[2]),
		"changed":         bytes.Replace(good, []byte("\n3\n"), []byte("\n4\n"), 1),
		"false signature": bytes.Replace(good, []byte("— witness-0.example "), []byte("— witness-0.example A"), 1),
		"too long":        append(slices.Clone(good), bytes.Repeat([]byte("— x AAAAAAAA\n"), 2000)...),
	} {
		if got, err := a.Open(text); !errors.Is(err, ErrCheckpoint) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// A cosignature as C2SP cosignature/v1 writes it, and nothing that this package made.
func TestGoldenCheckpoint(t *testing.T) {
	text, err := os.ReadFile("testdata/checkpoint.txt")
	if err != nil {
		t.Fatal(err)
	}
	cp, err := newKeeper(t, 2).anchors(t, 2).Open(text)
	if err != nil || cp.Size != 3 || len(cp.Witnesses) != 2 {
		t.Errorf("%+v, %v", cp, err)
	}
	for i := range text { // each character of it counts, but for those of a strangers' line
		for bit := range 8 {
			b := slices.Clone(text)
			b[i] ^= 1 << bit
			if got, err := newKeeper(t, 2).anchors(t, 2).Open(b); err == nil && (got.Size != cp.Size || got.Hash != cp.Hash) {
				t.Errorf("bit %d of byte %d: %+v", bit, i, got)
			}
		}
	}
}

// Who has seen nothing can be shown anything, the empty log too.
func TestTheEmptyLog(t *testing.T) {
	k := newKeeper(t, 0)
	_, files, cp := k.logOf(t, "a", 0)
	if got, err := k.anchors(t, 0).Open(cp.Note); err != nil || got.Size != 0 || len(files) != 0 {
		t.Fatalf("%+v, %v", got, err)
	}
	tree := NewTree(cp, serve(files))
	if err := tree.Continues(Checkpoint{}); err != nil {
		t.Error(err)
	}
	if err := tree.Includes(0, testLeaf("1.0.0", 1)); !errors.Is(err, ErrNotLogged) {
		t.Error(err)
	}
}

func TestMergeSignatures(t *testing.T) {
	k := newKeeper(t, 2)
	_, _, cp := k.logOf(t, "a", 3)
	body := cp.Body("updates.example/log")
	one, two := sign(t, body, k.log, k.witnesses[0]), sign(t, body, k.log, k.witnesses[1])
	both := MergeSignatures(one, two)
	if c, err := k.anchors(t, 2).Open(both); err != nil || bytes.Count(both, []byte("— ")) != 3 {
		t.Errorf("%s: %+v, %v", both, c, err)
	}
	if got := MergeSignatures(one, sign(t, "x\n"+body, k.log)); !bytes.Equal(got, one) {
		t.Errorf("another log's signatures were taken: %s", got)
	}
	if got := MergeSignatures([]byte("x"), two); string(got) != "x" {
		t.Errorf("%s", got)
	}
}

func TestInclusionAndConsistency(t *testing.T) {
	k := newKeeper(t, 0)
	for _, n := range []int{1, 2, 3, 255, 256, 257, 700} {
		leaves, files, cp := k.logOf(t, "a", n)
		tree := NewTree(cp, serve(files))
		for _, i := range []int{0, n / 2, n - 1} {
			if err := tree.Includes(int64(i), leaves[i]); err != nil {
				t.Errorf("entry %d of %d: %v", i, n, err)
			}
		}
		if err := tree.Includes(int64(n), leaves[0]); !errors.Is(err, ErrNotLogged) {
			t.Errorf("entry behind the last of %d: %v", n, err)
		}
		if err := tree.Includes(0, testLeaf("9.0.0", 1)); !errors.Is(err, ErrNotLogged) {
			t.Errorf("another leaf: %v", err)
		}
		for _, m := range []int{0, 1, n / 2, n} {
			_, _, old := k.logOf(t, "a", m)
			if err := tree.Continues(old); err != nil {
				t.Errorf("%d entries continue %d: %v", n, m, err)
			}
		}
		if _, _, longer := k.logOf(t, "a", n+1); !errors.Is(tree.Continues(longer), ErrLogBack) {
			t.Errorf("%d entries after %d: %v", n, n+1, tree.Continues(longer))
		}
		for _, m := range []int{1, max(1, n/2), n} {
			if _, _, fork := k.logOf(t, "b", m); !errors.Is(tree.Continues(fork), ErrFork) {
				t.Errorf("%d entries after another log's %d: %v", n, m, tree.Continues(fork))
			}
		}
		next := int64(0)
		if err := tree.Leaves(0, func(i int64, l Leaf) error {
			if i != next || l != leaves[i] {
				t.Errorf("entry %d is %+v", i, l)
			}
			next++
			return nil
		}); err != nil || next != int64(n) {
			t.Errorf("%d of %d entries: %v", next, n, err)
		}
	}
}

// Files of a hostile server prove nothing, and are no fork: a fork needs two signatures.
func TestFilesThatDontFit(t *testing.T) {
	k := newKeeper(t, 0)
	leaves, files, cp := k.logOf(t, "a", 300)
	_, others, _ := k.logOf(t, "b", 300)
	_, _, old := k.logOf(t, "a", 20)
	for path := range files {
		for what, data := range map[string][]byte{"missing": nil, "short": files[path][1:], "another": others[path]} {
			spoiled := maps.Clone(files)
			if spoiled[path] = data; data == nil {
				delete(spoiled, path)
			}
			tree := NewTree(cp, serve(spoiled))
			err := tree.Leaves(0, func(int64, Leaf) error { return nil })
			if !errors.Is(err, ErrTiles) {
				t.Errorf("%s %s: %v", what, path, err)
			}
			if err := tree.Includes(7, leaves[7]); err != nil && !errors.Is(err, ErrTiles) {
				t.Errorf("%s %s: %v", what, path, err)
			}
			if err := tree.Continues(old); err != nil && !errors.Is(err, ErrTiles) {
				t.Errorf("%s %s: %v", what, path, err)
			}
		}
	}
}

func TestReadAnchors(t *testing.T) {
	k := newKeeper(t, 2)
	write := func(root, logKey, witnesses string) string {
		dir := t.TempDir()
		for name, text := range map[string]string{RootFile: root, LogFile: logKey, WitnessesFile: witnesses} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	good := "n=1\n" + k.lines[0] + "\n"
	if a, err := ReadAnchors(write("{}", k.logKey, good)); err != nil || a.Need != 1 || string(a.Root) != "{}" || a.Origin() != "updates.example/log" {
		t.Errorf("%+v, %v", a, err)
	}
	_, again := pair(t, "another-name.example", 2)
	_, itself := pair(t, "log-as-witness.example", 1)
	for name, dir := range map[string]string{
		"no folder":         filepath.Join(t.TempDir(), "x"),
		"no log key":        write("{}", "", good),
		"no count":          write("{}", k.logKey, k.lines[0]),
		"more than all":     write("{}", k.logKey, "n=2\n"+k.lines[0]),
		"negative":          write("{}", k.logKey, "n=-1\n"+k.lines[0]),
		"count twice":       write("{}", k.logKey, "n=1\nn=0\n"+k.lines[0]),
		"a word":            write("{}", k.logKey, "n=one\n"+k.lines[0]),
		"no key":            write("{}", k.logKey, "n=0\nanna\n"),
		"a witness twice":   write("{}", k.logKey, good+k.lines[0]),
		"under two names":   write("{}", k.logKey, "n=2\n"+k.lines[0]+"\n"+again),
		"log is a witness":  write("{}", k.logKey, "n=1\n"+itself),
		"too large":         write(strings.Repeat(" ", maxAnchor+1), k.logKey, good),
		"a name with space": write("{}", k.logKey, "n=1\nwit ness"+k.lines[0][7:]),
	} {
		if a, err := ReadAnchors(dir); !errors.Is(err, ErrAnchors) {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
}

func FuzzOpenCheckpoint(f *testing.F) {
	k := newKeeper(f, 2)
	text, err := os.ReadFile("testdata/checkpoint.txt")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	a := k.anchors(f, 2)
	f.Fuzz(func(t *testing.T, text []byte) {
		cp, err := a.Open(text)
		switch {
		case err == nil && !strings.HasPrefix(string(text), cp.Body(a.Origin())+"\n"):
			t.Errorf("%q read as %+v", text, cp)
		case err != nil && !errors.Is(err, ErrCheckpoint) && !errors.Is(err, ErrFewWitnesses):
			t.Error(err)
		}
	})
}

// FuzzCheckpointBody is what a log that signs anything can get at.
func FuzzCheckpointBody(f *testing.F) {
	f.Add("a\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n")
	f.Fuzz(func(t *testing.T, body string) {
		cp, err := parseCheckpoint(body, "a")
		if err == nil && cp.Body("a") != body {
			t.Errorf("%q read as %+v", body, cp)
		}
	})
}

func FuzzBundle(f *testing.F) {
	f.Add(bundle([]Leaf{testLeaf("1.2.0", 3), testLeaf("1.3.0", 4)}))
	f.Fuzz(func(t *testing.T, data []byte) {
		texts, err := parseBundle(data)
		n := 0
		for _, text := range texts {
			n += 2 + len(text)
		}
		if len(texts) > tileWidth || n > len(data) || err == nil && n != len(data) {
			t.Errorf("%d texts of %d bytes out of %d: %v", len(texts), n, len(data), err)
		}
	})
}

func FuzzAnchors(f *testing.F) {
	k := newKeeper(f, 2)
	f.Add([]byte(k.logKey), []byte("n=1\n"+k.lines[0]))
	f.Fuzz(func(t *testing.T, logKey, witnesses []byte) {
		a, err := ParseAnchors(logKey, witnesses)
		if err == nil && (a.Need < 0 || a.Need > len(a.witnesses)) {
			t.Errorf("%q: %+v", witnesses, a)
		}
	})
}

// FuzzTiles has a hostile server answer with anything.
func FuzzTiles(f *testing.F) {
	k := newKeeper(f, 0)
	leaves, files, cp := k.logOf(f, "a", 3)
	f.Add(files["tile/0/000.p/3"], files["tile/entries/000.p/3"])
	f.Fuzz(func(t *testing.T, tile, entries []byte) {
		tree := NewTree(cp, serve(map[string][]byte{"tile/0/000.p/3": tile, "tile/entries/000.p/3": entries}))
		err := tree.Leaves(0, func(i int64, l Leaf) error {
			if l != leaves[i] {
				t.Errorf("entry %d is %+v", i, l)
			}
			return nil
		})
		if err == nil && !bytes.Equal(entries, files["tile/entries/000.p/3"]) {
			t.Errorf("%q is taken", entries)
		}
	})
}
