package accesslog

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/camd-project/camd/pkg/store"
)

// Front stands for the oldest entries, of which nothing else is left: how many they are,
// and the hashes of the whole subtrees over them, the largest first, one for each bit of
// their number. The tree grows on them as on the entries themselves.
type Front struct {
	Size  uint64
	Peaks [][sha256.Size]byte
}

func keyFront(epoch uint64) string { return fmt.Sprintf("front/%d", epoch) }

func readFront(tx *store.Tx, epoch uint64) (f Front, err error) {
	b, err := state.Get(tx, keyFront(epoch))
	if errors.Is(err, store.ErrNotFound) {
		return Front{}, nil
	}
	if err == nil && len(b) >= 8 {
		f.Size = binary.BigEndian.Uint64(b)
	}
	if err == nil && (len(b) != 8+sha256.Size*bits.OnesCount64(f.Size) || f.Size == 0 || f.Size > maxSize) {
		err = fmt.Errorf("front of the access log's tree: %w", store.ErrDamaged)
	}
	if err != nil {
		return Front{}, err
	}
	for b = b[8:]; len(b) > 0; b = b[sha256.Size:] {
		f.Peaks = append(f.Peaks, [sha256.Size]byte(b))
	}
	return f, nil
}

// take makes the next entry part of the front. completed are the hashes that this entry
// completed: the last of them stands for the subtrees that it closes.
func (f *Front) take(completed []tlog.Hash) {
	last := len(completed) - 1
	f.Peaks = append(f.Peaks[:len(f.Peaks)-last], completed[last])
	f.Size++
}

// hash is that of the n-th subtree over 2^level entries, if the front has it.
func (f Front) hash(level int, n uint64) (tlog.Hash, error) {
	for i, before := 0, uint64(0); i < len(f.Peaks); i++ {
		height := bits.Len64(f.Size-before) - 1
		if height == level && before == n<<level {
			return f.Peaks[i], nil
		}
		before += 1 << height
	}
	return tlog.Hash{}, ErrForgotten
}
