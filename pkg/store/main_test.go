package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The test binary is its own child: these words as the first argument make it
// one of the processes that the tests need.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 {
		switch path := os.Args[2]; os.Args[1] {
		case "child-check":
			err := CheckFile(path)
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
			os.Exit(ExitCode(err))
		case "child-write":
			writeForEver(path)
		case "child-hang":
			time.Sleep(time.Hour)
		case "child-panic":
			panic("as bbolt does on a page it trusts")
		}
	}
	os.Exit(m.Run())
}

var items = Plain("items")
var secrets = Sealed("secrets")

// writeForEver commits one key after another and says so after each commit.
func writeForEver(path string) {
	db, err := open(Config{Path: path})
	for n := uint64(0); err == nil; n++ {
		err = db.Update(func(tx *Tx) error { return items.Put(tx, Key64(n), make([]byte, 100)) })
		if err == nil {
			fmt.Println(n)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func self(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

func noCheck(context.Context, string) error { return nil }

func testSealer(t *testing.T) *Sealer {
	t.Helper()
	s, err := NewSealer(make([]byte, sealKeyLen))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// create makes a store that holds n items in two transactions.
func create(t *testing.T, n uint64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.db")
	db, err := Create(Config{Path: path, Sealer: testSealer(t)}, func(tx *Tx) error {
		return secrets.Put(tx, "a", []byte("marker-in-clear"))
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if i%50 == 0 || i == n-1 {
			if err := db.Update(func(tx *Tx) error { return put(tx, i, min(i+50, n)) }); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func put(tx *Tx, from, to uint64) error {
	for i := from; i < to; i++ {
		if err := items.Put(tx, Key64(i), make([]byte, 200)); err != nil {
			return err
		}
	}
	return nil
}
