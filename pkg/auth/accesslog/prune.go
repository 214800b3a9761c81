package accesslog

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/camd-project/camd/pkg/store"
)

const (
	// MaxTexts bounds the bytes of all entries' texts; beyond it the oldest go.
	MaxTexts = 16 << 20
	// prunePerEntry bounds the extra work of one append: an entry of the largest
	// size replaces at most about ten of the smallest.
	prunePerEntry = 32
)

// state holds, under keyPruned, where pruning stands: total bytes of texts, and
// epoch and index below which no text is left; three times eight bytes, big-endian.
var state = store.Plain("state")

const keyPruned = "pruned"

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

// prune counts texts that were added and drops the oldest ones beyond the bound.
func (l *Log) prune(tx *store.Tx, entries int, added uint64) error {
	p, err := readPruned(tx, l.epoch)
	if err != nil {
		return err
	}
	p.texts += added
	for i := 0; i < prunePerEntry*entries && p.texts > l.maxTexts; i++ {
		if err := p.drop(tx, l.epoch); err != nil {
			return err
		}
	}
	return p.write(tx)
}

// oldest is the oldest text, and its key; the text is nil when the epoch has none.
func (p pruned) oldest(tx *store.Tx) (key string, text []byte, err error) {
	err = texts(p.epoch).ForEach(tx, store.Key64(p.index), func(k string, v []byte) error {
		key, text = k, v
		return store.ErrStop
	})
	return key, text, err
}

// drop drops the oldest text, or goes on to the next epoch. Its hash stays in the tree.
func (p *pruned) drop(tx *store.Tx, current uint64) error {
	key, text, err := p.oldest(tx)
	if err != nil {
		return err
	}
	if text == nil {
		if p.epoch >= current {
			return fmt.Errorf("texts of the access log: %w", store.ErrDamaged)
		}
		p.epoch, p.index = p.epoch+1, 0
		return nil
	}
	index, err := store.Parse64(key)
	if err != nil {
		return err
	}
	p.index = index + 1
	p.texts -= min(p.texts, uint64(len(text)))
	return texts(p.epoch).Delete(tx, key)
}
