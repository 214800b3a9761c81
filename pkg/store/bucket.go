package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// Tx is a transaction. It must not be used after the function that got it has returned.
type Tx struct {
	bolt   *bolt.Tx
	sealer *Sealer
}

// View runs f in a read-only transaction.
func (db *DB) View(f func(*Tx) error) error {
	return db.bolt.View(func(b *bolt.Tx) error { return f(&Tx{b, db.sealer}) })
}

// Update runs f in a transaction. If Update returns nil, the transaction is durable (fsync);
// if it returns an error, nothing has changed.
func (db *DB) Update(f func(*Tx) error) error {
	return db.bolt.Update(func(b *bolt.Tx) error { return f(&Tx{b, db.sealer}) })
}

// Bucket names a bucket and says whether its values are sealed. Buckets are declared once, as
// package variables, so that none is ever read in both ways.
type Bucket struct {
	name   string
	sealed bool
}

// Plain declares a bucket whose values are not sealed.
func Plain(name string) Bucket { return Bucket{name: name} }

// Sealed declares a bucket whose values are sealed; its keys are not.
func Sealed(name string) Bucket { return Bucket{name: name, sealed: true} }

// Get returns a copy of the value of key, or ErrNotFound, or ErrSealed.
func (b Bucket) Get(tx *Tx, key string) ([]byte, error) {
	raw := tx.bolt.Bucket([]byte(b.name))
	if raw == nil {
		return nil, ErrNotFound
	}
	v := raw.Get([]byte(key))
	if v == nil {
		return nil, ErrNotFound
	}
	return b.open(tx, key, v)
}

// Put sets the value of key. It creates the bucket if it is missing.
func (b Bucket) Put(tx *Tx, key string, value []byte) error {
	return b.put(tx, key, value, bolt.DefaultFillPercent)
}

// Append is Put for a key above all others of its bucket. It fills pages completely, because
// nothing will be inserted between; Put leaves half of each free for that.
func (b Bucket) Append(tx *Tx, key string, value []byte) error {
	return b.put(tx, key, value, 1)
}

func (b Bucket) put(tx *Tx, key string, value []byte, fill float64) error {
	raw, err := tx.bolt.CreateBucketIfNotExists([]byte(b.name))
	if err != nil {
		return fmt.Errorf("make bucket %s: %w", b.name, err)
	}
	raw.FillPercent = fill
	if b.sealed {
		value = tx.sealer.Seal(b.name, key, value)
	}
	if err := raw.Put([]byte(key), value); err != nil {
		return fmt.Errorf("put into %s: %w", b.name, err)
	}
	return nil
}

// Drop removes the whole bucket. It is no error if there is none.
func (b Bucket) Drop(tx *Tx) error {
	if err := tx.bolt.DeleteBucket([]byte(b.name)); err != nil && !errors.Is(err, berrors.ErrBucketNotFound) {
		return fmt.Errorf("drop %s: %w", b.name, err)
	}
	return nil
}

// Delete removes key. It is no error if there is none.
func (b Bucket) Delete(tx *Tx, key string) error {
	raw := tx.bolt.Bucket([]byte(b.name))
	if raw == nil {
		return nil
	}
	if err := raw.Delete([]byte(key)); err != nil {
		return fmt.Errorf("delete from %s: %w", b.name, err)
	}
	return nil
}

// ErrStop ends ForEach early without an error.
var ErrStop = errors.New("stop")

// ForEach calls f with each key that is not below from, in byte order, and a copy of its
// value, until f returns an error. The bucket must not be changed meanwhile.
func (b Bucket) ForEach(tx *Tx, from string, f func(key string, value []byte) error) error {
	raw := tx.bolt.Bucket([]byte(b.name))
	if raw == nil {
		return nil
	}
	c := raw.Cursor()
	for k, v := c.Seek([]byte(from)); k != nil; k, v = c.Next() {
		value, err := b.open(tx, string(k), v)
		if err == nil {
			err = f(string(k), value)
		}
		if errors.Is(err, ErrStop) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// LastKey returns the highest key, or ErrNotFound for an empty bucket.
func (b Bucket) LastKey(tx *Tx) (string, error) {
	raw := tx.bolt.Bucket([]byte(b.name))
	if raw == nil {
		return "", ErrNotFound
	}
	k, _ := raw.Cursor().Last()
	if k == nil {
		return "", ErrNotFound
	}
	return string(k), nil
}

func (b Bucket) open(tx *Tx, key string, raw []byte) ([]byte, error) {
	if !b.sealed {
		return append([]byte{}, raw...), nil
	}
	v, err := tx.sealer.Open(b.name, key, raw)
	if err != nil {
		return nil, fmt.Errorf("open %s of %s: %w", key, b.name, err)
	}
	return v, nil
}

// Number returns a number that PutNumber stored, or 0 if there is none.
func (b Bucket) Number(tx *Tx, key string) (uint64, error) {
	v, err := b.Get(tx, key)
	switch {
	case errors.Is(err, ErrNotFound):
		return 0, nil
	case err != nil:
		return 0, err
	case len(v) != 8:
		return 0, fmt.Errorf("%w: %s has %d bytes", ErrDamaged, key, len(v))
	}
	return binary.BigEndian.Uint64(v), nil
}

// PutNumber stores a number as eight bytes, big-endian.
func (b Bucket) PutNumber(tx *Tx, key string, n uint64) error {
	return b.Put(tx, key, binary.BigEndian.AppendUint64(nil, n))
}

// Key64 returns n as a key that sorts by number: eight bytes, big-endian.
func Key64(n uint64) string { return string(binary.BigEndian.AppendUint64(nil, n)) }

// Parse64 parses a key of Key64.
func Parse64(key string) (uint64, error) {
	if len(key) != 8 {
		return 0, fmt.Errorf("read a number of %d bytes: %w", len(key), ErrDamaged)
	}
	return binary.BigEndian.Uint64([]byte(key)), nil
}
