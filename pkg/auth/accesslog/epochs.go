package accesslog

import (
	"errors"
	"fmt"

	"github.com/camd-project/camd/pkg/store"
)

// maxEpochs is how many epochs back DropTrees looks.
const maxEpochs = 1 << 10

// DropTrees drops the trees of earlier epochs: their keys are gone, so nobody can be
// shown a proof any more, and a tree that was filled up would fill the file for ever.
// Their texts stay.
func DropTrees(db *store.DB, current uint64) error {
	err := db.Update(func(tx *store.Tx) error {
		for e := current - min(current, maxEpochs); e < current; e++ {
			if err := errors.Join(treeOf(tx, e).bucket.Drop(tx), state.Delete(tx, keyFront(e))); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("drop trees of the access log: %w", err)
	}
	return nil
}
