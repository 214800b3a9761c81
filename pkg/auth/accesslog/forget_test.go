package accesslog

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/camd-project/camd/pkg/store"
)

// forgetful is a log that keeps few hashes, with some entries in it.
func forgetful(t testing.TB, db *store.DB, kept uint64, entries int) *Log {
	t.Helper()
	l := testLog(t, db, 1)
	l.kept = kept
	swell(t, l, entries)
	return l
}

// swell appends entries, each of another text.
func swell(t testing.TB, l *Log, entries int) {
	t.Helper()
	size, err := l.Head()
	for ; err == nil && entries > 0; entries -= min(entries, 50) {
		batch := make([]Entry, min(entries, 50))
		for i := range batch {
			batch[i] = Entry{Kind: KindSettings, Set: []string{fmt.Sprint(size)}, Time: 1796295600000}
			size++
		}
		_, err = l.Append(batch...)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func frontOf(t testing.TB, l *Log) Front {
	t.Helper()
	_, f, err := l.ReadFront(l.epoch, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A log that forgot is the log of one that kept all: the same checkpoints, and the same
// proofs of all that can still be proved.
func TestForgettingChangesNoCheckpoint(t *testing.T) {
	const kept = 300
	whole, l := forgetful(t, testDB(t), 1<<20, 0), forgetful(t, testDB(t), kept, 0)
	var seen []Checkpoint
	for range 40 {
		swell(t, whole, 37)
		swell(t, l, 37)
		cp := head(t, l)
		if cp != head(t, whole) {
			t.Fatalf("the tree of %d entries is another one", cp.Size)
		}
		seen = append(seen, cp)
		front := frontOf(t, l)
		if front.Size > 0 && cp.Size-front.Size < kept || cp.Size-front.Size >= kept+forgetAtOnce {
			t.Fatalf("of %d entries %d are forgotten", cp.Size, front.Size)
		}
		for _, old := range seen {
			for _, index := range []uint64{old.Size - 1, cp.Size - 1} {
				if index < front.Size {
					continue
				}
				want, wantProof, _, wantErr := whole.Prove(old.Note, &index)
				got, proof, _, err := l.Prove(old.Note, &index)
				switch {
				case wantErr != nil || got != want:
					t.Fatalf("%+v, %v", got, wantErr)
				case old.Size < front.Size && errors.Is(err, ErrForgotten):
					proof.Consistency = wantProof.Consistency // which is what lacks
				case err != nil:
					t.Fatalf("from %d to %d, without the first %d: %v", old.Size, cp.Size, front.Size, err)
				}
				if !reflect.DeepEqual(proof, wantProof) {
					t.Fatalf("from %d to %d, without the first %d: another proof", old.Size, cp.Size, front.Size)
				}
			}
		}
	}
}

// Who reads all that is left, and what stands for the rest, computes the root. A front
// that was changed stands for other entries.
func TestRootWithAFront(t *testing.T) {
	l := forgetful(t, testDB(t), 10, 1111)
	cp, front := head(t, l), frontOf(t, l)
	var records []Record
	for from := uint64(0); from < cp.Size; {
		page, err := l.Read(from, MaxRead)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, page...)
		from = page[len(page)-1].Index + 1
	}
	if records[0].Index != front.Size || front.Size == 0 {
		t.Fatalf("the first is entry %d, behind %d", records[0].Index, front.Size)
	}
	if root, err := Root(front, records); err != nil || root != cp.Hash {
		t.Errorf("root %x, %v", root, err)
	}
	for i := range front.Peaks {
		front.Peaks[i][0] ^= 1
		if root, err := Root(front, records); err != nil || root == cp.Hash {
			t.Errorf("peak %d does not count: %v", i, err)
		}
		front.Peaks[i][0] ^= 1
	}
	if _, err := Root(Front{}, records); !errors.Is(err, ErrProof) {
		t.Errorf("without the front: %v", err)
	}
	for size, peaks := range map[uint64][]string{front.Size + 1: front.Encode(), front.Size: front.Encode()[1:], 0: front.Encode(), 1 << 60: {front.Encode()[0]}} {
		if _, err := ParseFront(size, peaks); !errors.Is(err, ErrProof) {
			t.Errorf("%d hashes for %d entries: %v", len(peaks), size, err)
		}
	}
	if got, err := ParseFront(front.Size, front.Encode()); err != nil || !reflect.DeepEqual(got, front) {
		t.Errorf("read as %+v, %v", got, err)
	}
}

// An append that fails, at any point of what forgets, has changed nothing; and what was
// forgotten stays so after a start.
func TestForgettingIsDurableOrNot(t *testing.T) {
	db := testDB(t)
	l := forgetful(t, db, 100, 355) // the next one forgets
	cp := head(t, l)
	cut := errors.New("cut")
	err := db.Update(func(tx *store.Tx) error {
		if _, err := l.add(tx, []Entry{{Kind: KindHostile}}); err != nil {
			return err
		}
		if f, err := readFront(tx, 1); err != nil || f.Size != forgetAtOnce {
			t.Errorf("%d are forgotten, %v", f.Size, err)
		}
		return cut
	})
	if !errors.Is(err, cut) || frontOf(t, l).Size != 0 {
		t.Errorf("%v, and %d are forgotten", err, frontOf(t, l).Size)
	}
	if l = testLog(t, db, 1); head(t, l) != cp {
		t.Error("another log")
	}
	l.kept = 100
	swell(t, l, 1)
	cp = head(t, l)
	l = testLog(t, db, 1)
	if head(t, l) != cp || frontOf(t, l).Size != forgetAtOnce {
		t.Errorf("after a start: %d are forgotten", frontOf(t, l).Size)
	}
	if _, _, _, err := l.Prove(cp.Note, nil); err != nil {
		t.Error(err)
	}
}

// Texts go with their hashes, and what prunes and merges goes on.
func TestForgottenTextsGo(t *testing.T) {
	db := testDB(t)
	l := forgetful(t, db, 20, 1000)
	front := frontOf(t, l)
	var left, bytes uint64
	err := db.View(func(tx *store.Tx) error {
		p, err := readPruned(tx, 1)
		if err != nil {
			return err
		}
		bytes = p.texts
		return texts(1).ForEach(tx, "", func(key string, value []byte) error {
			n, err := store.Parse64(key)
			if n < front.Size {
				t.Errorf("the text of entry %d is there", n)
			}
			left += uint64(len(value))
			return err
		})
	})
	if err != nil || left != bytes {
		t.Errorf("%d bytes of texts, counted as %d; %v", left, bytes, err)
	}
	l.maxTexts = left / 2
	swell(t, l, 400)
	if frontOf(t, l).Size <= front.Size {
		t.Error("it forgets no more")
	}
	if _, err := l.Merge(); err != nil {
		t.Error(err)
	}
}

// The log never ends: its file has its size.
func TestTheFileStops(t *testing.T) {
	db := testDB(t)
	l := forgetful(t, db, 1000, 5000)
	l.maxTexts = 50 << 10
	size := func() int64 {
		st, err := os.Stat(db.Path())
		if err != nil {
			t.Fatal(err)
		}
		return st.Size()
	}
	swell(t, l, 3000)
	before := size()
	swell(t, l, 15000)
	if after := size(); after > before {
		t.Errorf("%d bytes, and %d before", after, before)
	}
}

func TestOpenFindsADamagedFront(t *testing.T) {
	tree := store.Plain("tree/1")
	put := func(b []byte) func(*store.Tx) error {
		return func(tx *store.Tx) error { return state.Put(tx, keyFront(1), b) }
	}
	for name, damage := range map[string]func(*store.Tx) error{
		"none":      func(tx *store.Tx) error { return state.Delete(tx, keyFront(1)) },
		"empty":     put(nil),
		"cut":       put(make([]byte, 7)),
		"of none":   put(make([]byte, 8)),
		"too short": put(append([]byte(store.Key64(256)), make([]byte, 31)...)),
		"too long":  put(append([]byte(store.Key64(256)), make([]byte, 64)...)),
		"too large": put(append([]byte(store.Key64(1<<60)), make([]byte, 32)...)),
		"elsewhere": put(append([]byte(store.Key64(128)), make([]byte, 32)...)),
		"a gap":     func(tx *store.Tx) error { return tree.Delete(tx, store.Key64(256)) },
	} {
		db := testDB(t)
		forgetful(t, db, 10, 300)
		if err := db.Update(damage); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(db, 1, Origin(device, 1), testKey); !errors.Is(err, store.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// testdata/front.json stands for the first 13 of the entries in entries.txt.
func TestGoldenFront(t *testing.T) {
	var v struct {
		Forgot uint64   `json:"forgot"`
		Peaks  []string `json:"peaks"`
	}
	if err := json.Unmarshal([]byte(goldenFile(t, "front.json")), &v); err != nil {
		t.Fatal(err)
	}
	var made Front
	for i, line := range goldenLines(t)[:v.Forgot] {
		hashes, err := tlog.StoredHashes(int64(i), line, tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
			out := make([]tlog.Hash, len(indexes))
			for k, index := range indexes {
				level, n := tlog.SplitStoredHashIndex(index)
				h, err := made.hash(level, uint64(n))
				if out[k] = h; err != nil {
					return nil, err
				}
			}
			return out, nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		made.take(hashes)
	}
	if got := made.Encode(); v.Forgot != 13 || !reflect.DeepEqual(got, v.Peaks) {
		b, _ := json.Marshal(got)
		t.Errorf("made: %s", b)
	}
	front, err := ParseFront(v.Forgot, v.Peaks)
	if err != nil {
		t.Fatal(err)
	}
	var records []Record
	for i, line := range goldenLines(t)[v.Forgot:] {
		records = append(records, Record{Index: v.Forgot + uint64(i), Text: line})
	}
	cp, err := ParseCheckpoint(goldenFile(t, "checkpoint.txt"), Origin(device, 1), testPublic)
	if err != nil {
		t.Fatal(err)
	}
	if root, err := Root(front, records); err != nil || root != cp.Hash {
		t.Errorf("root %x, %v", root, err)
	}
}

// FuzzFront reads what a device says of its oldest entries.
func FuzzFront(f *testing.F) {
	f.Add([]byte(goldenFile(f, "front.json")))
	f.Add([]byte(`{"forgot":9007199254740991,"peaks":["",""]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var v struct {
			Forgot uint64   `json:"forgot"`
			Peaks  []string `json:"peaks"`
		}
		if json.Unmarshal(text, &v) != nil {
			return
		}
		front, err := ParseFront(v.Forgot, v.Peaks)
		if err != nil {
			if !errors.Is(err, ErrProof) {
				t.Error(err)
			}
			return
		}
		if !reflect.DeepEqual(front.Encode(), v.Peaks) && len(v.Peaks) > 0 {
			t.Errorf("%q written as %q", v.Peaks, front.Encode())
		}
		_, _ = Root(front, []Record{{Index: front.Size, Text: []byte("{}")}})
	})
}
