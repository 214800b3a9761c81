package accesslog

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/camd-project/camd/pkg/store"
)

// MaxRead is the most entries that one Read returns.
const MaxRead = 256

// Log is the log of one epoch. Its methods may be called from any goroutine. All
// of it is in the store, so that an append that fails has changed nothing.
type Log struct {
	db       *store.DB
	epoch    uint64
	origin   string
	signer   note.Signer
	public   ed25519.PublicKey
	maxTexts uint64
	kept     uint64        // of how many of the newest entries the hashes stay, at least
	told     atomic.Uint64 // see Told

	mu     sync.Mutex
	signed Checkpoint // the largest that was signed since Open
}

// Open takes the log of an epoch from a store, to append to it. Its checkpoints name
// origin and are signed by key. store.ErrDamaged says that tree and entries don't fit,
// or that what else is kept of them can't be read.
func Open(db *store.DB, epoch uint64, origin string, key ed25519.PrivateKey) (*Log, error) {
	return OpenKeeping(db, epoch, origin, key, KeptHashes)
}

// OpenKeeping is Open of a log that keeps the hashes of so many entries only.
func OpenKeeping(db *store.DB, epoch uint64, origin string, key ed25519.PrivateKey, kept uint64) (*Log, error) {
	public, _ := key.Public().(ed25519.PublicKey) // it is one
	v, err := verifier(origin, public)
	if err != nil {
		return nil, err
	}
	err = db.View(func(tx *store.Tx) error {
		_, _, noticed := readNoticed(tx, epoch)
		_, pruned := readPruned(tx, epoch) // an append would find it, when it is too late for a new epoch
		return errors.Join(treeOf(tx, epoch).check(texts(epoch)), noticed, pruned)
	})
	if err != nil {
		return nil, fmt.Errorf("open the access log: %w", err)
	}
	return &Log{db: db, epoch: epoch, origin: origin, signer: signer{v, key}, public: public, maxTexts: MaxTexts, kept: kept}, nil
}

// texts holds one epoch's entries, so that an old epoch's stay readable at the
// device after a new one began.
func texts(epoch uint64) store.Bucket { return store.Plain(fmt.Sprintf("texts/%d", epoch)) }

