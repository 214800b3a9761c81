package update_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/update"
	"github.com/camd-project/camd/pkg/update/release"
	"github.com/camd-project/camd/pkg/update/updatetest"
)

// during lets a story change the world while the machine runs, after some time.
func (w *world) during(after time.Duration, how func()) {
	go func() {
		time.Sleep(after)
		how()
	}()
}

func security(_ *updatetest.File, o *release.Offer) { o.Security = true }

// When the camera restarts into what it has installed.
func TestTheCameraRestartsAtAQuietTime(t *testing.T) {
	t.Parallel()
	never := func(time.Time) bool { return false }
	for name, c := range map[string]struct {
		busy   bool
		hours  func(time.Time) bool
		change []func(*updatetest.File, *release.Offer)
		before time.Duration // still the old version
		after  time.Duration // the new one
	}{
		"at once":                         {after: time.Hour},
		"in its hours":                    {hours: func(t time.Time) bool { return t.UTC().Hour() == 3 }, before: time.Hour, after: 28 * time.Hour},
		"outside of them at last":         {hours: never, before: 13 * day, after: 16 * day},
		"sooner, if it closes a hole":     {hours: never, change: []func(*updatetest.File, *release.Offer){security}, before: day, after: 3 * day},
		"while someone watches, at last":  {busy: true, before: 27 * day, after: 30 * day},
		"while someone watches, a hole":   {busy: true, change: []func(*updatetest.File, *release.Offer){security}, before: 3 * day, after: 5 * day},
		"hours, and someone always there": {busy: true, hours: never, before: 27 * day, after: 30 * day},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T, w *world) {
				w.busy = c.busy
				if c.hours != nil {
					w.hours = c.hours
				}
				w.release("1.2.0", c.change...)
				if v := w.live(c.before); c.before > 0 && v != "1.0.0" {
					t.Fatalf("version %s runs too early", v)
				}
				if v := w.live(c.after - c.before); v != "1.2.0" {
					t.Errorf("version %s runs; the status is %+v", v, w.updater().Status())
				}
			})
		})
	}
}

func TestADownloadWaitsWhileSomeoneWatches(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, w *world) {
		w.busy = true
		w.release("1.2.0")
		w.live(day)
		if w.requests != 0 {
			t.Errorf("%d requests while someone watches", w.requests)
		}
	})
}

func TestPostponing(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, w *world) {
		w.busy = true
		w.release("1.2.0")
		w.live(time.Hour)
		found := time.Now()
		if err := w.updater().Postpone(found.Add(20 * day)); !errors.Is(err, update.ErrTooLate) || !strings.Contains(err.Error(), "at the latest") {
			t.Errorf("put off for 20 days: %v", err)
		}
		if err := w.updater().Postpone(found.Add(5 * day)); err != nil {
			t.Fatal(err)
		}
		w.busy = false
		if v := w.live(4 * day); v != "1.0.0" || w.requests != 0 {
			t.Errorf("version %s runs, %d requests, though it was put off", v, w.requests)
		}
		if s := w.updater().Status(); s.State != proto.UpdateAvailable || s.Postponed != found.Add(5*day).Unix() || s.Latest == 0 || s.Notes != "better" {
			t.Errorf("the status is %+v", s)
		}
		if v := w.live(2 * day); v != "1.2.0" {
			t.Errorf("version %s runs after the time", v)
		}
		if err := w.updater().Postpone(time.Now()); !errors.Is(err, update.ErrNothing) {
			t.Errorf("nothing can be put off: %v", err)
		}
	})
}

// A download can take hours: it is to be seen, and what was decided meanwhile counts.
func TestPutOffDuringTheDownload(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, w *world) {
		w.rate = 1 // a bundle takes half an hour
		w.release("1.2.0")
		var seen []proto.UpdateStatus
		w.during(15*time.Minute, func() {
			seen = append(seen, w.updater().Status())
			if err := w.updater().Postpone(time.Now().Add(2 * day)); err != nil {
				t.Error(err)
			}
		})
		if v := w.live(day); v != "1.0.0" || strings.Contains(w.told(), "installing") {
			t.Errorf("version %s runs; told %q, though it was put off", v, w.told())
		}
		if s := seen[0]; s.State != proto.UpdateDownloading || s.Percent < 10 || s.Percent > 90 {
			t.Errorf("in the middle of the download the status was %+v", s)
		}
		if v := w.live(2 * day); v != "1.2.0" {
			t.Errorf("version %s runs after the time", v)
		}
	})
}

func TestAPersonCanChangeTheirMind(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, w *world) {
		w.busy = true
		w.release("1.2.0")
		w.live(time.Hour)
		if err := w.updater().Postpone(time.Now().Add(10 * day)); err != nil {
			t.Fatal(err)
		}
		w.during(time.Hour, func() {
			if err := w.updater().Postpone(time.Time{}); err != nil {
				t.Error(err)
			}
			w.set(func() { w.busy = false })
		})
		if v := w.live(2 * day); v != "1.2.0" {
			t.Errorf("version %s runs", v)
		}
	})
}

