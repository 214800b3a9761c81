package accesslog

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/camd-project/camd/pkg/store"
)

// changes reports whether a kind changes who may do what, and so is compared with what
// trust.db holds. docs/protocol.md 11.6.
func (k Kind) changes() bool {
	switch k {
	case KindPair, KindGrant, KindRevoke, KindSettings, KindPrivacy:
		return true
	}
	return false
}

// Changes is where the last two changes of the household are in the log, each as the size that
// the log had with its first entry; 0: there is none.
type Changes struct{ Previous, Last uint64 }

func keyNoticed(epoch uint64) string { return fmt.Sprintf("noticed/%d", epoch) }

// Told sets the entry up to which all notices have been delivered. It is stored with the next
// entry that has a notice, so that it costs no write of its own.
func (l *Log) Told(index uint64) { l.told.Store(index) }

// Noticed returns the index of the newest entry that has a notice, and what Told had set when
// it was appended.
func (l *Log) Noticed() (index, told uint64, err error) {
	err = l.db.View(func(tx *store.Tx) error {
		index, told, err = readNoticed(tx, l.epoch)
		return err
	})
	return index, told, err
}

func readNoticed(tx *store.Tx, epoch uint64) (index, told uint64, err error) {
	b, err := state.Get(tx, keyNoticed(epoch))
	if errors.Is(err, store.ErrNotFound) {
		return 0, 0, nil
	}
	if err == nil && len(b) != 16 {
		err = fmt.Errorf("notices of the access log: %w", store.ErrDamaged)
	}
	if err != nil {
		return 0, 0, err
	}
	return binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:]), nil
}

func (l *Log) noteNoticed(tx *store.Tx, index uint64) error {
	b := binary.BigEndian.AppendUint64(nil, index)
	return state.Put(tx, keyNoticed(l.epoch), binary.BigEndian.AppendUint64(b, l.told.Load()))
}

func keyChanges(epoch uint64) string { return fmt.Sprintf("changes/%d", epoch) }

// Changes returns the last two changes.
func (l *Log) Changes() (c Changes, err error) {
	err = l.db.View(func(tx *store.Tx) error {
		c, err = readChanges(tx, l.epoch)
		return err
	})
	return c, err
}

func readChanges(tx *store.Tx, epoch uint64) (Changes, error) {
	b, err := state.Get(tx, keyChanges(epoch))
	if errors.Is(err, store.ErrNotFound) {
		return Changes{}, nil
	}
	if err == nil && len(b) != 16 {
		err = fmt.Errorf("changes in the access log: %w", store.ErrDamaged)
	}
	if err != nil {
		return Changes{}, err
	}
	return Changes{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}, nil
}

// noteChange stores that entry index begins a change.
func noteChange(tx *store.Tx, epoch, index uint64) error {
	c, err := readChanges(tx, epoch)
	if err != nil {
		return err
	}
	b := binary.BigEndian.AppendUint64(nil, c.Last)
	return state.Put(tx, keyChanges(epoch), binary.BigEndian.AppendUint64(b, index+1))
}
