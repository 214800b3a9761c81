package accesslog

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/store"
)

// A log whose tree and texts don't fit is damaged, which is told at Open.
func TestOpenFindsDamage(t *testing.T) {
	const n = 12
	tree, texts := store.Plain("tree/1"), texts(1)
	flip := func(b store.Bucket, index uint64, at int) func(*store.Tx) error {
		return func(tx *store.Tx) error {
			v, err := b.Get(tx, store.Key64(index))
			if err != nil {
				return err
			}
			v[at] ^= 1
			return b.Put(tx, store.Key64(index), v)
		}
	}
	for name, damage := range map[string]func(*store.Tx) error{
		"no tree": func(tx *store.Tx) error {
			for i := range uint64(n) {
				if err := tree.Delete(tx, store.Key64(i)); err != nil {
					return err
				}
			}
			return nil
		},
		"no texts": func(tx *store.Tx) error {
			for i := range uint64(n) {
				if err := texts.Delete(tx, store.Key64(i)); err != nil {
					return err
				}
			}
			return nil
		},
		"a text too many":   func(tx *store.Tx) error { return texts.Put(tx, store.Key64(n), []byte("{}")) },
		"the newest gone":   func(tx *store.Tx) error { return texts.Delete(tx, store.Key64(n-1)) },
		"its leaf gone":     func(tx *store.Tx) error { return tree.Delete(tx, store.Key64(n-1)) },
		"a subtree gone":    func(tx *store.Tx) error { return tree.Delete(tx, store.Key64(7)) },
		"another text":      flip(texts, n-1, 10),
		"another leaf":      flip(tree, n-1, 0),
		"another subtree":   flip(tree, n-1, 40),
		"what it is of":     flip(tree, n-3, 40),
		"a hash cut":        func(tx *store.Tx) error { return tree.Put(tx, store.Key64(n-1), make([]byte, 31)) },
		"a hash too many":   func(tx *store.Tx) error { return tree.Put(tx, store.Key64(7), make([]byte, 5*32)) },
		"an empty value":    func(tx *store.Tx) error { return tree.Put(tx, store.Key64(7), nil) },
		"a key cut":         func(tx *store.Tx) error { return tree.Put(tx, "\xff", make([]byte, 32)) },
		"a key far too big": func(tx *store.Tx) error { return tree.Put(tx, store.Key64(1<<64-1), make([]byte, 32)) },
	} {
		db := testDB(t)
		if _, err := testLog(t, db, 1).Append(make([]Entry, n)...); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(db, 1, Origin(device, 1), testKey); err != nil {
			t.Errorf("%s: before: %v", name, err)
		}
		if err := db.Update(damage); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(db, 1, Origin(device, 1), testKey); !errors.Is(err, store.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Damage that Open doesn't look for is an error of what meets it, never a panic.
func TestDamageFoundLater(t *testing.T) {
	db := testDB(t)
	l := testLog(t, db, 1)
	if _, err := l.Append(make([]Entry, 12)...); err != nil {
		t.Fatal(err)
	}
	err := db.Update(func(tx *store.Tx) error {
		return errors.Join(store.Plain("tree/1").Put(tx, store.Key64(2), make([]byte, 3)), state.Put(tx, keyPruned, []byte("?")))
	})
	if err != nil {
		t.Fatal(err)
	}
	_, readErr := l.Read(0, 12)
	_, _, _, proveErr := l.Prove("", new(uint64(3)))
	_, appendErr := l.Append(Entry{Kind: KindLive})
	_, dropErr := l.DropBefore(noon)
	for _, err := range []error{readErr, proveErr, appendErr, dropErr} {
		if !errors.Is(err, store.ErrDamaged) {
			t.Error(err)
		}
	}
}

// When the file is full nothing is appended, and all that was can be read and
// proved as before. Dropping old texts makes room.
func TestFullStore(t *testing.T) {
	db, err := store.Create(store.Config{Path: filepath.Join(t.TempDir(), "log.db"), MaxBytes: 2 << 20}, func(*store.Tx) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	l := testLog(t, db, 1)
	many := make([]Entry, 64)
	for i := range many {
		many[i] = Entry{Kind: KindEnd, Time: noon.UnixMilli(), Session: strings.Repeat("s", 200)}
	}
	before := head(t, l)
	for range 1000 {
		if _, err = l.Append(many...); err != nil {
			break
		}
		before = head(t, l)
	}
	if err == nil {
		t.Fatal("never full")
	}
	after, p, _, err := l.Prove(before.Note, new(before.Size-1))
	if err != nil || after != before || after.Size == 0 || after.Size%64 != 0 || p.Entry == nil {
		t.Errorf("after the failure: %+v, %v", after, err)
	}
	if n, err := l.Head(); err != nil || n != before.Size {
		t.Errorf("head: %d, %v", n, err)
	}
	if n, err := l.DropBefore(noon.Add(time.Second)); err != nil || n == 0 {
		t.Errorf("dropped %d, %v", n, err)
	}
	if n, err := l.Append(many...); err != nil || n != before.Size {
		t.Errorf("with room again: %d, %v", n, err)
	}
	now, p, _, err := l.Prove(before.Note, nil)
	if err != nil || VerifyConsistency(before, now, p) != nil {
		t.Error(err)
	}
}

// Several entries of one append are there together or not at all.
func TestAppendIsOneTransaction(t *testing.T) {
	l := testLog(t, testDB(t), 1)
	appendOne(t, l)
	if _, err := l.Append(Entry{Kind: KindRevoke}, Entry{Kind: KindRevoke, Name: strings.Repeat("x", MaxEntry)}); !errors.Is(err, errEntry) {
		t.Error(err)
	}
	if n, err := l.Append(Entry{Kind: KindRevoke}, Entry{Kind: KindRevoke}); err != nil || n != 1 {
		t.Errorf("%d, %v", n, err)
	}
	got, err := l.Read(0, 9)
	if err != nil || len(got) != 3 || bytes.Contains(got[1].Text, []byte(`"ref"`)) || !bytes.Contains(got[2].Text, []byte(`"ref":1`)) {
		t.Errorf("%v, %v", got, err)
	}
}

// Appends, proofs, pages and pruning go on at once, and each checkpoint that was
// seen is continued by each later one.
func TestConcurrentUse(t *testing.T) {
	l := testLog(t, testDB(t), 1)
	l.maxTexts = 4 << 10
	appendOne(t, l)
	done := make(chan struct{})
	var writers, readers sync.WaitGroup
	for range 2 {
		writers.Go(func() {
			for range 40 {
				if _, err := l.Append(Entry{Kind: KindLive, Client: anna}, Entry{Kind: KindEnd, Client: anna}); err != nil {
					t.Error(err)
				}
				_, dropErr := l.DropBefore(noon)
				_, mergeErr := l.Merge()
				_, readErr := l.Read(0, MaxRead)
				if err := errors.Join(dropErr, mergeErr, readErr); err != nil {
					t.Error(err)
				}
			}
		})
		readers.Go(func() {
			var old Checkpoint
			for {
				now, p, _, err := l.Prove(old.Note, nil)
				if err == nil {
					err = VerifyConsistency(old, now, p)
				}
				if err == nil {
					_, err = ParseCheckpoint(now.Note, Origin(device, 1), testPublic)
				}
				if err != nil {
					t.Error(err)
					return
				}
				old = now
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
	if cp := head(t, l); cp.Size != 161 {
		t.Errorf("%d entries", cp.Size)
	}
}