// Who has the right can have it at once, whoever watches and whatever the hours are.
func TestInstallNow(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, w *world) {
		w.busy, w.hours = true, func(time.Time) bool { return false }
		w.live(time.Hour)
		if err := w.updater().Install(t.Context()); !errors.Is(err, update.ErrNothing) {
			t.Errorf("nothing was found: %v", err)
		}
		w.release("1.2.0")
		w.during(time.Minute, func() { w.updater().Check() })
		w.live(time.Hour)
		if s := w.updater().Status(); s.State != proto.UpdateAvailable || s.Offered != "1.2.0" {
			t.Fatalf("after the hint the status is %+v", s)
		}
		w.during(time.Minute, func() {
			if err := w.updater().Install(t.Context()); err != nil {
				t.Error(err)
			}
		})
		if v := w.live(time.Hour); v != "1.2.0" {
			t.Errorf("version %s runs; the status is %+v", v, w.updater().Status())
		}
	})
}

// A release that is halted is not installed, and not started if it was.
func TestHalted(t *testing.T) {
	t.Parallel()
	for name, hours := range map[string]bool{"before its download": true, "before its start": false} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T, w *world) {
				w.busy, w.hours = hours, func(time.Time) bool { return false }
				w.release("1.2.0")
				w.live(time.Hour)
				w.set(func() { w.offer, w.busy = nil, false })
				w.live(10 * time.Hour)
				w.set(func() { w.hours = func(time.Time) bool { return true } })
				if v := w.live(20 * day); v != "1.0.0" {
					t.Fatalf("version %s runs", v)
				}
				if s, _ := w.machine.Status(t.Context()); s.Primary != updatetest.SlotA {
					t.Errorf("the next start runs it: %+v", s)
				}
				if s := w.updater().Status(); s.State != proto.UpdateCurrent {
					t.Errorf("the status is %+v", s)
				}
				w.release("1.2.1")
				if v := w.live(day); v != "1.2.1" {
					t.Errorf("version %s runs", v)
				}
			})
		})
	}
}

func TestAForkIsToldAndEndsUpdates(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, w *world) {
		w.answer = release.ErrFork
		w.live(5 * day)
		if w.told() != "fork" {
			t.Errorf("the household was told %q", w.told())
		}
		if c := w.condition("update"); c.State != health.Failed || !strings.Contains(c.Reason, "forked") {
			t.Errorf("the condition is %+v", c)
		}
		w.set(func() { w.answer = nil }) // an image with another log's key was put in by hand
		w.live(day)
		if c := w.condition("update"); c.State != health.OK {
			t.Errorf("with another log the condition is %+v", c)
		}
	})
}

func (w *world) condition(name string) health.Status {
	for _, c := range w.board.Snapshot() {
		if c.Name == name {
			return c
		}
	}
	return health.Status{}
}

func TestARefusedListIsToldOnceForEachReason(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, w *world) {
		w.answer = errors.Join(release.ErrRefused, errors.New("too few witnesses"))
		w.live(3 * day)
		w.live(3 * day)
		if w.told() != "refused" || !strings.Contains(w.steps[0].Reason, "witnesses") {
			t.Errorf("the household was told %+v", w.steps)
		}
		if s := w.updater().Status(); s.State != proto.UpdateRefused || !strings.Contains(s.Reason, "witnesses") {
			t.Errorf("the status is %+v", s)
		}
		if c := w.condition("update"); c.State != health.Degraded {
			t.Errorf("the condition is %+v", c)
		}
		w.release("1.2.0")
		if v := w.live(day); v != "1.2.0" {
			t.Errorf("version %s runs", v)
		}
	})
}

// A release that only a newer version can update to is nothing wrong, and is told.
func TestAReleaseThatIsTooFarAheadIsTold(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, w *world) {
		w.answer = fmt.Errorf("%w: from 1.1.0 on", release.ErrBeyond)
		w.live(day)
		if s := w.updater().Status(); s.State != proto.UpdateCurrent || !strings.Contains(s.Reason, "from 1.1.0 on") || s.Checked == 0 {
			t.Errorf("the status is %+v", s)
		}
		if c := w.condition("update"); c.State != health.OK || w.told() != "" {
			t.Errorf("the condition is %+v, and the household was told %q", c, w.told())
		}
	})
}

func TestAServerOutOfReachIsNoDegradedCameraAtOnce(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, w *world) {
		w.answer = errors.Join(release.ErrUnreachable, errors.New("no route"))
		w.live(2 * day)
		if c := w.condition("update"); c.State != health.OK {
			t.Errorf("after two days the condition is %+v", c)
		}
		if s := w.updater().Status(); s.State != proto.UpdateCurrent || s.Reason == "" || s.Checked != 0 {
			t.Errorf("the status is %+v", s)
		}
		w.live(4 * day)
		if c := w.condition("update"); c.State != health.Degraded {
			t.Errorf("after four days the condition is %+v", c)
		}
	})
}

