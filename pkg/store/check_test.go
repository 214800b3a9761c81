package store

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestSoundFile(t *testing.T) {
	for _, n := range []uint64{0, 1, 3000} { // inline bucket, one page, branches
		if err := ChildCheck(self(t), "child-check")(t.Context(), create(t, n)); err != nil {
			t.Errorf("%d items: %v", n, err)
		}
	}
}

// broken returns a copy of the file at path with f applied to its bytes.
func broken(t *testing.T, path string, f func([]byte) []byte) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "broken.db")
	if err := os.WriteFile(out, f(b), 0o600); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestDamagedFile(t *testing.T) {
	sound := create(t, 3000)
	page := os.Getpagesize()
	each := func(offset int, v byte) func([]byte) []byte { // in every page but the metas
		return func(b []byte) []byte {
			for at := 2 * page; at < len(b); at += page {
				b[at+offset] = v
			}
			return b
		}
	}
	for name, f := range map[string]func([]byte) []byte{
		"empty":             func([]byte) []byte { return nil },
		"zeros":             func(b []byte) []byte { return make([]byte, len(b)) },
		"text":              func([]byte) []byte { return bytes.Repeat([]byte("not a store "), 4000) },
		"truncated":         func(b []byte) []byte { return b[:3*page] },
		"truncated in meta": func(b []byte) []byte { return b[:40] },
		"both metas":        func(b []byte) []byte { b[30] ^= 1; b[page+30] ^= 1; return b },
		"page ids":          each(0, 0xEE),
		"page types":        each(8, 0xFF),
		"counts":            each(11, 0xFF),
		"overflow":          each(13, 0xFF),
		"positions":         each(16+7, 0xFF),
		"key sizes":         each(16+11, 0x7F),
		"zeroed pages": func(b []byte) []byte {
			clear(b[2*page:])
			return b
		},
	} {
		err := ChildCheck(self(t), "child-check")(t.Context(), broken(t, sound, f))
		if !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A power cut while a meta page is written is no damage: the other one counts.
func TestTornMetaIsSound(t *testing.T) {
	sound := create(t, 100)
	for i := range 2 {
		path := broken(t, sound, func(b []byte) []byte {
			clear(b[i*os.Getpagesize()+16 : i*os.Getpagesize()+80])
			return b
		})
		err := ChildCheck(self(t), "child-check")(t.Context(), path)
		// The older meta's pages may have been used again since: then bbolt itself
		// could not go on either. The first meta is the older or the newer one.
		if err != nil && !errors.Is(err, ErrDamaged) {
			t.Errorf("meta %d: %v", i, err)
		}
	}
	older := broken(t, sound, func(b []byte) []byte {
		at := 0
		if order.Uint64(b[16+48:]) > order.Uint64(b[os.Getpagesize()+16+48:]) {
			at = os.Getpagesize()
		}
		clear(b[at+16 : at+80])
		return b
	})
	if err := ChildCheck(self(t), "child-check")(t.Context(), older); err != nil {
		t.Errorf("the older meta torn: %v", err)
	}
}

// A page that is its own child is found at its second use: following it to the
// deepest level could take for ever.
func TestPageThatIsUsedTwice(t *testing.T) {
	b, err := os.ReadFile(create(t, 3000))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for at := 2 * os.Getpagesize(); at < len(b); at += os.Getpagesize() {
		if order.Uint16(b[at+8:]) == flagBranch {
			order.PutUint64(b[at+pageHeader+8:], order.Uint64(b[at:]))
			found++
		}
	}
	err = walkFile(bytes.NewReader(b), int64(len(b)))
	if found == 0 || !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "used twice") {
		t.Errorf("%d branches: %v", found, err)
	}
}

// A count that is too small would hide a member, or whatever lies last.
func TestEntriesThatACountHides(t *testing.T) {
	for _, n := range []uint64{0, 1, 300} { // an inline bucket, one page, branches
		b, err := os.ReadFile(create(t, n))
		if err != nil {
			t.Fatal(err)
		}
		judge := func(at int, v byte) error {
			c := bytes.Clone(b)
			c[at] = v
			return walkFile(bytes.NewReader(c), int64(len(c)))
		}
		tried := 0
		for at := 2 * os.Getpagesize(); at < len(b); at += os.Getpagesize() {
			typ := order.Uint16(b[at+8:])
			if typ != flagLeaf && typ != flagBranch || judge(at+8, 0xFF) == nil { // or it is free
				continue
			}
			for fewer := range b[at+10] {
				tried++
				if err := judge(at+10, fewer); !errors.Is(err, ErrDamaged) {
					t.Errorf("%d items, page %d with %d entries of %d: %v", n, at/os.Getpagesize(), fewer, b[at+10], err)
				}
			}
		}
		if tried == 0 {
			t.Errorf("%d items: no page was tried", n)
		}
	}
}

// Flipped bytes anywhere never bring the child down: it judges.
func TestEveryFlipIsJudged(t *testing.T) {
	b, err := os.ReadFile(create(t, 40))
	if err != nil {
		t.Fatal(err)
	}
	judged := 0
	for at := 0; at < len(b); at += 61 {
		c := bytes.Clone(b)
		c[at] ^= 0xFF
		err := walkFile(bytes.NewReader(c), int64(len(c)))
		if err != nil && !errors.Is(err, ErrDamaged) {
			t.Fatalf("byte %d: %v", at, err)
		}
		if err != nil {
			judged++
		}
	}
	if judged < 20 {
		t.Errorf("only %d flips were found", judged)
	}
}

// An error of the disk is never taken for damage.
type failingDisk struct {
	io.ReaderAt
	from int64
}

func (d failingDisk) ReadAt(p []byte, at int64) (int, error) {
	if at+int64(len(p)) > d.from {
		return 0, syscall.EIO
	}
	return d.ReaderAt.ReadAt(p, at)
}

func TestDiskErrorIsNotDamage(t *testing.T) {
	b, err := os.ReadFile(create(t, 3000))
	if err != nil {
		t.Fatal(err)
	}
	for from := int64(0); from < int64(len(b)); from += int64(len(b)) / 16 {
		err := walkFile(failingDisk{bytes.NewReader(b), from}, int64(len(b)))
		if err != nil && !errors.Is(err, syscall.EIO) || errors.Is(err, ErrDamaged) {
			t.Errorf("failing from %d: %v", from, err)
		}
	}
	if err := walkFile(failingDisk{bytes.NewReader(b), 0}, int64(len(b))); err == nil {
		t.Error("a disk that fails was judged sound")
	}
}

func TestChildThatCannotJudge(t *testing.T) {
	path := create(t, 1)
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	for name, c := range map[string]struct {
		ctx  context.Context
		exe  string
		word string
		path string
	}{
		"time-out":    {short, self(t), "child-hang", path},
		"panic":       {t.Context(), self(t), "child-panic", path},
		"no program":  {t.Context(), filepath.Join(t.TempDir(), "no"), "child-check", path},
		"no file":     {t.Context(), self(t), "child-check", path + ".no"},
		"killed":      {t.Context(), "/bin/sh", "-c", "kill -9 $$"},
		"other codes": {t.Context(), "/bin/sh", "-c", "exit 2"},
	} {
		err := ChildCheck(c.exe, c.word)(c.ctx, c.path)
		if err == nil || errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAFolderInTheFilesPlaceIsDamage(t *testing.T) {
	if err := ChildCheck(self(t), "child-check")(t.Context(), t.TempDir()); !errors.Is(err, ErrDamaged) {
		t.Error(err)
	}
}

func TestOpenDamaged(t *testing.T) {
	path := broken(t, create(t, 3000), func(b []byte) []byte { return b[:len(b)/2] })
	_, err := Open(t.Context(), Config{Path: path, Check: ChildCheck(self(t), "child-check")})
	if !errors.Is(err, ErrDamaged) {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("Open itself moved the file: %v", err)
	}
}

func FuzzWalk(f *testing.F) {
	for _, n := range []int{0, 64, 8192} {
		f.Add(make([]byte, n), 0, byte(0))
	}
	dir := f.TempDir()
	db, err := Create(Config{Path: filepath.Join(dir, "x.db")}, func(tx *Tx) error { return put(tx, 0, 60) })
	if err != nil {
		f.Fatal(err)
	}
	_ = db.Close()
	sound, err := os.ReadFile(filepath.Join(dir, "x.db"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{}, 5000, byte(1))
	f.Fuzz(func(t *testing.T, b []byte, at int, v byte) {
		if len(b) == 0 {
			b = bytes.Clone(sound)
		}
		if at >= 0 && at < len(b) {
			b[at] ^= v
		}
		if err := walkFile(bytes.NewReader(b), int64(len(b))); err != nil && !errors.Is(err, ErrDamaged) {
			t.Errorf("bytes in RAM can only be sound or damaged: %v", err)
		}
	})
}
