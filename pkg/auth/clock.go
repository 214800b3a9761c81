package auth

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/camd-project/camd/pkg/store"
)

// Clock tells the wall clock, and whether something vouches for it: a time server,
// or a clock with a battery.
type Clock func() (now time.Time, synchronised bool)

// Times of docs/protocol.md 5.9.
const (
	clockSlack    = 24 * time.Hour      // how far an owner's clock and the device's may be apart
	clockHorizon  = 30 * 24 * time.Hour // how far beyond the floor the clock is believed
	ownerAbsence  = 30 * 24 * time.Hour // guests are suspended after it
	saveEvery     = 24 * time.Hour      // what time-keeping writes when all is well
	saveWhenAlone = time.Hour           // and while no owner is heard
)

// Keys in the bucket meta: eight bytes each, big-endian.
const (
	keyFloor = "timefloor" // Unix seconds
	keyOwner = "ownerseen" // Unix seconds by a believed clock, when an owner was last heard
	keyAlone = "alone"     // seconds of uptime since
	keyDoubt = "doubt"     // 1: the last owner's clock contradicted the device's
)

// timekeeper knows what of the clock can be believed, and how long no owner has been
// heard. Network time is never evidence: only the build, and owners' signed
// requests, move the floor, below and far beyond which the clock is not believed.
type timekeeper struct {
	clock Clock
	db    *store.DB
	log   *slog.Logger

	mu    sync.Mutex
	floor int64 // Unix seconds
	owner int64 // as keyOwner; 0: unknown
	alone time.Duration
	since time.Time // up to when alone counts, monotonic
	doubt bool      // as keyDoubt: nothing that depends on the time is allowed until an owner agrees
	saved times

	heardNow bool // an owner was heard since the start
}

// times is what lies in the store.
type times struct{ floor, owner, alone, doubt int64 }

func loadTimekeeper(db *store.DB, clock Clock, built time.Time, log *slog.Logger) (*timekeeper, error) {
	if clock == nil {
		clock = func() (time.Time, bool) { return time.Now(), false }
	}
	t := &timekeeper{clock: clock, db: db, log: log, since: time.Now()}
	err := db.View(func(tx *store.Tx) error {
		for key, into := range map[string]*int64{keyFloor: &t.saved.floor, keyOwner: &t.saved.owner, keyAlone: &t.saved.alone, keyDoubt: &t.saved.doubt} {
			n, err := getNumber(tx, key)
			if err != nil {
				return err
			}
			*into = int64(n)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("load times: %w", err)
	}
	t.floor = max(t.saved.floor, built.Unix(), 0)
	t.doubt = t.saved.doubt != 0
	t.owner, t.alone = t.saved.owner, time.Duration(t.saved.alone)*time.Second
	return t, nil
}

// now is the wall clock, and whether schedules may go by it.
func (t *timekeeper) now() (time.Time, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.believed()
}

func (t *timekeeper) believed() (time.Time, bool) {
	now, synchronised := t.clock()
	floor := time.Unix(t.floor, 0)
	return now, synchronised && !t.doubt && !now.Before(floor.Add(-clockSlack)) && !now.After(floor.Add(clockHorizon))
}

// heard takes note of an owner's request under a live nonce, signed at iat (Unix
// seconds). It returns the device's clock in Unix seconds if the two clocks
// contradict each other, else 0.
func (t *timekeeper) heard(iat int64) (contradicts int64) {
	contradicts, news := t.hear(iat)
	if news {
		t.save()
	}
	return contradicts
}

func (t *timekeeper) hear(iat int64) (contradicts int64, news bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now, synchronised := t.clock()
	if synchronised {
		if off := now.Sub(time.Unix(iat, 0)); off.Abs() > clockSlack {
			contradicts, t.doubt = now.Unix(), true
		} else {
			t.floor, t.doubt = max(t.floor, iat), false
		}
	}
	t.alone, t.since, t.heardNow = 0, time.Now(), true
	if now, ok := t.believed(); ok {
		t.owner = now.Unix()
	}
	day := int64(saveEvery / time.Second)
	return contradicts, t.doubt != (t.saved.doubt != 0) || t.saved.alone > 0 || t.floor-t.saved.floor > day || t.owner-t.saved.owner > day
}

// suspended tells whether guests have to rest: no owner was heard for 30 days. Since an
// owner was heard uptime says so. For what was before the start, when the device may
// have been off, a synchronised clock does too; it need not be believed, since 30 days
// after an owner it no longer is.
func (t *timekeeper) suspended() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count()
	if t.alone >= ownerAbsence {
		return true
	}
	now, synchronised := t.clock()
	return !t.heardNow && synchronised && t.owner != 0 && now.Unix()-t.owner >= int64(ownerAbsence/time.Second)
}

func (t *timekeeper) count() {
	now := time.Now()
	t.alone += now.Sub(t.since)
	t.since = now
}

// tick writes how long no owner was heard, now and then.
func (t *timekeeper) tick() {
	t.mu.Lock()
	t.count()
	unsaved := t.alone - time.Duration(t.saved.alone)*time.Second
	due := t.alone > saveEvery && unsaved > saveWhenAlone
	t.mu.Unlock()
	if due {
		t.save()
	}
}

// trusted is a time that no clock attack has brought about.
func (t *timekeeper) trusted() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return time.Unix(t.floor, 0)
}

// save failing costs nothing now: what is in RAM decides, and it is tried again.
func (t *timekeeper) save() {
	t.mu.Lock()
	s := times{t.floor, t.owner, int64(t.alone / time.Second), 0}
	if t.doubt {
		s.doubt = 1
	}
	t.mu.Unlock()
	err := t.db.Update(func(tx *store.Tx) error {
		for key, n := range map[string]int64{keyFloor: s.floor, keyOwner: s.owner, keyAlone: s.alone, keyDoubt: s.doubt} {
			if err := putNumber(tx, key, uint64(n)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.log.Warn("times can't be stored", "error", err)
		return
	}
	t.mu.Lock()
	t.saved = s
	t.mu.Unlock()
}

// getNumber reads a number from the bucket meta; 0 if there is none.
func getNumber(tx *store.Tx, key string) (n uint64, err error) {
	v, err := meta.Get(tx, key)
	switch {
	case isNotFound(err):
		return 0, nil
	case err != nil:
		return 0, err
	case len(v) != 8:
		return 0, fmt.Errorf("%w: %s has %d bytes", store.ErrDamaged, key, len(v))
	}
	return binary.BigEndian.Uint64(v), nil
}

func putNumber(tx *store.Tx, key string, n uint64) error {
	return meta.Put(tx, key, []byte(store.Key64(n)))
}
