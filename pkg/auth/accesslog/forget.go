package accesslog

import (
	"encoding/binary"
	"errors"

	"github.com/camd-project/camd/pkg/store"
)

const (
	// KeptHashes is of how many of the newest entries the device keeps the hashes, at
	// least. With them it proves that the log continues what it was at any time since.
	// docs/protocol.md 6.5.
	KeptHashes = 5 << 16
	// forgetAtOnce is how many entries go together, so that whole pages of the file do.
	forgetAtOnce = 256
)

// forget drops what goes beyond the bound, the oldest first: their hashes, and the texts
// that may be left of them. The front takes their place in the same transaction.
func (l *Log) forget(tx *store.Tx, t tree, size uint64) error {
	f, err := readFront(tx, l.epoch)
	if err != nil || size-f.Size < l.kept+forgetAtOnce {
		return err
	}
	p, err := readPruned(tx, l.epoch)
	if err != nil {
		return err
	}
	for range forgetAtOnce {
		if err := l.forgetNext(tx, t, &f, &p); err != nil {
			return err
		}
	}
	if err := p.write(tx); err != nil {
		return err
	}
	b := binary.BigEndian.AppendUint64(nil, f.Size)
	for _, h := range f.Peaks {
		b = append(b, h[:]...)
	}
	return state.Put(tx, keyFront(l.epoch), b)
}

func (l *Log) forgetNext(tx *store.Tx, t tree, f *Front, p *pruned) error {
	n := f.Size
	hashes, err := t.completed(n)
	if err != nil {
		return err
	}
	text, err := texts(l.epoch).Get(tx, store.Key64(n))
	if err == nil {
		err = p.drop(tx, place{l.epoch, n}, text)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	f.take(hashes)
	return t.bucket.Delete(tx, store.Key64(n))
}
