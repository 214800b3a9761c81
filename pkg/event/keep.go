package event

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

// Bounds of what is stored. Pictures are deleted before their events.
const (
	maxEvents   = 50
	maxPictures = 4 << 20  // bytes of pictures
	maxFile     = 16 << 20 // free pages included
)

// The buckets, docs/protocol.md 11.2. The key in both is Key64 of the event's number; the
// event names the format of its picture.
var (
	meta     = store.Plain("meta")
	events   = store.Sealed("events")
	pictures = store.Sealed("pictures")
)

const keyEpoch = "ep"

// errOld means that the events are of another epoch.
var errOld = errors.New("kept under another epoch")

// keeper stores events in a database of their own, so that trouble with it never touches
// the household's.
type keeper struct{ db *store.DB }

// openKeeper opens the database. One that is damaged, or that this epoch's key does not
// open, is overwritten and replaced by an empty one.
func openKeeper(ctx context.Context, cfg Config, log *slog.Logger) (*keeper, error) {
	sealer, err := store.LoadSealer(cfg.Key)
	if err != nil {
		return nil, err
	}
	file := store.Config{Path: cfg.Path, Sealer: sealer, MaxBytes: maxFile, Check: cfg.Check, Buckets: []store.Bucket{events, pictures}}
	k, err := openExisting(ctx, file, cfg.Epoch)
	switch {
	case errors.Is(err, store.ErrMissing):
	case errors.Is(err, errOld), errors.Is(err, store.ErrDamaged):
		log.Warn("kept events are wiped", "reason", err)
		if err := errors.Join(store.Shred(cfg.Path), os.RemoveAll(cfg.Path)); err != nil { // or a folder in its place
			return nil, err
		}
	default:
		return k, err
	}
	db, err := store.Create(file, func(tx *store.Tx) error { return meta.Put(tx, keyEpoch, []byte(store.Key64(cfg.Epoch))) })
	if err != nil {
		return nil, err
	}
	return &keeper{db}, nil
}

func openExisting(ctx context.Context, file store.Config, epoch uint64) (*keeper, error) {
	db, err := store.Open(ctx, file)
	if err != nil {
		return nil, err
	}
	k := &keeper{db}
	err = db.View(func(tx *store.Tx) error {
		v, err := meta.Get(tx, keyEpoch)
		if err == nil && string(v) == store.Key64(epoch) {
			return nil
		}
		return errors.Join(errOld, err)
	})
	if err == nil {
		_, err = k.list()
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return k, nil
}

func (k *keeper) close() error { return k.db.Close() }

// keep stores an event, or replaces it, and its picture if data is not nil. The oldest are
// deleted to make room.
func (k *keeper) keep(ev proto.Event, data []byte) error {
	return k.db.Update(func(tx *store.Tx) error {
		if err := put(tx, ev); err != nil {
			return err
		}
		if data != nil {
			if err := pictures.Put(tx, store.Key64(ev.ID), data); err != nil {
				return err
			}
		}
		return trim(tx)
	})
}

func put(tx *store.Tx, ev proto.Event) error {
	text, err := json.Marshal(ev)
	if err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	return events.Put(tx, store.Key64(ev.ID), text)
}

// trim deletes the oldest events beyond maxEvents, and the oldest pictures beyond
// maxPictures.
func trim(tx *store.Tx) error {
	all, err := list(tx)
	if err != nil {
		return err
	}
	excess := -maxPictures
	for _, ev := range all {
		excess += ev.Size
	}
	for i, ev := range all {
		switch old := i < len(all)-maxEvents; {
		case old:
			err = errors.Join(events.Delete(tx, store.Key64(ev.ID)), pictures.Delete(tx, store.Key64(ev.ID)))
		case excess > 0 && ev.Size > 0:
			err = pictures.Delete(tx, store.Key64(ev.ID))
			bare := ev
			bare.Picture, bare.Size = "", 0
			err = errors.Join(err, put(tx, bare))
		default:
			continue
		}
		if excess -= ev.Size; err != nil {
			return err
		}
	}
	return nil
}

// list returns all events, the oldest first.
func (k *keeper) list() (all []proto.Event, err error) {
	err = k.db.View(func(tx *store.Tx) error {
		all, err = list(tx)
		return err
	})
	return all, err
}

func list(tx *store.Tx) (all []proto.Event, err error) {
	err = events.ForEach(tx, "", func(_ string, text []byte) error {
		var ev proto.Event
		if json.Unmarshal(text, &ev) != nil {
			return fmt.Errorf("read event: %w", store.ErrDamaged)
		}
		all = append(all, ev)
		return nil
	})
	return all, err
}

// picture returns an event's picture, or store.ErrNotFound.
func (k *keeper) picture(id uint64) (p picture, err error) {
	err = k.db.View(func(tx *store.Tx) error {
		text, err := events.Get(tx, store.Key64(id))
		var ev proto.Event
		if err == nil && json.Unmarshal(text, &ev) != nil {
			err = store.ErrDamaged
		}
		if err == nil {
			p.data, err = pictures.Get(tx, store.Key64(id))
		}
		p.kind = ev.Picture
		return err
	})
	if err != nil {
		return picture{}, fmt.Errorf("read picture of event %d: %w", id, err)
	}
	return p, nil
}
