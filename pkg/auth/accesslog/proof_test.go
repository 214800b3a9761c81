package accesslog

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

var testPublic = testKey.Public().(ed25519.PublicKey)

// grow appends n entries and returns the checkpoint after each, from that of the
// empty log on.
func grow(t *testing.T, l *Log, n int) []Checkpoint {
	t.Helper()
	cps := []Checkpoint{head(t, l)}
	for i := range n {
		if _, err := l.Append(Entry{Kind: KindLive, Time: 1767225600000 + int64(i)}); err != nil {
			t.Fatal(err)
		}
		cps = append(cps, head(t, l))
	}
	return cps
}

func head(t *testing.T, l *Log) Checkpoint {
	t.Helper()
	cp, err := l.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	return cp
}

// What the device proves, a client believes: from every earlier checkpoint to the
// one of now, and of every entry; and both compute the same root from all entries.
func TestProofs(t *testing.T) {
	l := testLog(t, testDB(t), 1)
	const n = 19
	for _, old := range grow(t, l, n) {
		cp, p, from, err := l.Prove(old.Note, nil)
		if err != nil || from != old.Size || cp.Size != n || p.Entry != nil {
			t.Fatalf("from %d: %+v, %+v, %d, %v", old.Size, cp, p, from, err)
		}
		got, err := ParseCheckpoint(cp.Note, Origin(device, 1), testPublic)
		if err != nil || got != cp {
			t.Fatalf("from %d: %+v, %v", old.Size, got, err)
		}
		if err := VerifyConsistency(old, cp, p); err != nil {
			t.Errorf("from %d: %v", old.Size, err)
		}
	}
	for i := range uint64(n) {
		cp, p, _, err := l.Prove("", &i)
		if err != nil {
			t.Fatal(err)
		}
		if e, err := VerifyInclusion(cp, *p.Entry); err != nil || e.Kind != KindLive || p.Entry.Index != i {
			t.Errorf("entry %d: %+v, %v", i, e, err)
		}
	}
	records, err := l.Read(0, n)
	root, rootErr := Root(Front{}, records)
	if err != nil || rootErr != nil || root != head(t, l).Hash {
		t.Errorf("root of the entries: %x, %v, %v", root, err, rootErr)
	}
}

// The library's own test of tree heads (tlog_test.go) is against the CT servers;
// this one holds our use of it against a tree made of nothing but the definition.
func TestRootIsRFC6962(t *testing.T) {
	var mth func(leaves [][]byte) tlog.Hash
	mth = func(leaves [][]byte) tlog.Hash {
		if len(leaves) == 1 {
			return tlog.RecordHash(leaves[0])
		}
		k := 1
		for 2*k < len(leaves) {
			k *= 2
		}
		return tlog.NodeHash(mth(leaves[:k]), mth(leaves[k:]))
	}
	l := testLog(t, testDB(t), 1)
	for n, cp := range grow(t, l, 18) {
		if n == 0 {
			continue
		}
		records, err := l.Read(0, n)
		if err != nil {
			t.Fatal(err)
		}
		var texts [][]byte
		for _, r := range records {
			texts = append(texts, r.Text)
		}
		if want := mth(texts); cp.Hash != want {
			t.Errorf("size %d: %x, want %x", n, cp.Hash, want)
		}
		for i := range records { // from leaf hashes alone it is the same
			records[i].Text = nil
		}
		if root, err := Root(Front{}, records); err != nil || root != cp.Hash {
			t.Errorf("size %d of hashes: %x, %v", n, root, err)
		}
	}
	if _, err := Root(Front{}, []Record{{Index: 1}}); !errors.Is(err, ErrProof) {
		t.Errorf("a gap: %v", err)
	}
}

