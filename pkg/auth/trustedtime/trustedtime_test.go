package trustedtime

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/store"
)

var built = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// wall is a clock that a test sets.
type wall struct {
	at   time.Time
	sync bool
}

func (w *wall) now() (time.Time, bool) { return w.at, w.sync }

func openStore(t *testing.T) *store.DB {
	t.Helper()
	c := store.Config{Path: filepath.Join(t.TempDir(), "trust.db"), Check: func(context.Context, string) error { return nil }}
	db, err := store.Create(c, func(*store.Tx) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func load(t *testing.T, db *store.DB, clock Clock) *Keeper {
	t.Helper()
	k, err := Load(db, clock, built, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestNow(t *testing.T) {
	for name, c := range map[string]struct {
		off   time.Duration // from the floor
		alone bool          // nothing vouches for the clock
		want  bool
	}{
		"at the floor":           {0, false, true},
		"a day before it":        {-24 * time.Hour, false, true},
		"more than a day before": {-24*time.Hour - time.Second, false, false},
		"30 days after it":       {30 * 24 * time.Hour, false, true},
		"more than 30 days":      {30*24*time.Hour + time.Second, false, false},
		"not synchronised":       {0, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := &wall{built.Add(c.off), !c.alone}
			now, believed := load(t, openStore(t), w.now).Now()
			if !now.Equal(w.at) || believed != c.want {
				t.Errorf("%v, believed %v; want %v, %v", now, believed, w.at, c.want)
			}
		})
	}
	if _, believed := load(t, openStore(t), nil).Now(); believed {
		t.Error("a clock that nothing vouches for is believed")
	}
}

func TestHeardOwner(t *testing.T) {
	const hour = time.Hour
	for name, c := range map[string]struct {
		clock, owner time.Duration // from the floor
		alone        bool
		contradicts  bool
		floor        time.Duration
	}{
		"they agree":                  {10 * hour, 9 * hour, false, false, 9 * hour},
		"a day apart":                 {10 * hour, -14 * hour, false, false, 0},
		"the clock is behind":         {10 * hour, 35 * hour, false, true, 0},
		"the clock is ahead":          {30 * hour, 5 * hour, false, true, 0},
		"the floor never goes back":   {-hour, -2 * hour, false, false, 0},
		"nothing vouches for a clock": {10 * hour, 9 * hour, true, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := &wall{built.Add(c.clock), !c.alone}
			db := openStore(t)
			k := load(t, db, w.now)
			want := int64(0)
			if c.contradicts {
				want = w.at.Unix()
			}
			if got := k.HeardOwner(built.Add(c.owner).Unix()); got != want {
				t.Errorf("contradicts %d, want %d", got, want)
			}
			if got := k.Floor(); !got.Equal(built.Add(c.floor)) {
				t.Errorf("the floor is %v, want %v", got, built.Add(c.floor))
			}
			for when, k := range map[string]*Keeper{"at once": k, "after a restart": load(t, db, w.now)} {
				if _, believed := k.Now(); believed != (!c.alone && !c.contradicts) {
					t.Errorf("%s: believed %v", when, believed)
				}
			}
			if !c.contradicts {
				return
			}
			if got := k.HeardOwner(w.at.Unix()); got != 0 {
				t.Errorf("an owner who agrees is contradicted: %d", got)
			}
			if _, believed := k.Now(); !believed {
				t.Error("not believed although an owner agrees")
			}
		})
	}
}

func TestOwnerAbsent(t *testing.T) {
	const month = 30 * 24 * time.Hour
	absent := func(t *testing.T, k *Keeper, want bool, when string) {
		t.Helper()
		if k.OwnerAbsent() != want {
			t.Errorf("%s: absent %v", when, !want)
		}
	}
	t.Run("by uptime, whatever the clock says", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			k := load(t, openStore(t), (&wall{built, true}).now)
			time.Sleep(month - time.Second)
			absent(t, k, false, "a second before 30 days")
			time.Sleep(time.Second)
			absent(t, k, true, "after 30 days")
			k.HeardOwner(built.Unix())
			absent(t, k, false, "when an owner is heard")
		})
	})
	t.Run("by uptime over restarts", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			db := openStore(t)
			for range 3 {
				k := load(t, db, nil)
				absent(t, k, false, "before 30 days of uptime")
				for range 10*24 + 2 { // what was not stored yet is lost
					time.Sleep(time.Hour)
					k.Tick()
				}
			}
			absent(t, load(t, db, nil), true, "after 30 days of uptime")
		})
	})
	t.Run("by the clock, for when the device was off", func(t *testing.T) {
		db, w := openStore(t), &wall{built, true}
		load(t, db, w.now).HeardOwner(built.Unix())
		w.at = built.Add(month - time.Second)
		absent(t, load(t, db, w.now), false, "a second before 30 days")
		w.at = built.Add(month)
		absent(t, load(t, db, w.now), true, "after 30 days")
		w.sync = false
		absent(t, load(t, db, w.now), false, "by a clock that nothing vouches for")
	})
}
