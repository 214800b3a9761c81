package update

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/camd-project/camd/pkg/backoff"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/update/release"
)

// poll asks the catalog when it is time, and begins with what it offers.
func (u *Updater) poll(ctx context.Context) (time.Duration, error) {
	if err := u.settle(ctx, ""); err != nil {
		return 0, err
	}
	if wait := u.untilPoll(); wait > 0 {
		return min(wait, rest), nil
	}
	offer, err := u.ask(ctx)
	switch {
	case errors.Is(err, release.ErrNone):
		failed := u.believe("")
		if errors.Is(err, release.ErrBeyond) {
			u.setReason(sentence(err), false)
		}
		return rest, failed
	case errors.Is(err, release.ErrFork):
		return rest, u.forked(err)
	case errors.Is(err, release.ErrRefused):
		return rest, u.believe(sentence(err))
	case err != nil:
		u.setReason(sentence(err), false)
	default:
		return look, u.consider(ctx, offer)
	}
	return rest, nil
}

func (u *Updater) untilPoll() time.Duration {
	u.mu.Lock()
	defer u.mu.Unlock()
	return time.Until(u.live.nextPoll)
}

// ask asks the catalog, and sets when to ask next: after the interval, more or less a fifth,
// and sooner while the server can't be reached.
func (u *Updater) ask(ctx context.Context) (release.Offer, error) {
	offer, err := u.deps.Catalog.Latest(ctx)
	next := time.Duration(u.cfg.IntervalHours) * time.Hour
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case err == nil || errors.Is(err, release.ErrNone) || errors.Is(err, release.ErrFork):
		u.live.heard, u.live.missed = time.Now(), 0
	case !errors.Is(err, release.ErrRefused):
		next = min(next, later<<min(u.live.missed, 10))
		u.live.missed++
	}
	u.live.nextPoll = time.Now().Add(backoff.Jitter(next, next/5))
	return offer, err
}

// believe notes why the server's list is refused, and notifies the household once of each
// reason; "" means that the list is good.
func (u *Updater) believe(refusal string) error {
	u.setReason(refusal, refusal != "")
	if s := u.read(); s.Doubt == short(refusal) && (refusal != "" || !s.Fork) {
		return nil
	}
	return u.change(func(s *state) {
		if s.Doubt = short(refusal); refusal != "" {
			s.tell(proto.StepRefused, "", refusal)
		} else {
			s.Fork = false // it is another log by now, of another image
		}
	})
}

// forked notifies the household once that the log contradicts itself.
func (u *Updater) forked(err error) error {
	u.setReason(sentence(err), true)
	if u.read().Fork {
		return nil
	}
	return u.change(func(s *state) {
		s.end()
		s.Fork = true
		s.tell(proto.StepFork, "", "")
	})
}

// consider begins with an offer, or sets the reason why this camera may not install it.
func (u *Updater) consider(ctx context.Context, o release.Offer) error {
	if release.Compare(o.Version, u.deps.Version) <= 0 {
		u.setReason("", false)
		return nil
	}
	slots, err := u.where(ctx)
	if err != nil {
		u.setReason(sentence(err), false)
		return nil //nolint:nilerr // said, and tried with the next poll
	}
	if reason, refused := u.unfit(o, slots); reason != "" {
		u.setReason(reason, refused)
		s := u.read()
		u.mu.Lock()
		if s.failedBefore(o.Version) != "" {
			u.live.failed = o.Version
		}
		u.mu.Unlock()
		return nil
	}
	s := u.read()
	again := s.Retry.Version == o.Version
	if again && s.Retry.waits() {
		u.setReason(s.Retry.Reason, false)
		return nil
	}
	u.setReason("", false)
	u.log.Info("a release was found", "version", o.Version, "security", o.Security)
	return u.change(func(s *state) {
		s.Phase, s.Offer, s.Since, s.Fork, s.Doubt = offered, &o, time.Now().Unix(), false, ""
		if !again {
			s.Retry = retry{}
			s.tell(proto.StepAvailable, o.Version, "")
		}
	})
}

