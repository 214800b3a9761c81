package accesslog

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/camd-project/camd/pkg/store"
)

// tree is the tree of one epoch within a transaction. Its bucket holds, under the
// number of each entry, the hashes that this entry completed: that of its leaf and,
// going up, those of the subtrees whose last leaf it is. So any earlier root and
// any proof can be made from few of them. Those of the oldest entries are gone once
// there are too many; then a Front stands for them.
type tree struct {
	tx     *store.Tx
	epoch  uint64
	bucket store.Bucket
}

func treeOf(tx *store.Tx, epoch uint64) tree {
	return tree{tx, epoch, store.Plain(fmt.Sprintf("tree/%d", epoch))}
}

// size is the number of entries.
func (t tree) size() (uint64, error) {
	last, err := t.bucket.LastKey(t.tx)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := store.Parse64(last)
	if err == nil && n >= maxSize {
		err = fmt.Errorf("entry %d of the access log: %w", n, store.ErrDamaged)
	}
	return n + 1, err
}

// completed are the hashes that entry n completed.
func (t tree) completed(n uint64) ([]tlog.Hash, error) {
	b, err := t.bucket.Get(t.tx, store.Key64(n))
	if errors.Is(err, store.ErrNotFound) || err == nil && len(b) != sha256.Size*(1+bits.TrailingZeros64(n+1)) {
		err = fmt.Errorf("tree of the access log at %d: %w", n, store.ErrDamaged)
	}
	if err != nil {
		return nil, err
	}
	out := make([]tlog.Hash, len(b)/sha256.Size)
	for i := range out {
		out[i] = tlog.Hash(b[i*sha256.Size:])
	}
	return out, nil
}

// ReadHashes makes it a tlog.HashReader.
func (t tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	front, err := readFront(t.tx, t.epoch)
	if err != nil {
		return nil, err
	}
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		level, n := tlog.SplitStoredHashIndex(index)
		last := uint64(n+1)<<level - 1 // of the n-th subtree over 2^level entries
		if last < front.Size {
			if out[i], err = front.hash(level, uint64(n)); err != nil {
				return nil, err
			}
			continue
		}
		hashes, err := t.completed(last)
		if err != nil {
			return nil, err
		}
		out[i] = hashes[level]
	}
	return out, nil
}

// add adds the leaf of entry n, which is the next one.
func (t tree) add(n uint64, leaf tlog.Hash) error {
	hashes, err := tlog.StoredHashesForRecordHash(int64(n), leaf, t)
	if err != nil {
		return fmt.Errorf("tree of the access log: %w", err)
	}
	value := make([]byte, 0, len(hashes)*sha256.Size)
	for _, h := range hashes {
		value = append(value, h[:]...)
	}
	return t.bucket.Append(t.tx, store.Key64(n), value)
}

// check proves cheaply that the tree ends with the newest text: that text's hash is
// the last leaf, what it completed follows from the hashes before, and these are
// all there.
func (t tree) check(texts store.Bucket) error {
	size, err := t.size()
	if err != nil {
		return err
	}
	last, err := texts.LastKey(t.tx)
	if errors.Is(err, store.ErrNotFound) && size == 0 {
		return nil
	}
	if errors.Is(err, store.ErrNotFound) || err == nil && last != store.Key64(size-1) {
		err = fmt.Errorf("tree of the access log, of %d entries, ends elsewhere than the entries: %w", size, store.ErrDamaged)
	}
	if err == nil {
		err = t.checkFirst(size)
	}
	if err != nil {
		return err
	}
	text, err := texts.Get(t.tx, last)
	if err != nil {
		return err
	}
	return t.checkLast(size-1, text)
}

// checkFirst proves that the tree begins where its front ends.
func (t tree) checkFirst(size uint64) error {
	front, err := readFront(t.tx, t.epoch)
	if err != nil || front.Size == 0 && size == 0 {
		return err
	}
	first := ""
	err = t.bucket.ForEach(t.tx, "", func(key string, _ []byte) error {
		first = key
		return store.ErrStop
	})
	if err == nil && first != store.Key64(front.Size) {
		err = fmt.Errorf("tree of the access log does not begin with entry %d: %w", front.Size, store.ErrDamaged)
	}
	return err
}

func (t tree) checkLast(n uint64, text []byte) error {
	stored, err := t.completed(n)
	if err != nil {
		return err
	}
	want, err := tlog.StoredHashesForRecordHash(int64(n), tlog.RecordHash(text), t)
	if err != nil {
		return err
	}
	for i, h := range stored {
		if h != want[i] {
			return fmt.Errorf("tree of the access log is of another entry %d: %w", n, store.ErrDamaged)
		}
	}
	_, err = tlog.TreeHash(int64(n+1), t)
	return err
}

// checkpoint is the tree's, not signed yet.
func (t tree) checkpoint() (Checkpoint, error) {
	size, err := t.size()
	if err != nil {
		return Checkpoint{}, err
	}
	hash, err := tlog.TreeHash(int64(size), t)
	return Checkpoint{Size: size, Hash: hash}, err
}

// consistency proves that the tree, whose checkpoint is now, continues old.
func (t tree) consistency(old, now Checkpoint) ([]string, error) {
	if old.Size == 0 {
		return nil, nil
	}
	if old.Size > now.Size {
		return nil, fmt.Errorf("%w: it had %d entries and has %d", ErrRolledBack, old.Size, now.Size)
	}
	hash, err := tlog.TreeHash(int64(old.Size), t)
	if err != nil {
		return nil, err
	}
	if hash != old.Hash {
		return nil, fmt.Errorf("%w: other %d entries", ErrRolledBack, old.Size)
	}
	p, err := tlog.ProveTree(int64(now.Size), int64(old.Size), t)
	return encodeHashes(p), err
}

// included proves that entry n is in the tree, whose checkpoint is now.
func (t tree) included(now Checkpoint, n uint64, texts store.Bucket) (*Included, error) {
	text, err := texts.Get(t.tx, store.Key64(n))
	if err != nil {
		return nil, fmt.Errorf("text of entry %d: %w", n, err)
	}
	p, err := tlog.ProveRecord(int64(now.Size), int64(n), t)
	return &Included{Index: n, Text: string(text), Path: encodeHashes(p)}, err
}
