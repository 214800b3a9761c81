package updatetest

import (
	"context"
	"errors"
	"testing"

	"github.com/camd-project/camd/pkg/update"
)

// Rig is a device that runs slot A, with bundles for it.
type Rig struct {
	Slots   update.Slots
	Bundles update.Bundles

	Good   update.Bundle // may be installed
	Forged string        // a path: signed by somebody else
	Alien  update.Bundle // for another kind of device
}

// Contract returns what the Updater relies on.
func Contract(t *testing.T, rig func(t *testing.T) Rig) {
	ctx := context.Background()
	status := func(t *testing.T, r Rig) update.SlotStatus {
		t.Helper()
		s, err := r.Slots.Status(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	none := func(int) {}

	t.Run("a fresh device", func(t *testing.T) {
		r := rig(t)
		want := update.SlotStatus{Compatible: r.Good.Compatible, Booted: SlotA, Other: SlotB, Primary: SlotA}
		if s := status(t, r); s != want {
			t.Errorf("the slots are %+v, want %+v", s, want)
		}
	})
	t.Run("a bundle says what it is", func(t *testing.T) {
		r := rig(t)
		b, err := r.Bundles.Inspect(ctx, r.Good.Path)
		if err != nil || b != r.Good {
			t.Errorf("the bundle is %+v, %v, want %+v", b, err, r.Good)
		}
		for _, path := range []string{r.Forged, r.Good.Path + ".nowhere"} {
			if _, err := r.Bundles.Inspect(ctx, path); !errors.Is(err, update.ErrRefused) {
				t.Errorf("%s: %v, want a refusal", path, err)
			}
		}
	})
	t.Run("a good bundle", func(t *testing.T) {
		r := rig(t)
		last := -1
		if err := r.Slots.Install(ctx, r.Good, func(p int) {
			if p <= last || p > 100 {
				t.Errorf("progress goes from %d to %d", last, p)
			}
			last = p
		}); err != nil {
			t.Fatal(err)
		}
		if last != 100 {
			t.Errorf("progress ended at %d", last)
		}
		if s := status(t, r); s.Primary != SlotB || s.Booted != SlotA {
			t.Errorf("after the installation: %+v", s)
		}
		if err := r.Slots.Mark(ctx, update.MarkActive, SlotA); err != nil {
			t.Fatal(err)
		}
		if s := status(t, r); s.Primary != SlotA {
			t.Errorf("the slot that runs was made active: %+v", s)
		}
	})
	t.Run("marks", func(t *testing.T) {
		r := rig(t)
		for _, step := range []struct {
			mark    update.Mark
			slot    string
			primary string
		}{
			{update.MarkGood, SlotA, SlotA},
			{update.MarkActive, SlotB, SlotB},
			{update.MarkBad, SlotB, SlotA},
			{update.MarkActive, SlotB, SlotB},
			{update.MarkActive, SlotA, SlotA},
			{update.MarkBad, SlotB, SlotA},
			{update.MarkGood, SlotA, SlotA},
		} {
			if err := r.Slots.Mark(ctx, step.mark, step.slot); err != nil {
				t.Fatalf("mark %s as %s: %v", step.slot, step.mark, err)
			}
			if s := status(t, r); s.Primary != step.primary {
				t.Errorf("%s is marked %s: the next start runs %q, want %q", step.slot, step.mark, s.Primary, step.primary)
			}
		}
		if err := r.Slots.Mark(ctx, update.MarkGood, "rootfs.7"); err == nil {
			t.Error("a slot that is not there was marked")
		}
	})
	t.Run("refused", func(t *testing.T) {
		r := rig(t)
		for _, b := range []update.Bundle{r.Alien, {Path: r.Forged}, {Path: r.Good.Path + ".nowhere"}} {
			if err := r.Slots.Install(ctx, b, none); !errors.Is(err, update.ErrRefused) {
				t.Errorf("%s: %v, want a refusal", b.Path, err)
			}
		}
		if s := status(t, r); s.Primary != SlotA {
			t.Errorf("after what was refused the next start runs %s", s.Primary)
		}
	})
}
