package update_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/update/release"
	"github.com/camd-project/camd/pkg/update/updatetest"
)

const day = 24 * time.Hour

const goodStory = "available installing installed restarting confirmed"

func TestAnUpdateComesInAndIsConfirmed(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, w *world) {
		w.release("1.2.0", func(_ *updatetest.File, o *release.Offer) { o.Lowest = "1.1.0" })
		if v := w.live(day); v != "1.2.0" {
			t.Fatalf("version %s runs; told: %v", v, w.steps)
		}
		if got := w.told(); got != goodStory {
			t.Errorf("the household was told %q", got)
		}
		if l := w.lowest(); l != "1.1.0" {
			t.Errorf("the lowest allowed version is %s", l)
		}
		if s := w.updater().Status(); s.State != proto.UpdateCurrent || s.Version != "1.2.0" || s.Reason != "" {
			t.Errorf("the status is %+v", s)
		}
		if have := w.updater().Trial(); have {
			t.Error("the version is still on trial")
		}
		slot, _ := w.machine.Booted()
		if w.machine.Left(slot) != 3 {
			t.Error("the slot that runs was not marked as good")
		}
	})
}

func TestAVersionThatFailsIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		manners manners
		reason  string
	}{
		"it panics":         {manners{panics: true}, "did not start"},
		"camd crashes":      {manners{crashes: true, offline: true}, "ended by itself"},
		"no picture":        {manners{blind: true}, "no picture"},
		"the store is shut": {manners{locked: true}, "store did not open"},
		"its self-test":     {manners{selfTest: errors.New("the key is gone")}, "the key is gone"},
		"no broker for it":  {manners{offline: true}, "did not reach the broker"},
		"no installer":      {manners{deaf: true}, "which slot it runs in"},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T, w *world) {
				w.images["1.2.0"] = &c.manners
				w.release("1.2.0", func(_ *updatetest.File, o *release.Offer) { o.Lowest = "1.1.0" })
				if v := w.live(3 * day); v != "1.0.0" {
					t.Fatalf("version %s runs; told: %v", v, w.steps)
				}
				last := w.steps[len(w.steps)-1]
				if last.Kind != proto.StepFailed || last.Version != "1.2.0" || !strings.Contains(last.Reason, c.reason) {
					t.Errorf("the household was told %+v at last, want why it failed: %s", last, c.reason)
				}
				if n := strings.Count(w.told(), "restarting"); n != 1 {
					t.Errorf("it was tried %d times", n)
				}
				if l := w.lowest(); l != "1.0.0" {
					t.Errorf("the lowest allowed version is %s, though nothing was confirmed", l)
				}
				if s := w.updater().Status(); !strings.Contains(s.Reason, c.reason) || s.State != proto.UpdateFailed || s.Offered != "1.2.0" {
					t.Errorf("the status says %+v", s)
				}
				w.release("1.2.1")
				if v := w.live(3 * day); v != "1.2.1" {
					t.Errorf("version %s runs; the next release should have come in: %v", v, w.steps)
				}
				if s := w.updater().Status(); s.State != proto.UpdateCurrent {
					t.Errorf("with the next release the status says %+v", s)
				}
			})
		})
	}
}

// A camera whose old slot can't be started any more stays with what it has, and takes the
// next release.
func TestTheOldSlotIsDead(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, w *world) {
		w.images["1.2.0"] = &manners{blind: true}
		w.release("1.2.0")
		w.during(time.Hour, func() { w.machine.Stick("") })
		w.hours = func(time.Time) bool {
			w.machine.Stick(updatetest.SlotB) // from the restart on
			return true
		}
		if v := w.live(day); v != "1.2.0" {
			t.Fatalf("version %s runs; told %q", v, w.told())
		}
		if n := strings.Count(w.told(), "failed"); n != 1 || w.kept().Phase != "" {
			t.Errorf("told %q, kept %+v", w.told(), w.kept())
		}
		w.release("1.2.1")
		w.hours = func(time.Time) bool { return true }
		if v := w.live(day); v != "1.2.1" || !strings.HasSuffix(w.told(), "confirmed") {
			t.Errorf("version %s runs; told %q", v, w.told())
		}
	})
}

