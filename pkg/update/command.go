package update

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/update/release"
)

// Errors of Install and Postpone.
var (
	ErrNothing  = errors.New("there is no update that could be installed or put off")
	ErrTooLate  = errors.New("this update can't be put off for so long")
	ErrUnderWay = errors.New("this update is under way already and can't be put off")
)

// nudge makes Run do its next step at once.
func (u *Updater) nudge() {
	select {
	case u.wake <- struct{}{}:
	default: // it will anyway
	}
}

// Check makes Run ask the server now, for a member or an operator.
func (u *Updater) Check() {
	u.mu.Lock()
	u.live.nextPoll = time.Time{}
	u.mu.Unlock()
	u.nudge()
}

// Install makes Run install the update that was found, and restart, even if somebody watches
// or it was postponed. It returns ErrNothing if none was found.
func (u *Updater) Install(context.Context) error {
	if s := u.read(); s.Phase == idle {
		return ErrNothing
	}
	err := u.change(func(s *state) {
		if s.Phase != idle { // it could have ended meanwhile
			s.Asked, s.Postponed, s.Retry = true, 0, retry{}
		}
	})
	u.nudge()
	return err
}

// Postpone postpones the update that was found; the zero time ends that. It returns
// ErrNothing, ErrUnderWay, or ErrTooLate with a sentence.
func (u *Updater) Postpone(until time.Time) error {
	s := u.read()
	switch {
	case s.Phase == idle:
		return ErrNothing
	case s.Phase != offered && s.Phase != installed:
		return ErrUnderWay
	case !until.IsZero() && until.After(s.latest()):
		return fmt.Errorf("%w: it is installed on %s at the latest", ErrTooLate, s.latest().UTC().Format("2 January 2006 15:04 MST"))
	}
	err := u.change(func(s *state) {
		if s.Phase == offered || s.Phase == installed {
			s.Postponed, s.Asked = 0, false
			if !until.IsZero() {
				s.Postponed = until.Unix()
			}
		}
	})
	u.nudge()
	return err
}

// Lowest returns the lowest allowed version.
func (u *Updater) Lowest() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.lowest
}

// Trial reports whether the running version must still prove itself. Until then no store may
// be migrated to a format that the previous version can't read.
func (u *Updater) Trial() bool {
	s := u.read()
	return u.doubtful() || s.Offer != nil && s.Phase != offered && s.Offer.Version == u.deps.Version
}

// Status returns the status of the update, for members and for the device's own terminal.
func (u *Updater) Status() proto.UpdateStatus {
	u.mu.Lock()
	s, l := u.state, u.live
	u.mu.Unlock()
	a := proto.UpdateStatus{State: proto.UpdateCurrent, Version: u.deps.Version, Reason: l.reason}
	if !l.heard.IsZero() {
		a.Checked = l.heard.Unix()
	}
	if s.Offer == nil {
		switch {
		case l.refused:
			a.State, a.Offered = proto.UpdateRefused, s.Retry.Version
		case l.failed != "":
			a.State, a.Offered = proto.UpdateFailed, l.failed
		case len(s.Failed) > 0 && l.reason == "":
			if last := s.Failed[len(s.Failed)-1]; release.Compare(last.Version, u.deps.Version) > 0 {
				a.State, a.Offered, a.Reason = proto.UpdateFailed, last.Version, last.Reason
			}
		}
		return a
	}
	a.Offered, a.Notes, a.Security = s.Offer.Version, s.Offer.Notes, s.Offer.Security
	a.Postponed, a.Latest = s.Postponed, s.latest().Unix()
	a.State, a.Percent = stateOf(s.Phase, l.loading), l.percent
	a.Reason = cmp.Or(l.reason, s.Retry.Reason)
	return a
}

func stateOf(p phase, loading bool) proto.UpdateState {
	switch p {
	case offered:
		if loading {
			return proto.UpdateDownloading
		}
	case installing:
		return proto.UpdateInstalling
	case installed:
		return proto.UpdateInstalled
	case restarting, returning:
		return proto.UpdateRestarting
	case trying:
		return proto.UpdateTrial
	}
	return proto.UpdateAvailable
}