// unfit returns why an offer is not for this camera now, or "". refused is set if the offer
// should not have been made.
func (u *Updater) unfit(o release.Offer, slots SlotStatus) (reason string, refused bool) {
	s := u.read()
	switch {
	case o.Compatible != slots.Compatible:
		return fmt.Sprintf("Version %s is for %s, and this camera is %s.", o.Version, o.Compatible, slots.Compatible), true
	case release.Compare(o.Version, u.lowest) < 0:
		return fmt.Sprintf("Version %s is older than %s, the lowest that this camera may run.", o.Version, u.lowest), true
	case s.failedBefore(o.Version) != "":
		return fmt.Sprintf("Version %s failed on this camera, and is not tried again: %s.", o.Version, s.failedBefore(o.Version)), false
	case release.Compare(u.deps.Version, o.Minimum) < 0:
		return fmt.Sprintf("Version %s can be reached from %s on, and this camera runs %s.", o.Version, o.Minimum, u.deps.Version), false
	}
	return "", false
}

// waits reports whether it is too early for another try. If more than the whole pause is
// left, the clock was set back, and nobody must wait for that.
func (r retry) waits() bool {
	left := time.Until(time.Unix(r.At, 0))
	return left > 0 && left <= pause(r.Count-1)
}

// pause returns how long to wait before the next try, after count earlier ones.
func pause(count int) time.Duration {
	return min(maxPause, firstPause<<max(0, min(count, 10)))
}

// putOff postpones a version.
func (s *state) putOff(version, reason string) {
	count := 0
	if s.Retry.Version == version {
		count = s.Retry.Count
	}
	s.Retry = retry{Version: version, Count: count + 1, Reason: reason, At: time.Now().Add(pause(count)).Unix()}
}

// withdrawn asks the catalog again, when it is time, and reports whether the release is no
// longer offered to this camera. Then it is forgotten; if it is installed already, the old
// version is made the next to start first.
func (u *Updater) withdrawn(ctx context.Context, s state) (bool, error) {
	if u.untilPoll() > 0 {
		return false, nil
	}
	o, err := u.ask(ctx)
	fork := errors.Is(err, release.ErrFork)
	switch {
	case err == nil && o.Version == s.Offer.Version:
		s := u.read() // the location of a release that is not downloaded yet may have changed
		if s.Phase != offered || o.URL == s.Offer.URL && bytes.Equal(o.SHA256, s.Offer.SHA256) {
			return false, nil
		}
		return true, u.change(func(s *state) { s.Offer = &o })
	case err != nil && !fork && !errors.Is(err, release.ErrNone):
		return false, nil // it was verified, and not withdrawn
	}
	u.Check() // again: there may be another, or this may fail
	if s.Phase == installed {
		if err := u.deps.Slots.Mark(ctx, MarkActive, s.From); err != nil {
			u.setReason(sentence(err), false)
			return true, nil //nolint:nilerr // said, and tried again
		}
	}
	if fork {
		return true, u.forked(err)
	}
	u.log.Info("the release is withdrawn", "version", s.Offer.Version)
	return true, u.change(func(s *state) { s.end() })
}

// settle marks the running slot as good, once: it was confirmed before, or flashed. If that
// is not known because the state was damaged, it must prove itself first. If from is not
// empty, only that slot is marked.
func (u *Updater) settle(ctx context.Context, from string) error {
	if u.run.good || u.doubtful() && !(u.works("broker") && u.works("auth") && u.deps.SelfTest(ctx) == nil) {
		return nil
	}
	slots, err := u.where(ctx)
	if err != nil {
		u.setReason(sentence(err), false)
		return nil //nolint:nilerr // said, and tried again
	}
	if from != "" && slots.Booted != from {
		return nil
	}
	if err := u.deps.Slots.Mark(ctx, MarkGood, slots.Booted); err != nil {
		u.setReason(sentence(err), false)
		return nil //nolint:nilerr // said, and tried again
	}
	u.run.good = true
	u.mu.Lock()
	defer u.mu.Unlock()
	u.unknown = false
	return nil
}

func (u *Updater) doubtful() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.unknown
}

// works reports whether a part of the camera works, perhaps degraded.
func (u *Updater) works(part string) bool {
	for _, c := range u.board.Snapshot() {
		if c.Name == part {
			return c.State == health.OK || c.State == health.Degraded
		}
	}
	return false
}

// sweep removes a bundle that is not needed any more.
func (u *Updater) sweep() {
	if err := u.fetch.Remove(u.dir.path(bundleFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		u.log.Warn("a bundle that is not needed any more can't be removed", "error", err)
	}
}