func TestABrokerOutOfReachDecidesNothing(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, w *world) {
		w.images["1.0.0"], w.images["1.2.0"] = &manners{offline: true}, &manners{offline: true}
		w.release("1.2.0")
		w.live(30 * time.Minute)
		k := w.kept()
		if _, v := w.machine.Booted(); v != "1.0.0" || len(k.Failed) > 0 || k.Retry.Version != "1.2.0" || k.Retry.Count != 1 {
			t.Fatalf("version %s runs, and is kept: %+v", v, k)
		}
		if !strings.HasSuffix(w.told(), "restarting undecided") {
			t.Errorf("the household was told %q", w.told())
		}
		requests := w.requests
		w.images["1.0.0"], w.images["1.2.0"] = nil, nil // the broker is back
		if v := w.live(2 * day); v != "1.2.0" {
			t.Errorf("version %s runs; told %v", v, w.steps)
		}
		if !strings.HasSuffix(w.told(), "confirmed") || w.requests != requests {
			t.Errorf("the household was told %q; the bundle was asked for %d times more", w.told(), w.requests-requests)
		}
	})
}

func TestTriesWithoutBrokerGrowRarer(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, w *world) {
		w.images["1.0.0"], w.images["1.2.0"] = &manners{offline: true}, &manners{offline: true}
		w.release("1.2.0")
		w.live(60 * day)
		n := strings.Count(w.told(), "undecided")
		if n < 6 || n > 16 {
			t.Errorf("it was tried %d times in two months, want it doubled up to a week", n)
		}
	})
}

// What is not for this camera is refused before anything is written.
func TestRefused(t *testing.T) {
	t.Parallel()
	type change = func(*updatetest.File, *release.Offer)
	for name, c := range map[string]struct {
		change change
		reason string
		told   bool
	}{
		"another kind, by the list":    {func(_ *updatetest.File, o *release.Offer) { o.Compatible = "camd-other" }, "for camd-other", false},
		"another kind, by the bundle":  {func(f *updatetest.File, _ *release.Offer) { f.Compatible = "camd-other" }, "for camd-other", true},
		"another version":              {func(f *updatetest.File, _ *release.Offer) { f.Version = "1.1.0" }, "holds version 1.1.0", true},
		"another manifest":             {func(f *updatetest.File, _ *release.Offer) { f.Manifest = "evil" }, "not the one that the release log names", true},
		"no manifest":                  {func(f *updatetest.File, _ *release.Offer) { f.Manifest = "" }, "no signed manifest", true},
		"a wrong signature":            {func(f *updatetest.File, _ *release.Offer) { f.Broken = true }, "signature is wrong", true},
		"too far ahead":                {func(_ *updatetest.File, o *release.Offer) { o.Minimum = "1.1.0" }, "from 1.1.0 on", false},
		"nothing newer":                {func(_ *updatetest.File, o *release.Offer) { o.Version = "1.0.0" }, "", false},
		"an older one":                 {func(_ *updatetest.File, o *release.Offer) { o.Version = "0.9.0" }, "", false},
		"it can't be written, 3 times": {func(f *updatetest.File, _ *release.Offer) { f.Torn = true }, "could not be written", true},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T, w *world) {
				w.release("1.2.0", c.change)
				if v := w.live(10 * day); v != "1.0.0" {
					t.Fatalf("version %s runs", v)
				}
				if s := w.updater().Status(); !strings.Contains(s.Reason, c.reason) || c.reason == "" && s.Reason != "" {
					t.Errorf("the status says %+v, want %q", s, c.reason)
				}
				if got := strings.Contains(w.told(), "refused"); got != c.told {
					t.Errorf("the household was told %q", w.told())
				}
				if strings.Contains(w.told(), "installing") != strings.Contains(name, "3 times") {
					t.Errorf("it came as far as %q", w.told())
				}
			})
		})
	}
}

// A camera without a battery starts in the past, where no certificate is valid yet. That is
// no fault of the release.
func TestAClockOfThePastLosesNoRelease(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, w *world) {
		begin := time.Now()
		w.machine.Clock = func() bool { return time.Since(begin) > 30*time.Minute }
		w.release("1.2.0")
		if v := w.live(day); v != "1.2.0" {
			t.Errorf("version %s runs; kept %+v, told %q", v, w.kept(), w.told())
		}
		if got := w.told(); got != "available refused installing installed restarting confirmed" {
			t.Errorf("the household was told %q", got)
		}
	})
}

