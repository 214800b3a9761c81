package accesslog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/camd-project/camd/pkg/store"
)

const (
	// MaxTexts bounds the bytes of all entries' texts; beyond it the oldest go.
	MaxTexts = 16 << 20
	// prunePerEntry bounds the extra work of one append: an entry of the largest
	// size replaces at most about ten of the smallest.
	prunePerEntry = 32
	// maxWork bounds the entries that one DropBefore or one Merge looks at.
	maxWork = 8192
)

// plausible is before any entry was ever written, in Unix milliseconds. An entry
// that says it is older was written by a device that did not know the time.
var plausible = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()

// state holds, under keyPruned, where pruning stands: total bytes of texts, and
// the place below which no text is left; three times eight bytes, big-endian.
var state = store.Plain("state")

const keyPruned = "pruned"

// place is where an entry stands among those of all epochs.
type place struct{ epoch, index uint64 }

func (a place) before(b place) bool {
	return a.epoch < b.epoch || a.epoch == b.epoch && a.index < b.index
}

// pruned is where pruning stands.
type pruned struct {
	texts uint64
	place // no text is before it
}

func readPruned(tx *store.Tx, epoch uint64) (pruned, error) {
	b, err := state.Get(tx, keyPruned)
	if errors.Is(err, store.ErrNotFound) {
		return pruned{place: place{epoch: epoch}}, nil
	}
	if err == nil && len(b) != 24 {
		err = fmt.Errorf("state of the access log: %w", store.ErrDamaged)
	}
	if err != nil {
		return pruned{}, err
	}
	return pruned{binary.BigEndian.Uint64(b), place{binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint64(b[16:])}}, nil
}

func (p pruned) write(tx *store.Tx) error {
	b := binary.BigEndian.AppendUint64(nil, p.texts)
	b = binary.BigEndian.AppendUint64(b, p.epoch)
	return state.Put(tx, keyPruned, binary.BigEndian.AppendUint64(b, p.index))
}

// oldest moves p to the oldest text and returns it; nil if there is none.
func (p *pruned) oldest(tx *store.Tx, current uint64) (text []byte, err error) {
	for {
		err = texts(p.epoch).ForEach(tx, store.Key64(p.index), func(key string, value []byte) error {
			index, err := store.Parse64(key)
			if err != nil {
				return err
			}
			p.index, text = index, value
			return store.ErrStop
		})
		if err != nil || text != nil || p.epoch >= current {
			return text, err
		}
		p.place = place{epoch: p.epoch + 1}
	}
}

// drop drops a text. Its hash stays in the tree.
func (p *pruned) drop(tx *store.Tx, at place, text []byte) error {
	p.texts -= min(p.texts, uint64(len(text)))
	return texts(at.epoch).Delete(tx, store.Key64(at.index))
}

// prune counts texts that were added and drops the oldest ones beyond the bound.
func (l *Log) prune(tx *store.Tx, entries int, added uint64) error {
	p, err := readPruned(tx, l.epoch)
	if err != nil {
		return err
	}
	p.texts += added
	for i := 0; i < prunePerEntry*entries && p.texts > l.maxTexts; i++ {
		text, err := p.oldest(tx, l.epoch)
		if err == nil && text == nil {
			err = fmt.Errorf("texts of the access log: %w", store.ErrDamaged)
		}
		if err == nil {
			err = p.drop(tx, p.place, text)
		}
		if err != nil {
			return err
		}
	}
	return p.write(tx)
}

// DropBefore drops the texts of entries older than t, the oldest first, and returns
// how many; their hashes stay. It is for the caller to know that t is right: see
// docs/protocol.md 6.5. What one call does is bounded, so it is called hourly.
func (l *Log) DropBefore(t time.Time) (dropped int, err error) {
	var limit place
	err = l.db.View(func(tx *store.Tx) error {
		limit, err = l.aged(tx, t.UnixMilli())
		return err
	})
	if err == nil && limit != (place{}) { // else nothing is written
		err = l.db.Update(func(tx *store.Tx) error {
			dropped, err = l.dropUntil(tx, limit)
			return err
		})
	}
	if err != nil {
		return 0, fmt.Errorf("drop old entries of the access log: %w", err)
	}
	return dropped, nil
}

// aged is the place up to which all entries are older than t: behind the last one
// that says so before the first one that doesn't. One whose own time can't be right
// goes with the next one. The newest entry stays.
func (l *Log) aged(tx *store.Tx, t int64) (limit place, err error) {
	newest, err := treeOf(tx, l.epoch).size()
	if err != nil {
		return place{}, err
	}
	p, err := readPruned(tx, l.epoch)
	if err != nil {
		return place{}, err
	}
	end := place{l.epoch, newest - min(newest, 1)}
	for seen := 0; seen < maxWork; seen++ {
		text, err := p.oldest(tx, l.epoch)
		if err != nil || text == nil || !p.before(end) {
			return limit, err
		}
		e, err := Parse(text) // the time of one of another version can't be read either
		if err == nil && e.Time >= t {
			return limit, nil
		}
		p.index++
		if err == nil && e.Time >= plausible {
			limit = p.place
		}
	}
	return limit, nil
}

func (l *Log) dropUntil(tx *store.Tx, limit place) (dropped int, err error) {
	p, err := readPruned(tx, l.epoch)
	if err != nil {
		return 0, err
	}
	for {
		text, err := p.oldest(tx, l.epoch)
		if err != nil {
			return 0, err
		}
		if text == nil || !p.before(limit) {
			return dropped, p.write(tx)
		}
		if err := p.drop(tx, p.place, text); err != nil {
			return 0, err
		}
		dropped++
	}
}
