package accesslog

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/camd-project/camd/pkg/store"
)

const (
	// MaxTexts bounds the bytes of all entries' texts; beyond it the oldest go.
	MaxTexts = 16 << 20
	// MaxRead is the most entries that one Read returns.
	MaxRead = 256
	// prunePerAppend bounds the extra work of one append: an entry of the largest
	// size replaces at most about ten of the smallest.
	prunePerAppend = 32
)

// state holds, under keyPruned, where pruning stands: total bytes of texts, and
// epoch and index of the oldest text; three times eight bytes, big-endian.
var state = store.Plain("state")

const keyPruned = "pruned"

// Log is the log of one epoch. Its methods may be called from any goroutine.
type Log struct {
	db       *store.DB
	epoch    uint64
	maxTexts uint64
}

// Record is one entry as it is kept: its text, or only its leaf hash.
type Record struct {
	Index uint64
	Text  []byte // nil when it was dropped
	Hash  [32]byte
}

// Open takes the log of an epoch from a store.
func Open(db *store.DB, epoch uint64) *Log {
	return &Log{db: db, epoch: epoch, maxTexts: MaxTexts}
}

// texts holds one epoch's entries, so that an old epoch's stay readable at the
// device after a new one began.
func texts(epoch uint64) store.Bucket { return store.Plain(fmt.Sprintf("texts/%d", epoch)) }

// hashes holds what stays of entries whose text was dropped: the leaf hash (RFC
// 6962 2.1). They lie apart, so that the pages of the texts are used again.
func hashes(epoch uint64) store.Bucket { return store.Plain(fmt.Sprintf("hashes/%d", epoch)) }

// Append adds an entry and returns its index. Version and epoch are filled in,
// and the time unless it is set. The entry is durable when the error is nil.
func (l *Log) Append(e Entry) (uint64, error) {
	e.Version, e.Epoch = Version, l.epoch
	if e.Time == 0 {
		e.Time = time.Now().UnixMilli()
	}
	text, err := e.Bytes()
	if err != nil {
		return 0, err
	}
	var index uint64
	err = l.db.Update(func(tx *store.Tx) error {
		if index, err = l.next(tx); err != nil {
			return err
		}
		if err := texts(l.epoch).Append(tx, store.Key64(index), text); err != nil {
			return err
		}
		return l.prune(tx, uint64(len(text)))
	})
	if err != nil {
		return 0, fmt.Errorf("append to the access log: %w", err)
	}
	return index, nil
}

// next is the index of the next entry. Indexes are never used twice: pruning
// leaves the newest text.
func (l *Log) next(tx *store.Tx) (uint64, error) {
	last, err := texts(l.epoch).LastKey(tx)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := store.Parse64(last)
	return n + 1, err
}

// Head is the number of entries of this epoch, which is the next one's index.
func (l *Log) Head() (n uint64, err error) {
	err = l.db.View(func(tx *store.Tx) error {
		n, err = l.next(tx)
		return err
	})
	return n, err
}

// Read returns at most n (and at most MaxRead) records from index from on.
func (l *Log) Read(from uint64, n int) ([]Record, error) {
	var out []Record
	n = min(n, MaxRead)
	collect := func(tx *store.Tx, b store.Bucket, parse func([]byte) (Record, error)) error {
		return b.ForEach(tx, store.Key64(from), func(key string, value []byte) error {
			if len(out) >= n {
				return store.ErrStop
			}
			r, err := parse(value)
			if err != nil {
				return err
			}
			r.Index, err = store.Parse64(key)
			out = append(out, r)
			return err
		})
	}
	err := l.db.View(func(tx *store.Tx) error { // every hash is older than every text
		if err := collect(tx, hashes(l.epoch), hashRecord); err != nil {
			return err
		}
		return collect(tx, texts(l.epoch), textRecord)
	})
	if err != nil {
		return nil, fmt.Errorf("read the access log: %w", err)
	}
	return out, nil
}

func textRecord(text []byte) (Record, error) { return Record{Text: text, Hash: leafHash(text)}, nil }

func hashRecord(hash []byte) (Record, error) {
	if len(hash) != sha256.Size {
		return Record{}, fmt.Errorf("a hash of %d bytes: %w", len(hash), store.ErrDamaged)
	}
	return Record{Hash: [sha256.Size]byte(hash)}, nil
}

// leafHash is the hash of a leaf of the tree, RFC 6962 2.1.
func leafHash(text []byte) [32]byte { return sha256.Sum256(append([]byte{0}, text...)) }

// pruned is where pruning stands.
type pruned struct{ texts, epoch, index uint64 }

func readPruned(tx *store.Tx, epoch uint64) (pruned, error) {
	b, err := state.Get(tx, keyPruned)
	if errors.Is(err, store.ErrNotFound) {
		return pruned{epoch: epoch}, nil
	}
	if err == nil && len(b) != 24 {
		err = fmt.Errorf("state of the access log: %w", store.ErrDamaged)
	}
	if err != nil {
		return pruned{}, err
	}
	return pruned{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint64(b[16:])}, nil
}

func (p pruned) write(tx *store.Tx) error {
	b := binary.BigEndian.AppendUint64(nil, p.texts)
	b = binary.BigEndian.AppendUint64(b, p.epoch)
	return state.Put(tx, keyPruned, binary.BigEndian.AppendUint64(b, p.index))
}

// prune counts a text that was added and drops the oldest ones beyond the bound.
func (l *Log) prune(tx *store.Tx, added uint64) error {
	p, err := readPruned(tx, l.epoch)
	if err != nil {
		return err
	}
	p.texts += added
	for i := 0; i < prunePerAppend && p.texts > l.maxTexts; i++ {
		if err := p.drop(tx, l.epoch); err != nil {
			return err
		}
	}
	return p.write(tx)
}

// drop replaces the oldest text by its hash, or goes on to the next epoch.
func (p *pruned) drop(tx *store.Tx, current uint64) error {
	key := store.Key64(p.index)
	text, err := texts(p.epoch).Get(tx, key)
	if errors.Is(err, store.ErrNotFound) && p.epoch < current {
		p.epoch, p.index = p.epoch+1, 0
		return nil
	}
	if err != nil {
		return err
	}
	hash := leafHash(text)
	if err := hashes(p.epoch).Append(tx, key, hash[:]); err != nil {
		return err
	}
	p.index++
	p.texts -= min(p.texts, uint64(len(text)))
	return texts(p.epoch).Delete(tx, key)
}