func TestConsistencyRefuses(t *testing.T) {
	l, other := testLog(t, testDB(t), 1), testLog(t, testDB(t), 1)
	cps := grow(t, l, 12)
	if _, err := other.Append(Entry{Kind: KindGrant}); err != nil {
		t.Fatal(err)
	}
	forks := grow(t, other, 11) // sizes 1 to 12
	now, p, _, err := l.Prove(cps[5].Note, nil)
	if err != nil {
		t.Fatal(err)
	}
	change := func(f func([]string) []string) Proof { return Proof{Consistency: f(slices.Clone(p.Consistency))} }
	for name, c := range map[string]struct {
		old, now Checkpoint
		p        Proof
		want     error
	}{
		"nothing seen":      {Checkpoint{}, now, Proof{}, nil},
		"the same":          {now, now, Proof{}, nil},
		"as it should be":   {cps[5], now, p, nil},
		"shorter":           {now, cps[11], p, ErrRollback},
		"empty again":       {now, cps[0], Proof{}, ErrRollback},
		"other log":         {now, forks[11], Proof{}, ErrFork},
		"other log, longer": {forks[4], now, p, ErrProof},
		"other log, later":  {cps[5], forks[11], p, ErrProof},
		"no proof":          {cps[5], now, Proof{}, ErrProof},
		"proof of another":  {cps[6], now, p, ErrProof},
		"proof where none":  {now, now, p, ErrProof},
		"a hash more":       {cps[5], now, change(func(h []string) []string { return append(h, h[0]) }), ErrProof},
		"a hash less":       {cps[5], now, change(func(h []string) []string { return h[1:] }), ErrProof},
		"other order":       {cps[5], now, change(func(h []string) []string { slices.Reverse(h); return h }), ErrProof},
		"a short hash":      {cps[5], now, change(func(h []string) []string { h[0] = h[0][1:]; return h }), ErrProof},
		"padding":           {cps[5], now, change(func(h []string) []string { h[0] += "="; return h }), ErrProof},
		"line end":          {cps[5], now, change(func(h []string) []string { h[0] += "\n"; return h }), ErrProof},
		"far too many":      {cps[5], now, Proof{Consistency: make([]string, 1<<16)}, ErrProof},
	} {
		if err := VerifyConsistency(c.old, c.now, c.p); !errors.Is(err, c.want) || err != nil && c.want == nil {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestInclusionRefuses(t *testing.T) {
	l := testLog(t, testDB(t), 1)
	grow(t, l, 12)
	index := uint64(6)
	cp, p, _, err := l.Prove("", &index)
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func(*Included){
		"other index":    func(in *Included) { in.Index = 7 },
		"beyond the end": func(in *Included) { in.Index = 12 },
		"far beyond":     func(in *Included) { in.Index = 1<<64 - 1 },
		"other text":     func(in *Included) { in.Text = `{"v":1,"k":"live","t":1,"ep":1}` },
		"white space":    func(in *Included) { in.Text += " " },
		"no entry":       func(in *Included) { in.Text = "hello" },
		"no path":        func(in *Included) { in.Path = nil },
		"longer path":    func(in *Included) { in.Path = append(in.Path, in.Path[0]) },
		"no base64":      func(in *Included) { in.Path[0] = "!" },
	} {
		in := Included{p.Entry.Index, p.Entry.Text, slices.Clone(p.Entry.Path)}
		f(&in)
		if e, err := VerifyInclusion(cp, in); err == nil {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

// A client that has seen more, or something else, than the device holds tells that
// the storage was put back. The device still answers with what it has.
func TestProveAfterARollback(t *testing.T) {
	l, other := testLog(t, testDB(t), 1), testLog(t, testDB(t), 1)
	grow(t, l, 5)
	if _, err := other.Append(Entry{Kind: KindGrant}); err != nil {
		t.Fatal(err)
	}
	seen := grow(t, other, 8)
	index := uint64(2)
	for name, c := range map[string]struct {
		from string
		size uint64
		want error
	}{
		"longer":           {seen[8].Note, 9, ErrRolledBack},
		"as long":          {seen[4].Note, 5, ErrRolledBack},
		"shorter":          {seen[1].Note, 2, ErrRolledBack},
		"no checkpoint":    {"hello", 0, ErrCheckpoint},
		"of another epoch": {head(t, testLog(t, testDB(t), 2)).Note, 0, ErrCheckpoint},
	} {
		cp, p, from, err := l.Prove(c.from, &index)
		if !errors.Is(err, c.want) || from != c.size || cp.Size != 5 || p.Consistency != nil {
			t.Errorf("%s: %+v, %+v, %d, %v", name, cp, p, from, err)
			continue
		}
		if _, err := VerifyInclusion(cp, *p.Entry); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, _, err := l.Prove("", new(uint64(5))); err == nil {
		t.Error("an entry that there is not was proved")
	}
}

// vector is an element of testdata/proofs.json: what the device proves to whoever
// has seen From when the log holds all of entries.txt.
type vector struct {
	From  string `json:"from,omitempty"`
	Proof Proof  `json:"proof"`
}

func TestGoldenProofs(t *testing.T) {
	now, err := ParseCheckpoint(goldenFile(t, "checkpoint.txt"), Origin(device, 1), testPublic)
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal([]byte(goldenFile(t, "proofs.json")), &vectors); err != nil {
		t.Fatal(err)
	}
	l := goldenLog(t)
	for i, v := range vectors {
		var old Checkpoint
		if v.From != "" {
			if old, err = ParseCheckpoint(v.From, Origin(device, 1), testPublic); err != nil {
				t.Fatal(err)
			}
		}
		cp, p, _, err := l.Prove(v.From, &v.Proof.Entry.Index)
		got, gotErr := json.Marshal(p)
		want, wantErr := json.Marshal(v.Proof)
		if err := errors.Join(err, gotErr, wantErr); err != nil || cp != now || !bytes.Equal(got, want) {
			t.Errorf("vector %d: %v\n got %s\nwant %s", i, err, got, want)
		}
		if err := VerifyConsistency(old, now, v.Proof); err != nil {
			t.Errorf("vector %d: %v", i, err)
		}
		if e, err := VerifyInclusion(now, *v.Proof.Entry); err != nil || !reflect.DeepEqual(e, golden[v.Proof.Entry.Index]) {
			t.Errorf("vector %d: %+v, %v", i, e, err)
		}
	}
	if len(vectors) != 4 {
		t.Errorf("%d vectors", len(vectors))
	}
}

// FuzzProof shows a client any proof in any state: it never panics, and only one
// proof, of one entry, is believed.
func FuzzProof(f *testing.F) {
	var vectors []vector
	if err := json.Unmarshal([]byte(goldenFile(f, "proofs.json")), &vectors); err != nil {
		f.Fatal(err)
	}
	now, err := ParseCheckpoint(goldenFile(f, "checkpoint.txt"), Origin(device, 1), testPublic)
	if err != nil {
		f.Fatal(err)
	}
	for _, v := range vectors {
		b, err := json.Marshal(v.Proof)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, uint64(3), now.Size)
		f.Add(b, uint64(maxSize), uint64(maxSize))
	}
	lines := goldenLines(f)
	f.Fuzz(func(t *testing.T, text []byte, oldSize, nowSize uint64) {
		var p Proof
		if json.Unmarshal(text, &p) != nil {
			return
		}
		old := Checkpoint{Size: oldSize % (maxSize + 1), Hash: now.Hash}
		later := Checkpoint{Size: nowSize % (maxSize + 1), Hash: now.Hash}
		if err := VerifyConsistency(old, later, p); err == nil && old.Size != 0 && old.Size != later.Size {
			t.Errorf("from %d to %d by %s", old.Size, later.Size, text)
		}
		if p.Entry == nil {
			return
		}
		_, _ = VerifyInclusion(later, *p.Entry)
		if _, err := VerifyInclusion(now, *p.Entry); err == nil && p.Entry.Text != string(lines[p.Entry.Index]) {
			t.Errorf("another entry %d: %s", p.Entry.Index, p.Entry.Text)
		}
	})
}