func TestNothingBelowTheLowestVersion(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, w *world) {
		w.release("2.0.0", func(_ *updatetest.File, o *release.Offer) { o.Lowest = "2.0.0" })
		w.live(day)
		// A rescue by hand brought the old system back; the state knows better.
		w.release("1.9.0")
		w.images["2.0.0"] = nil
		if err := w.machine.Mark(t.Context(), "bad", updatetest.SlotB); err != nil {
			t.Fatal(err)
		}
		w.machine.Boot()
		if v := w.live(2 * day); v != "1.0.0" {
			t.Fatalf("version %s runs", v)
		}
		if s := w.updater().Status(); s.State != proto.UpdateRefused || !strings.Contains(s.Reason, "lowest") {
			t.Errorf("the status is %+v", s)
		}
	})
}

func TestNoDownloadWithoutSpace(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, w *world) {
		w.free = 10 << 20
		w.release("1.2.0")
		w.live(day)
		if w.requests != 0 {
			t.Error("it was asked for, though there is no room for it")
		}
		if s := w.updater().Status(); s.State != proto.UpdateAvailable || !strings.Contains(s.Reason, "MB are free") {
			t.Errorf("the status is %+v", s)
		}
		w.free = 1 << 30
		if v := w.live(day); v != "1.2.0" {
			t.Errorf("with room, version %s runs", v)
		}
	})
}

func TestNothingIsWrittenBeforeTheHouseholdKnows(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, w *world) {
		w.mute = true
		w.release("1.2.0")
		w.live(3 * day)
		if s, _ := w.machine.Status(t.Context()); s.Primary != updatetest.SlotA {
			t.Errorf("a slot was written: %+v", s)
		}
		w.set(func() { w.mute = false })
		if v := w.live(day); v != "1.2.0" || w.told() != goodStory {
			t.Errorf("version %s runs; told %q", v, w.told())
		}
	})
}

// Two power cuts, at any distance, leave the boot loader a try: the new version stays.
func TestTwoPowerCuts(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		in(t, func(t *testing.T, w *world) {
			r := rand.New(rand.NewPCG(seed, 0))
			w.cutAt, w.cuts = 1+r.IntN(25), []int{1 + r.IntN(15)}
			first, second := w.cutAt, w.cuts[0]
			w.release("1.2.0", func(_ *updatetest.File, o *release.Offer) { o.Lowest = "1.1.0" })
			if v := w.live(2 * day); v != "1.2.0" || w.kept().Phase != "" || w.lowest() != "1.1.0" {
				t.Errorf("power cuts at effect %d and %d later: version %s runs, told %q, kept %+v", first, second, v, w.told(), w.kept())
			}
		})
	}
}

func TestEveryPowerCutIsResumed(t *testing.T) {
	t.Parallel()
	stories := map[string]struct {
		manners manners
		old     manners
		want    string // version
		told    string // at last
	}{
		"good":      {want: "1.2.0", told: "confirmed"},
		"bad":       {manners: manners{blind: true}, want: "1.0.0", told: "failed"},
		"no broker": {manners: manners{offline: true}, want: "1.0.0", told: "failed"},
	}
	for name, c := range stories {
		t.Run(name, func(t *testing.T) {
			effects := 0
			for n := 0; n <= effects; n++ {
				in(t, func(t *testing.T, w *world) {
					w.images["1.2.0"], w.images["1.0.0"], w.cutAt = &c.manners, &c.old, n
					w.release("1.2.0", func(_ *updatetest.File, o *release.Offer) { o.Lowest = "1.1.0" })
					got := w.live(2 * day)
					if n == 0 {
						effects = w.effect
					}
					if got != c.want || !strings.HasSuffix(w.told(), c.told) || w.kept().Phase != "" {
						t.Errorf("power cut at effect %d of %d: version %s runs, told %q, kept %+v", n, effects, got, w.told(), w.kept())
					}
					want := map[string]string{"1.2.0": "1.1.0", "1.0.0": "1.0.0"}[c.want]
					if l := w.lowest(); l != want {
						t.Errorf("power cut at effect %d: the lowest allowed version is %s, want %s", n, l, want)
					}
				})
			}
			if effects < 15 {
				t.Errorf("only %d effects", effects)
			}
		})
	}
}
