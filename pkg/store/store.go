package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// Schema is the version of the content of the files. docs/protocol.md 11.2.
const Schema = 1

// Config says which file to open and how.
type Config struct {
	Path     string
	Sealer   *Sealer // nil if no bucket is sealed
	MaxBytes int     // the largest size of the file; 0: no bound
	// Buckets are all buckets that the file can have, beside the one that every file has.
	// Any other is damage, because its content would be missed silently. Nil if the names
	// are not known beforehand.
	Buckets []Bucket
	// Check checks the file before this process opens it. It returns nil, ErrDamaged, or
	// any other error if it does not know; see ChildCheck.
	Check func(ctx context.Context, path string) error
}

// DB is an open file. It is safe for concurrent use.
type DB struct {
	path   string
	sealer *Sealer
	bolt   *bolt.DB
}

// meta is the bucket that every file has; keySchema holds the schema.
var meta = Plain("meta")

const keySchema = "schema"

// growth is the step by which larger files grow. bbolt's own 16 MiB would leave as much of
// MaxBytes unused.
const growth = 1 << 20

func options(maxBytes int) *bolt.Options {
	return &bolt.Options{
		Timeout:        time.Second,
		FreelistType:   bolt.FreelistMapType,
		NoFreelistSync: false, // else each start scans the file
		MaxSize:        maxBytes,
		NoStatistics:   true,
	}
}

// Open checks and opens an existing file. The error is ErrMissing, ErrDamaged, ErrLocked,
// ErrNewer, or one of the check or the system.
func Open(ctx context.Context, c Config) (*DB, error) {
	if _, err := os.Stat(c.Path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open %s: %w", c.Path, ErrMissing)
	} else if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	if err := c.Check(ctx, c.Path); err != nil {
		return nil, fmt.Errorf("check %s: %w", c.Path, err)
	}
	db, err := open(c)
	if err != nil {
		return nil, err
	}
	if err := db.View(c.judge); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", c.Path, err), db.Close())
	}
	return db, nil
}

func open(c Config) (*DB, error) {
	b, err := bolt.Open(c.Path, 0o600, options(c.MaxBytes))
	if errors.Is(err, berrors.ErrTimeout) {
		err = ErrLocked
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", c.Path, err)
	}
	b.AllocSize = growth
	return &DB{path: c.Path, sealer: c.Sealer, bolt: b}, nil
}

// judge checks what bbolt's own check can't know.
func (c Config) judge(tx *Tx) error {
	v, err := meta.Get(tx, keySchema)
	// A later number comes with its complement: damage must not be taken for one,
	// since a file that is newer is left alone, and camd does not start.
	later := err == nil && len(v) == 16 && binary.BigEndian.Uint64(v) == ^binary.BigEndian.Uint64(v[8:])
	switch {
	case later:
		return ErrNewer
	case err != nil || string(v) != Key64(Schema):
		return fmt.Errorf("read schema: %w", ErrDamaged)
	case c.Buckets == nil:
		return nil
	}
	return tx.bolt.ForEach(func(name []byte, _ *bolt.Bucket) error {
		if string(name) == meta.name || slices.ContainsFunc(c.Buckets, func(b Bucket) bool { return b.name == string(name) }) {
			return nil
		}
		return damaged("a bucket %q", name)
	})
}

// Create creates a new file and runs first in its first transaction. The file appears whole
// or not at all, so that a power cut meanwhile can't look like damage later.
func Create(c Config, first func(*Tx) error) (*DB, error) {
	fresh := c
	fresh.Path = c.Path + ".new"
	if err := os.RemoveAll(fresh.Path); err != nil {
		return nil, fmt.Errorf("create %s: %w", c.Path, Bare(err))
	}
	if err := fill(fresh, first); err != nil {
		return nil, fmt.Errorf("create %s: %w", c.Path, Bare(err))
	}
	// A link, unlike a rename, never replaces a file that another process made.
	if err := os.Link(fresh.Path, c.Path); err != nil {
		return nil, fmt.Errorf("create %s: %w", c.Path, Bare(err))
	}
	if err := os.Remove(fresh.Path); err != nil {
		return nil, fmt.Errorf("create %s: %w", c.Path, Bare(err))
	}
	if err := SyncDir(filepath.Dir(c.Path)); err != nil {
		return nil, err
	}
	return open(c)
}

func fill(c Config, first func(*Tx) error) error {
	db, err := open(c)
	if err != nil {
		return err
	}
	err = db.Update(func(tx *Tx) error {
		if err := meta.Put(tx, keySchema, binary.BigEndian.AppendUint64(nil, Schema)); err != nil {
			return err
		}
		return first(tx)
	})
	return errors.Join(err, db.Close())
}

// Path returns the file's path.
func (db *DB) Path() string { return db.path }

// Close closes the file. It waits for running transactions.
func (db *DB) Close() error {
	if err := db.bolt.Close(); err != nil {
		return fmt.Errorf("close %s: %w", db.path, err)
	}
	return nil
}

// SetAside renames a damaged file to <path>.bad, for later study, and returns that path. It
// replaces an older one, because each can be as large as the store.
func SetAside(path string) (string, error) {
	bad := path + ".bad"
	if err := Shred(bad); err != nil {
		return "", err
	}
	if err := os.RemoveAll(bad); err != nil { // a folder that had been in a file's place
		return "", fmt.Errorf("set a damaged file aside: %w", err)
	}
	if err := os.Rename(path, bad); err != nil {
		return "", fmt.Errorf("set a damaged file aside: %w", err)
	}
	return bad, SyncDir(filepath.Dir(path))
}