// Append adds entries, all or none, and returns the index of the first; the others
// follow it and have its details: their Start is that index. Version and epoch are
// filled in, and the time unless it is set. The entries are durable when the error is
// nil.
func (l *Log) Append(entries ...Entry) (uint64, error) {
	var first uint64
	err := l.db.Update(func(tx *store.Tx) (err error) {
		first, err = l.add(tx, entries)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("append to the access log: %w", err)
	}
	return first, nil
}

// add puts texts and their leaves behind the others.
func (l *Log) add(tx *store.Tx, entries []Entry) (first uint64, err error) {
	t := treeOf(tx, l.epoch)
	if first, err = t.size(); err != nil {
		return 0, err
	}
	var bytes uint64
	for i, e := range entries {
		n := first + uint64(i)
		if i > 0 {
			e.Start = first
		}
		e.Version, e.Epoch = Version, l.epoch
		if e.Time == 0 {
			e.Time = time.Now().UnixMilli()
		}
		text, err := e.Bytes()
		if err == nil && e.Kind.Noticed() {
			err = l.noteNoticed(tx, n)
		}
		if err != nil {
			return 0, err
		}
		if err := texts(l.epoch).Append(tx, store.Key64(n), text); err != nil {
			return 0, err
		}
		if err := t.add(n, tlog.RecordHash(text)); err != nil {
			return 0, err
		}
		bytes += uint64(len(text))
	}
	if len(entries) > 0 && entries[0].Kind.changes() {
		if err := noteChange(tx, l.epoch, first); err != nil {
			return 0, err
		}
	}
	if err := l.prune(tx, len(entries), bytes); err != nil {
		return 0, err
	}
	return first, l.forget(tx, t, first+uint64(len(entries)))
}

// Head is the number of entries of this epoch, which is the next one's index.
func (l *Log) Head() (n uint64, err error) { return l.HeadEpoch(l.epoch) }

// HeadEpoch is Head for the log of an earlier epoch in the same store; 0 if there is
// none.
func (l *Log) HeadEpoch(epoch uint64) (n uint64, err error) {
	err = l.db.View(func(tx *store.Tx) error {
		if epoch == l.epoch {
			n, err = treeOf(tx, epoch).size()
			return err
		}
		last, err := texts(epoch).LastKey(tx) // its tree is gone
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err == nil {
			n, err = store.Parse64(last)
			n++
		}
		return err
	})
	return n, err
}

// Checkpoint is the signed checkpoint of the log as it is now.
func (l *Log) Checkpoint() (Checkpoint, error) {
	cp, _, _, err := l.Prove("", nil)
	return cp, err
}

// Prove returns the signed checkpoint as it is now; the proof that it continues
// from, the text of an earlier one, unless that is empty; and the proof of the entry
// at index, unless that is nil. fromSize is the size of from. ErrCheckpoint and
// ErrRolledBack say that from is not this log's, or not any more, ErrForgotten that it
// is too old for what is left of the tree; what is returned beside them is good and only
// lacks the first proof.
func (l *Log) Prove(from string, index *uint64) (cp Checkpoint, p Proof, fromSize uint64, err error) {
	var old Checkpoint
	var wrong error
	if from != "" {
		old, wrong = ParseCheckpoint(from, l.origin, l.public)
	}
	err = l.db.View(func(tx *store.Tx) error {
		t := treeOf(tx, l.epoch)
		if cp, err = t.checkpoint(); err != nil {
			return err
		}
		if p.Consistency, err = t.consistency(old, cp); errors.Is(err, ErrRolledBack) || errors.Is(err, ErrForgotten) {
			wrong, err = err, nil
		}
		if err != nil || index == nil {
			return err
		}
		p.Entry, err = t.included(cp, *index, texts(l.epoch))
		return err
	})
	if err == nil {
		cp, err = l.sign(cp)
	}
	if err != nil {
		return Checkpoint{}, Proof{}, 0, fmt.Errorf("prove the access log: %w", err)
	}
	return cp, p, old.Size, wrong
}

// sign signs a checkpoint, or returns the one that was signed before.
func (l *Log) sign(cp Checkpoint) (Checkpoint, error) {
	l.mu.Lock()
	signed := l.signed
	l.mu.Unlock()
	if signed.Note != "" && signed.Size == cp.Size {
		return signed, nil
	}
	if err := cp.sign(l.origin, l.signer); err != nil {
		return Checkpoint{}, err
	}
	l.mu.Lock()
	if l.signed.Size <= cp.Size {
		l.signed = cp
	}
	l.mu.Unlock()
	return cp, nil
}

// Read returns at most n (and at most MaxRead) records from index from on.
func (l *Log) Read(from uint64, n int) ([]Record, error) { return l.ReadEpoch(l.epoch, from, n) }

// ReadEpoch is Read for the log of an earlier epoch in the same store, of which only
// the texts are left.
func (l *Log) ReadEpoch(epoch, from uint64, n int) ([]Record, error) {
	out, _, err := l.ReadFront(epoch, from, n)
	return out, err
}

// ReadFront is ReadEpoch, and what stands for the oldest entries at the same moment.
func (l *Log) ReadFront(epoch, from uint64, n int) (out []Record, front Front, err error) {
	n = min(n, MaxRead)
	collect := func(tx *store.Tx, b store.Bucket, of func(key string, value []byte) (Record, error)) error {
		return b.ForEach(tx, store.Key64(from), func(key string, value []byte) error {
			if len(out) >= n {
				return store.ErrStop
			}
			r, err := of(key, value)
			out = append(out, r)
			return err
		})
	}
	err = l.db.View(func(tx *store.Tx) error {
		if front, err = readFront(tx, epoch); err != nil {
			return err
		}
		if epoch != l.epoch {
			return collect(tx, texts(epoch), func(key string, text []byte) (Record, error) {
				index, err := store.Parse64(key)
				return Record{Index: index, Text: text, Hash: tlog.RecordHash(text)}, err
			})
		}
		return collect(tx, treeOf(tx, epoch).bucket, func(key string, hashes []byte) (Record, error) {
			return record(tx, texts(epoch), key, hashes)
		})
	})
	if err != nil {
		return nil, Front{}, fmt.Errorf("read the access log: %w", err)
	}
	return out, front, nil
}

func record(tx *store.Tx, texts store.Bucket, key string, hashes []byte) (Record, error) {
	index, err := store.Parse64(key)
	if err == nil && len(hashes) < sha256.Size {
		err = fmt.Errorf("tree of the access log at %d: %w", index, store.ErrDamaged)
	}
	if err != nil {
		return Record{}, err
	}
	text, err := texts.Get(tx, key)
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return Record{Index: index, Text: text, Hash: [sha256.Size]byte(hashes)}, err
}
