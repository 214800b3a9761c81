package accesslog

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

func testDB(t testing.TB) *store.DB {
	t.Helper()
	db, err := store.Create(store.Config{Path: filepath.Join(t.TempDir(), "log.db")}, func(*store.Tx) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// testKey is the log's key in tests and vectors.
var testKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))

const device = proto.DeviceID("abcdefghijklmnopqrstuvwxyz")

func testLog(t testing.TB, db *store.DB, epoch uint64) *Log {
	t.Helper()
	l, err := Open(db, epoch, Origin(device, epoch), testKey)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestAppendAndRead(t *testing.T) {
	l := testLog(t, testDB(t), 3)
	for want := range uint64(5) {
		if i, err := l.Append(Entry{Kind: KindLive, Client: anna}); err != nil || i != want {
			t.Fatalf("append %d: %d, %v", want, i, err)
		}
	}
	if n, err := l.Head(); err != nil || n != 5 {
		t.Errorf("head: %d, %v", n, err)
	}
	got, err := l.Read(3, 10)
	if err != nil || len(got) != 2 || got[0].Index != 3 {
		t.Fatalf("read: %v, %v", got, err)
	}
	e, err := Parse(got[0].Text)
	if err != nil || e.Epoch != 3 || e.Client != anna || e.Time == 0 {
		t.Errorf("entry: %+v, %v", e, err)
	}
	if got[0].Hash != [32]byte(tlog.RecordHash(got[0].Text)) {
		t.Error("the hash is not the text's")
	}
	if none, err := l.Read(5, 10); err != nil || len(none) != 0 {
		t.Errorf("beyond the end: %v, %v", none, err)
	}
}

func TestIndexGoesOnAfterReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.db")
	db, err := store.Create(store.Config{Path: path}, func(*store.Tx) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := testLog(t, db, 1).Append(Entry{Kind: KindEpoch}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db, err = store.Open(t.Context(), store.Config{Path: path, Check: func(context.Context, string) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if i, err := testLog(t, db, 1).Append(Entry{Kind: KindLive}); err != nil || i != 1 {
		t.Errorf("after reopening: %d, %v", i, err)
	}
}

func TestAppendRefusesWhatIsTooLong(t *testing.T) {
	l := testLog(t, testDB(t), 1)
	if _, err := l.Append(Entry{Kind: KindLive, Name: strings.Repeat("x", MaxEntry)}); err == nil {
		t.Error("appended")
	}
	if n, err := l.Head(); err != nil || n != 0 {
		t.Errorf("head: %d, %v", n, err)
	}
}

func TestConcurrentAppendsGetTheirOwnIndex(t *testing.T) {
	l := testLog(t, testDB(t), 1)
	var mu sync.Mutex
	seen := map[uint64]bool{}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 5 {
				i, err := l.Append(Entry{Kind: KindLive})
				mu.Lock()
				if err != nil || seen[i] {
					t.Errorf("index %d twice, or %v", i, err)
				}
				seen[i] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(seen) != 20 {
		t.Errorf("%d indexes", len(seen))
	}
}

// The texts stay within their bound, the oldest go first, an old epoch's before
// the current one's, and every hash stays.
func TestPruning(t *testing.T) {
	db := testDB(t)
	old, fresh := testLog(t, db, 1), testLog(t, db, 2)
	one, err := Entry{Version: 1, Epoch: 1, Kind: KindLive, Time: 1767225600000}.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	old.maxTexts = 10 * uint64(len(one))
	fresh.maxTexts = old.maxTexts
	var hashes [][32]byte
	for range 3 {
		appendOne(t, old)
	}
	first, err := old.Read(0, 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range first {
		hashes = append(hashes, r.Hash)
	}
	for range 12 {
		appendOne(t, fresh)
	}
	after, err := old.Read(0, 10)
	if err != nil || len(after) != 3 {
		t.Fatalf("old epoch: %v, %v", after, err)
	}
	for i, r := range after {
		if r.Text != nil || r.Hash != hashes[i] {
			t.Errorf("old entry %d: text %q, hash kept %v", i, r.Text, r.Hash == hashes[i])
		}
	}
	now, err := fresh.Read(0, 20)
	if err != nil || len(now) != 12 {
		t.Fatalf("new epoch: %d records, %v", len(now), err)
	}
	if now[0].Text != nil || now[1].Text != nil || now[2].Text == nil || now[11].Text == nil {
		t.Error("not the oldest texts were dropped")
	}
	if n, err := fresh.Head(); err != nil || n != 12 {
		t.Errorf("head: %d, %v", n, err)
	}
}

// A store is full when its hashes fill it, not before: the pages of dropped texts
// are used again. Otherwise the camera would show nothing any more after some years,
// or after an hour of a client that begins sessions as fast as it can.
func TestDroppedTextsLeaveRoom(t *testing.T) {
	db, err := store.Create(store.Config{Path: filepath.Join(t.TempDir(), "log.db"), MaxBytes: 512 << 10},
		func(*store.Tx) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	l := testLog(t, db, 1)
	l.maxTexts = 128 << 10
	const n = 2500
	for i := range n {
		if _, err := l.Append(Entry{Kind: KindEnd, Session: strings.Repeat("s", 200)}); err != nil {
			t.Fatalf("after %d entries: %v", i, err)
		}
	}
	var got []Record
	for len(got) < n {
		page, err := l.Read(uint64(len(got)), MaxRead)
		if err != nil || len(page) == 0 {
			t.Fatalf("read from %d: %d records, %v", len(got), len(page), err)
		}
		got = append(got, page...)
	}
	for i, r := range got {
		if r.Index != uint64(i) || r.Text == nil && i > 0 && got[i-1].Text != nil {
			t.Fatalf("record %d has index %d, text %q", i, r.Index, r.Text)
		}
	}
}

func appendOne(t *testing.T, l *Log) {
	t.Helper()
	if _, err := l.Append(Entry{Kind: KindLive, Time: 1767225600000}); err != nil {
		t.Fatal(err)
	}
}
