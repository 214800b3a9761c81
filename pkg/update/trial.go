package update

import (
	"context"
	"fmt"
	"time"

	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/update/release"
)

// trial lets the running new version prove itself: it is confirmed, failed or undecided.
func (u *Updater) trial(ctx context.Context, s state) (time.Duration, error) {
	switch {
	case s.Phase == returning || s.Phase == undecided:
		return u.rollBack(ctx, s)
	case u.deps.Version != s.Offer.Version:
		return u.giveUp(s, fmt.Sprintf("its image says that it is version %s", u.deps.Version))
	case s.Phase == trying && s.Boot == u.boot && s.Pid != u.pid:
		return u.giveUp(s, "camd ended by itself")
	case s.Phase != trying || s.Boot != u.boot:
		if s.Boots >= maxBoots {
			return u.giveUp(s, "it did not stay up")
		}
		u.log.Info("this version is on trial", "version", s.Offer.Version)
		return 0, u.change(func(s *state) {
			s.Phase, s.Boot, s.Pid, s.Boots = trying, u.boot, u.pid, s.Boots+1
		})
	}
	return u.prove(ctx, s)
}

// prove checks the new version. What worked before the update must work after it, and the
// broker must work in any case, or nobody could control the camera.
func (u *Updater) prove(ctx context.Context, s state) (time.Duration, error) {
	now := time.Now()
	if u.run.begun.IsZero() {
		u.run.begun = now
		if err := u.deps.SelfTest(ctx); err != nil {
			return u.giveUp(s, "its self-test failed: "+sentence(err))
		}
	}
	missing := ""
	switch {
	case s.Camera && !u.works("camera"):
		missing = "its camera gave no picture"
	case !u.works("auth"):
		missing = "its store did not open"
	}
	if missing != "" {
		if now.Sub(u.run.begun) < proofTime {
			return look, nil
		}
		return u.giveUp(s, missing)
	}
	if u.run.proved.IsZero() {
		u.run.proved = now
	}
	if u.works("broker") {
		return u.confirm(ctx, s)
	}
	if now.Sub(u.run.proved) < u.cfg.brokerTime() {
		return look, nil
	}
	u.log.Warn("the broker is out of reach: the previous version has to try", "version", s.Offer.Version)
	return 0, u.change(func(next *state) {
		next.Phase = undecided
		next.tell(proto.StepUndecided, s.Offer.Version, "the broker was out of reach")
	})
}

// confirm keeps the new version: first the boot loader marks it, then older versions are
// refused, and only then is the trial over. Each of these may be done twice.
func (u *Updater) confirm(ctx context.Context, s state) (time.Duration, error) {
	if err := u.deps.Slots.Mark(ctx, MarkGood, s.Into); err != nil {
		u.setReason(sentence(err), false)
		return rest, nil //nolint:nilerr // said, and tried again
	}
	u.run.good = true
	if release.Compare(s.Offer.Lowest, u.lowest) > 0 {
		if err := u.dir.raise(s.Offer.Lowest); err != nil {
			return 0, err
		}
		u.mu.Lock()
		u.lowest = s.Offer.Lowest
		u.mu.Unlock()
		if err := u.durable(); err != nil {
			return 0, err
		}
	}
	u.log.Info("this version is confirmed", "version", s.Offer.Version)
	err := u.change(func(next *state) {
		next.end()
		next.Retry = retry{}
		next.tell(proto.StepConfirmed, s.Offer.Version, "")
	})
	u.setReason("", false)
	u.sweep()
	return 0, err
}

// giveUp ends the trial: this version is not tried again, and the previous one runs again.
func (u *Updater) giveUp(s state, reason string) (time.Duration, error) {
	u.log.Error("this version has failed its trial", "version", s.Offer.Version, "reason", reason)
	return 0, u.change(func(next *state) {
		next.Phase, next.Boot = returning, u.boot
		next.fail(s.Offer.Version, short(reason))
		next.tell(proto.StepFailed, s.Offer.Version, reason)
	})
}

// rollBack starts the previous version again. If that fails for too long, this one stays, and
// the next release may replace it: a camera that restarts all the time helps nobody.
func (u *Updater) rollBack(ctx context.Context, s state) (time.Duration, error) {
	if s.Boot != u.boot {
		return 0, u.change(func(s *state) { s.Boot, s.Boots = u.boot, s.Boots+1 })
	}
	if s.Boots > 2*maxBoots {
		u.log.Error("the previous version can't be started any more, so this one stays, though it has failed")
		return look, u.change(func(s *state) { s.end() })
	}
	err := u.deps.Slots.Mark(ctx, MarkActive, s.From)
	if err == nil && s.Phase == returning {
		err = u.deps.Slots.Mark(ctx, MarkBad, s.Into)
	}
	if err != nil { // the boot loader's counter remains, which each restart lowers
		u.log.Error("a slot can't be marked", "error", err)
	}
	return u.restart(s)
}

// fellBack notes that the boot loader, or the old version, has given up the new one.
func (u *Updater) fellBack(s state, reason string) (time.Duration, error) {
	u.log.Error("the new version has failed", "version", s.Offer.Version, "reason", reason)
	u.setReason("", false)
	err := u.change(func(next *state) {
		next.fail(s.Offer.Version, reason)
		next.tell(proto.StepFailed, s.Offer.Version, reason)
		next.end()
	})
	u.sweep()
	return 0, err
}

// judge runs in the old version after an undecided trial. If this version reaches the broker,
// the new one was at fault. If it does not, nobody knows, and the new one is tried again
// later, so that a broker that is away can't prevent an update for ever. A broker that
// refuses only the new version can; then the household is notified that it failed.
func (u *Updater) judge(ctx context.Context, s state) (time.Duration, error) {
	if err := u.settle(ctx, s.From); err != nil {
		return 0, err
	}
	if u.run.begun.IsZero() {
		u.run.begun = time.Now()
	}
	if u.works("broker") {
		return u.fellBack(s, "it did not reach the broker, which the previous version reaches")
	}
	if time.Since(u.run.begun) < u.cfg.brokerTime() {
		return look, nil
	}
	u.setReason("", false)
	return 0, u.change(func(next *state) {
		next.putOff(s.Offer.Version, "The broker could not be reached while the update was tried; it is tried again later.")
		next.end()
	})
}
