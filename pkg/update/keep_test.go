package update_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/update"
	"github.com/camd-project/camd/pkg/update/release"
	"github.com/camd-project/camd/pkg/update/updatetest"
)

// Without a server of updates the boot loader's counter is given back all the same.
func TestASlotIsKeptWithoutAServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := updatetest.NewMachine(compatible, "1.2.0")
		for start := range 5 {
			if slot, version := m.Booted(); version != "1.2.0" {
				t.Fatalf("start %d is of slot %s, version %q", start, slot, version)
			}
			late := &lateSlots{Slots: m, until: time.Now().Add(time.Hour)} // RAUC takes its time
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- update.NewKeeper(late, slog.New(slog.DiscardHandler)).Run(ctx, func() {}) }()
			time.Sleep(2 * time.Hour)
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			if late.asked > 20 {
				t.Errorf("it asked %d times", late.asked)
			}
			m.Boot()
		}
	})
}

// lateSlots answer from a time on.
type lateSlots struct {
	update.Slots
	until time.Time
	asked int
}

func (l *lateSlots) Status(ctx context.Context) (update.SlotStatus, error) {
	if l.asked++; time.Now().Before(l.until) {
		return update.SlotStatus{}, errDeaf
	}
	return l.Slots.Status(ctx)
}

// A server that has moved holds nothing up, be the bundle still to come or damaged since.
func TestAnOfferThatMoves(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(w *world){
		"before it came":                         func(w *world) { w.set(func() { w.files = map[string][]byte{} }) },
		"while it was installed, and is damaged": func(w *world) { w.mute = true }, // so that the installation waits
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T, w *world) {
				w.release("1.2.0")
				begin(w)
				w.live(12 * time.Hour)
				if p := w.kept().Phase; (p == "installing") != w.mute {
					t.Fatalf("the phase is %q", p)
				}
				w.set(func() { w.mute, w.files = false, map[string][]byte{} })
				_ = os.Remove(filepath.Join(w.state, "update", "bundle.raucb"))
				w.release("1.2.0", func(_ *updatetest.File, o *release.Offer) { o.URL = "https://elsewhere.test/1.2.0" })
				if v := w.live(2 * day); v != "1.2.0" {
					t.Errorf("version %s runs; kept %+v, %q", v, w.kept(), w.updater().Status().Reason)
				}
			})
		})
	}
}
