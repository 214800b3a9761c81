package update

import (
	"context"
	"log/slog"
	"time"
)

// Keeper marks the running slot as good if the configuration names no server, so that there
// is no Updater. Boot loaders count starts: after three the camera would run the other slot,
// perhaps an older version that must not run any more.
type Keeper struct {
	slots Slots
	log   *slog.Logger
}

// NewKeeper returns a Keeper.
func NewKeeper(slots Slots, log *slog.Logger) *Keeper {
	return &Keeper{slots, log.With("component", "slots")}
}

// String names the component.
func (k *Keeper) String() string { return "slots" }

// Run marks the slot once for this start, and waits until ctx ends.
func (k *Keeper) Run(ctx context.Context, ready func()) error {
	ready()
	for {
		s, err := k.slots.Status(ctx)
		if err == nil {
			err = k.slots.Mark(ctx, MarkGood, s.Booted)
		}
		if err == nil {
			<-ctx.Done()
			return nil
		}
		k.log.Warn("the slot that runs can't be marked as good", "error", err)
		timer := time.NewTimer(later)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}
