package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBuckets(t *testing.T) {
	db, err := Open(t.Context(), Config{Path: create(t, 120), Sealer: testSealer(t), Check: noCheck})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	err = db.View(func(tx *Tx) error {
		if v, err := secrets.Get(tx, "a"); err != nil || string(v) != "marker-in-clear" {
			t.Errorf("sealed value: %q, %v", v, err)
		}
		if _, err := items.Get(tx, "nothing"); !errors.Is(err, ErrNotFound) {
			t.Errorf("missing key: %v", err)
		}
		if k, err := items.LastKey(tx); err != nil || k != Key64(119) {
			t.Errorf("last key: %x, %v", k, err)
		}
		var got []uint64
		err := items.ForEach(tx, Key64(100), func(k string, _ []byte) error {
			n, err := Parse64(k)
			if got = append(got, n); len(got) == 3 {
				return ErrStop
			}
			return err
		})
		if len(got) != 3 || got[0] != 100 || got[2] != 102 {
			t.Errorf("ForEach: %v", got)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestUpdateThatFailsChangesNothing(t *testing.T) {
	db, err := Open(t.Context(), Config{Path: create(t, 1), Check: noCheck})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	boom := errors.New("boom")
	err = db.Update(func(tx *Tx) error {
		return errors.Join(items.Delete(tx, Key64(0)), items.Put(tx, "new", nil), boom)
	})
	if !errors.Is(err, boom) {
		t.Fatal(err)
	}
	_ = db.View(func(tx *Tx) error {
		_, old := items.Get(tx, Key64(0))
		_, fresh := items.Get(tx, "new")
		if old != nil || !errors.Is(fresh, ErrNotFound) {
			t.Errorf("after a failed update: old %v, new %v", old, fresh)
		}
		return nil
	})
}

func TestSealedValueOpensOnlyInItsPlace(t *testing.T) {
	s := testSealer(t)
	sealed := s.Seal("clients", "anna", []byte("secret"))
	if bytes.Contains(sealed, []byte("secret")) {
		t.Error("the value lies in clear")
	}
	flipped := bytes.Clone(sealed)
	flipped[len(flipped)-1] ^= 1
	for _, c := range []struct {
		bucket, key string
		v           []byte
		ok          bool
	}{
		{"clients", "anna", sealed, true},
		{"clients", "ben", sealed, false},
		{"client", "sanna", sealed, false}, // the lengths count
		{"clients", "anna", flipped, false},
		{"clients", "anna", sealed[:5], false},
	} {
		v, err := s.Open(c.bucket, c.key, c.v)
		if c.ok && (err != nil || string(v) != "secret") {
			t.Errorf("%s/%s: %q, %v", c.bucket, c.key, v, err)
		}
		if !c.ok && (!errors.Is(err, ErrSealed) || !errors.Is(err, ErrDamaged)) {
			t.Errorf("%s/%s opened: %v", c.bucket, c.key, err)
		}
	}
}

func TestSealerFileIsWrittenOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seal.key")
	a, err := LoadSealer(path)
	if err != nil {
		t.Fatal(err)
	}
	before, _ := os.Stat(path)
	b, err := LoadSealer(path)
	if err != nil {
		t.Fatal(err)
	}
	after, _ := os.Stat(path)
	if !os.SameFile(before, after) || after.Mode().Perm() != 0o600 {
		t.Errorf("the key's file was replaced or is open to others: %v", after.Mode())
	}
	if v, err := b.Open("b", "k", a.Seal("b", "k", []byte("v"))); err != nil || string(v) != "v" {
		t.Errorf("another key after loading: %v", err)
	}
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadSealer(path); !errors.Is(err, ErrDamaged) {
		t.Errorf("a short key: %v", err)
	}
	c, err := LoadSealer(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Open("b", "k", a.Seal("b", "k", []byte("v"))); !errors.Is(err, ErrDamaged) {
		t.Errorf("what the short key's forerunner sealed: %v", err)
	}
}

func TestSealedValuesDoNotLieInClear(t *testing.T) {
	b, err := os.ReadFile(create(t, 1))
	if err != nil || bytes.Contains(b, []byte("marker-in-clear")) {
		t.Errorf("the file holds the value in clear (%v)", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	withSchema := func(v string) string {
		path := create(t, 1)
		db, err := open(Config{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(func(tx *Tx) error { return meta.Put(tx, keySchema, []byte(v)) })
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, c := range map[string]struct {
		path string
		want error
	}{
		"missing": {filepath.Join(t.TempDir(), "no.db"), ErrMissing},
		"newer":   {withSchema(Key64(Schema+1) + Key64(^uint64(Schema+1))), ErrNewer},
		// A later number alone is a bit that changed.
		"a wrong bit":          {withSchema(Key64(Schema ^ 0x41)), ErrDamaged},
		"a wrong bit in newer": {withSchema(Key64(Schema+1) + Key64(^uint64(Schema+3))), ErrDamaged},
		"none":                 {withSchema(""), ErrDamaged},
	} {
		if _, err := Open(t.Context(), Config{Path: c.path, Check: noCheck}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What lies under a name that changed would be missed silently.
func TestABucketOfAnUnknownName(t *testing.T) {
	path := create(t, 1)
	for name, c := range map[string]struct {
		known []Bucket
		want  error
	}{
		"all known":   {[]Bucket{secrets, items}, nil},
		"one unknown": {[]Bucket{secrets}, ErrDamaged},
		"not told":    {nil, nil},
	} {
		db, err := Open(t.Context(), Config{Path: path, Check: noCheck, Buckets: c.known})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			err = db.Close()
		}
		if err != nil && c.want == nil {
			t.Error(err)
		}
	}
}

func TestTwoProcesses(t *testing.T) {
	path := create(t, 1)
	db, err := open(Config{Path: path}) // flock is per open file: one process will do
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := Open(t.Context(), Config{Path: path, Check: noCheck}); !errors.Is(err, ErrLocked) {
		t.Errorf("opened twice: %v", err)
	}
	err = ChildCheck(self(t), "child-check")(t.Context(), path)
	if err == nil || errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "another process") {
		t.Errorf("checking what is in use: %v", err)
	}
}

func TestCreateNeverReplaces(t *testing.T) {
	path := create(t, 3)
	if _, err := Create(Config{Path: path}, func(*Tx) error { return nil }); !errors.Is(err, os.ErrExist) {
		t.Errorf("created over a store: %v", err)
	}
	// What a power cut left of an earlier try is no obstacle.
	fresh := filepath.Join(t.TempDir(), "y.db")
	if err := os.WriteFile(fresh+".new", []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := Create(Config{Path: fresh}, func(*Tx) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

func TestCreateThatFailsLeavesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	boom := errors.New("boom")
	if _, err := Create(Config{Path: path}, func(*Tx) error { return boom }); !errors.Is(err, boom) {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a store is there: %v", err)
	}
}

func TestMaxBytes(t *testing.T) {
	db, err := open(Config{Path: create(t, 1), MaxBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	err = db.Update(func(tx *Tx) error { return put(tx, 0, 2000) })
	if err == nil {
		t.Error("the store grew beyond its bound")
	}
	if err := db.Update(func(tx *Tx) error { return put(tx, 0, 1) }); err != nil {
		t.Errorf("after a refused write: %v", err)
	}
}

func TestSetAsideKeepsTheNewest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	for _, text := range []string{"first", "second"} {
		if err := WriteFile(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		bad, err := SetAside(path)
		got, _ := os.ReadFile(bad)
		if err != nil || string(got) != text || bad != path+".bad" {
			t.Errorf("set aside: %q in %s, %v", got, bad, err)
		}
	}
}

func TestWriteDirIsWholeOrNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	if err := WriteDir(dir, map[string][]byte{"a": []byte("1"), "b": []byte("2")}); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "b")); err != nil || string(b) != "2" {
		t.Errorf("%q, %v", b, err)
	}
	if err := WriteDir(dir, map[string][]byte{"a": []byte("3")}); err == nil {
		t.Error("replaced a folder that is not empty")
	}
	if b, _ := os.ReadFile(filepath.Join(dir, "a")); string(b) != "1" {
		t.Errorf("a is now %q", b)
	}
	left, _ := os.ReadDir(filepath.Dir(dir))
	if len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

// A person reads of the file that was to be written, and not of the one beside it.
func TestErrorsHoldNoTemporaryName(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "full", "in"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		path string
		err  error
	}{
		"over a folder":     {"full", WriteFile(filepath.Join(dir, "full"), nil)},
		"in no folder":      {"no/file", WriteFile(filepath.Join(dir, "no", "file"), nil)},
		"a folder over one": {"full", WriteDir(filepath.Join(dir, "full"), map[string][]byte{"a": nil})},
		"in such a folder":  {"full/no/a", WriteDir(filepath.Join(dir, "full"), map[string][]byte{"no/a": nil})},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), filepath.Join(dir, c.path)) || strings.Contains(c.err.Error(), "/.") {
			t.Errorf("%s: %v", name, c.err)
		}
	}
}
