package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"
)

// commitBolt puts small values into a bbolt file in a folder, each in a durable
// commit of its own, and prints how many bytes one of them writes.
func commitBolt(args []string) error {
	const commits, valueBytes = 50, 300
	db, err := bbolt.Open(filepath.Join(args[0], "baseline.db"), 0o600, nil)
	if err != nil {
		return err
	}
	put := func(n uint64) error {
		return db.Update(func(tx *bbolt.Tx) error {
			bucket, err := tx.CreateBucketIfNotExists([]byte("b"))
			if err != nil {
				return err
			}
			return bucket.Put(binary.BigEndian.AppendUint64(nil, n), make([]byte, valueBytes))
		})
	}
	if err := put(0); err != nil {
		return err
	}
	before, err := written(os.Getpid())
	if err != nil {
		return err
	}
	for n := uint64(1); n <= commits; n++ {
		if err := put(n); err != nil {
			return err
		}
	}
	after, err := written(os.Getpid())
	if err != nil {
		return err
	}
	fmt.Println((after - before) / commits)
	return db.Close()
}
