// Package trustedtime decides how far the device's clock can be believed, and how long no
// owner was heard. Network time is never evidence: only the time of the build and the
// signed requests of owners move a floor, and a clock far from it is not believed.
// docs/protocol.md 5.9.
package trustedtime

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/camd-project/camd/pkg/store"
)

// Clock returns the wall clock, and whether something vouches for it: a time server, or a
// clock with a battery.
type Clock func() (now time.Time, synchronised bool)

// Times of docs/protocol.md 5.9.
const (
	clockSlack    = 24 * time.Hour      // how far an owner's clock and the device's may be apart
	clockHorizon  = 30 * 24 * time.Hour // how far beyond the floor the clock is believed
	ownerAbsence  = 30 * 24 * time.Hour // guests are suspended after it
	saveEvery     = 24 * time.Hour      // how often times are written while owners are heard
	saveWhenAlone = time.Hour           // and while no owner is heard
)

// Keys in the bucket meta: eight bytes each, big-endian.
const (
	keyFloor = "timefloor" // Unix seconds
	keyOwner = "ownerseen" // Unix seconds by a believed clock, when an owner was last heard
	keyAlone = "alone"     // seconds of uptime since
	keyDoubt = "doubt"     // 1: the last owner's clock contradicted the device's
)

var meta = store.Plain("meta")

// Keeper keeps the floor and the time since an owner was heard. It is safe for concurrent
// use.
type Keeper struct {
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

// times is what the store holds.
type times struct{ floor, owner, alone, doubt int64 }

// Load reads what an earlier Keeper has stored in db. built is when this software was made,
// zero if that is unknown. A nil clock is one that nothing vouches for.
func Load(db *store.DB, clock Clock, built time.Time, log *slog.Logger) (*Keeper, error) {
	if clock == nil {
		clock = func() (time.Time, bool) { return time.Now(), false }
	}
	t := &Keeper{clock: clock, db: db, log: log, since: time.Now()}
	err := db.View(func(tx *store.Tx) error {
		for key, into := range map[string]*int64{keyFloor: &t.saved.floor, keyOwner: &t.saved.owner, keyAlone: &t.saved.alone, keyDoubt: &t.saved.doubt} {
			n, err := meta.Number(tx, key)
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

// Now returns the wall clock, and whether schedules may go by it.
func (t *Keeper) Now() (now time.Time, believed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.now()
}

func (t *Keeper) now() (time.Time, bool) {
	now, synchronised := t.clock()
	floor := time.Unix(t.floor, 0)
	return now, synchronised && !t.doubt && !now.Before(floor.Add(-clockSlack)) && !now.After(floor.Add(clockHorizon))
}

// Floor returns a time that has passed whatever the clock says: no attack on the clock
// moves it.
func (t *Keeper) Floor() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return time.Unix(t.floor, 0)
}

// HeardOwner takes note of an owner's request under a live nonce, signed at iat (Unix
// seconds). If the owner's clock and the device's contradict each other, it returns the
// device's in Unix seconds, else 0.
func (t *Keeper) HeardOwner(iat int64) (contradicts int64) {
	t.mu.Lock()
	now, synchronised := t.clock()
	if synchronised {
		if off := now.Sub(time.Unix(iat, 0)); off.Abs() > clockSlack {
			contradicts, t.doubt = now.Unix(), true
		} else {
			t.floor, t.doubt = max(t.floor, iat), false
		}
	}
	t.alone, t.since, t.heardNow = 0, time.Now(), true
	if now, ok := t.now(); ok {
		t.owner = now.Unix()
	}
	day := int64(saveEvery / time.Second)
	due := t.doubt != (t.saved.doubt != 0) || t.saved.alone > 0 || t.floor-t.saved.floor > day || t.owner-t.saved.owner > day
	t.mu.Unlock()
	if due {
		t.save()
	}
	return contradicts
}

// OwnerAbsent reports whether no owner was heard for 30 days, so that guests are suspended.
// Uptime tells that for the time since an owner was heard. For the time before the start,
// when the device may have been off, a synchronised clock does too; it need not be
// believed, since 30 days after an owner it no longer is.
func (t *Keeper) OwnerAbsent() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count()
	if t.alone >= ownerAbsence {
		return true
	}
	now, synchronised := t.clock()
	return !t.heardNow && synchronised && t.owner != 0 && now.Unix()-t.owner >= int64(ownerAbsence/time.Second)
}

func (t *Keeper) count() {
	now := time.Now()
	t.alone += now.Sub(t.since)
	t.since = now
}

// Tick stores how long no owner was heard, if that is due. It is to be called once an hour.
func (t *Keeper) Tick() {
	t.mu.Lock()
	t.count()
	unsaved := t.alone - time.Duration(t.saved.alone)*time.Second
	due := t.alone > saveEvery && unsaved > saveWhenAlone
	t.mu.Unlock()
	if due {
		t.save()
	}
}

// save stores the times. If it fails, nothing is lost now, since the values in RAM decide;
// it is tried again.
func (t *Keeper) save() {
	t.mu.Lock()
	s := times{t.floor, t.owner, int64(t.alone / time.Second), 0}
	if t.doubt {
		s.doubt = 1
	}
	t.mu.Unlock()
	err := t.db.Update(func(tx *store.Tx) error {
		for key, n := range map[string]int64{keyFloor: s.floor, keyOwner: s.owner, keyAlone: s.alone, keyDoubt: s.doubt} {
			if err := meta.PutNumber(tx, key, uint64(n)); err != nil {
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