// At the start of the system the network may come later than camd.
func TestTheNetworkComesLate(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, w *world) {
		w.release("1.2.0")
		w.answer = errors.Join(release.ErrUnreachable, errors.New("no route"))
		w.during(20*time.Minute, func() { w.set(func() { w.answer = nil }) })
		if v := w.live(2 * time.Hour); v != "1.2.0" {
			t.Errorf("version %s runs; the status is %+v", v, w.updater().Status())
		}
		w.set(func() { w.answer, w.asked = release.ErrUnreachable, 0 })
		w.live(5 * day)
		if w.asked > 40 {
			t.Errorf("a server that is not there was asked %d times in five days", w.asked)
		}
	})
}

func TestWrongBytesAreToldOnceAndTriedAgain(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, w *world) {
		w.release("1.2.0")
		right := w.files["https://updates.test/1.2.0"]
		wrong := append([]byte(nil), right...)
		wrong[100] ^= 1
		w.files["https://updates.test/1.2.0"] = wrong
		w.during(12*time.Hour, func() { _ = w.updater().Install(t.Context()) }) // who asks gets one try more
		if v := w.live(3 * day); v != "1.0.0" || w.told() != "available refused" {
			t.Fatalf("version %s runs; told %q", v, w.told())
		}
		if w.requests > 12 {
			t.Errorf("%d requests in three days", w.requests)
		}
		w.files["https://updates.test/1.2.0"] = right
		if v := w.live(5 * day); v != "1.2.0" {
			t.Errorf("version %s runs; told %q; kept %+v, the status is %+v", v, w.told(), w.kept(), w.updater().Status())
		}
	})
}

// What can't be kept is not begun: the part fails, and is tried again.
func TestTheStateCantBeKept(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, w *world) {
		w.live(time.Hour)
		w.release("1.2.0")
		done := make(chan error, 1)
		u, board := w.updater(), w.board
		if err := errors.Join(os.RemoveAll(filepath.Join(w.state, "update")), os.WriteFile(filepath.Join(w.state, "update"), nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { done <- u.Run(ctx, func() {}) }()
		if err := <-done; err == nil {
			t.Error("Run() = nil though nothing can be kept")
		}
		if w.board = board; w.condition("update").State != health.Failed || w.requests != 0 {
			t.Errorf("the condition is %+v, %d requests", w.condition("update"), w.requests)
		}
	})
}

// A damaged or lost state costs what was under way, and never lets an older version in.
func TestDamage(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(dir string) error{
		"state lost":      func(d string) error { return os.Remove(filepath.Join(d, "state.json")) },
		"state torn":      func(d string) error { return os.Truncate(filepath.Join(d, "state.json"), 30) },
		"state zeroed":    func(d string) error { return os.WriteFile(filepath.Join(d, "state.json"), make([]byte, 500), 0o600) },
		"state a folder":  func(d string) error { return folder(filepath.Join(d, "state.json")) },
		"lowest lost":     func(d string) error { return os.Remove(filepath.Join(d, "lowest")) },
		"lowest torn":     func(d string) error { return os.WriteFile(filepath.Join(d, "lowest"), []byte("1."), 0o600) },
		"lowest a folder": func(d string) error { return folder(filepath.Join(d, "lowest")) },
		"all lost":        os.RemoveAll,
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T, w *world) {
				w.release("1.2.0", func(_ *updatetest.File, o *release.Offer) { o.Lowest = "1.1.0" })
				w.live(day)
				if err := damage(filepath.Join(w.state, "update")); err != nil {
					t.Fatal(err)
				}
				w.release("1.3.0", func(_ *updatetest.File, o *release.Offer) { o.Lowest = "1.1.0" })
				if v := w.live(2 * day); v != "1.3.0" {
					t.Errorf("version %s runs; told %q", v, w.told())
				}
				if l := w.lowest(); release.Compare(l, "1.1.0") < 0 {
					t.Errorf("the lowest allowed version fell to %s", l)
				}
			})
		})
	}
}

func folder(path string) error {
	return errors.Join(os.Remove(path), os.MkdirAll(filepath.Join(path, "x"), 0o700))
}

// Nothing reports whether a version was confirmed whose state was damaged during its trial:
// it is kept only once it has proved itself.
func TestADamagedTrialIsNoConfirmation(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, w *world) {
		w.images["1.2.0"] = &manners{offline: true}
		w.release("1.2.0")
		w.during(9*time.Minute, func() {
			if err := os.WriteFile(filepath.Join(w.state, "update", "state.json"), []byte("{"), 0o600); err != nil {
				t.Error(err)
			}
		})
		w.machine.Effect = nil
		w.live(8 * time.Minute)
		slot, v := w.machine.Booted()
		if v != "1.2.0" {
			t.Fatalf("version %s runs: the trial has not begun", v)
		}
		left := w.machine.Left(slot)
		time.Sleep(2 * time.Minute)
		w.live(3 * time.Hour)
		if got := w.machine.Left(slot); got > left {
			t.Errorf("the slot was marked as good: %d starts left, of %d before", got, left)
		}
		if !w.updater().Trial() {
			t.Error("it counts as confirmed")
		}
	})
}
