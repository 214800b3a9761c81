package update_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/update"
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
