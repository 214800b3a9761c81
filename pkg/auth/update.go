package auth

import (
	"errors"
	"strings"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/schedule"
	"github.com/camd-project/camd/pkg/foreign"
	"github.com/camd-project/camd/pkg/proto"
)

// Updated logs a step of the camera's own update, of which every member gets a notice. A step
// that needs its entry, such as StepInstalling, must wait for a nil error. A repetition of
// StepAvailable, StepRefused or StepFork is left out; so is a step over the limit, except
// StepInstalling, which is refused.
func (a *Authority) Updated(s proto.UpdateStep) error {
	s.Version, s.Reason = fitVersion(s.Version), fitReason(s.Reason)
	news, may := a.steps.take(s)
	switch {
	case !news:
		return nil
	case !may:
		a.log.Warn("a step of an update is not logged: there were too many", "step", string(s.Kind), "version", s.Version)
		if s.Kind == proto.StepInstalling {
			return proto.Refuse(proto.CodeBusy)
		}
		return nil // the steps after an installation are as few as the installations
	}
	_, err := a.logUpdate(accesslog.Entry{Kind: accesslog.KindUpdate}, s) // by nobody
	return err
}

// AskUpdate logs that the member who made a request, or someone at the device (nil), decided
// about an update: StepAsked or StepPostponed. The caller carries it out afterwards.
func (a *Authority) AskUpdate(r *Request, s proto.UpdateStep) (entry uint64, err error) {
	s.Version, s.Reason = fitVersion(s.Version), ""
	if r == nil {
		return a.logUpdate(atDevice.entry(accesslog.KindUpdate), s)
	}
	if !a.allowances.mayStart(r.member) {
		return 0, proto.Refuse(proto.CodeBusy)
	}
	e := actor{r.member}.entry(accesslog.KindUpdate)
	e.Op = proto.OpUpdate
	return a.logUpdate(e, s)
}

func (a *Authority) logUpdate(e accesslog.Entry, s proto.UpdateStep) (uint64, error) {
	if code := a.sessions.whyBarred(); code != "" {
		return 0, proto.Refuse(code)
	}
	e.Step, e.Release, e.Reason, e.Until = s.Kind, s.Version, s.Reason, s.Until
	index, err := a.journal.Append(e)
	if err != nil {
		return 0, errors.Join(proto.Refuse(proto.CodeStorage), err)
	}
	return index, nil
}

// maxVersion bounds a version, in bytes.
const maxVersion = 64

// fitVersion returns v, or nothing if it is no version: an update server may have made it up.
func fitVersion(v string) string {
	if len(v) > maxVersion || strings.ContainsFunc(v, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '.' && r != '-' && r != '+'
	}) {
		return ""
	}
	return v
}

// fitReason returns s without control characters, and not too long: others may have written
// parts of it.
func fitReason(s string) string {
	s = strings.TrimRight(foreign.Line(s), ".")
	if len(s) <= proto.MaxUpdateReason {
		return s
	}
	const missing = "…"
	return strings.ToValidUTF8(s[:proto.MaxUpdateReason-len(missing)], "") + missing
}

// MayRestart reports whether the household lets the camera restart by itself now. While the
// clock is not believed, it is outside all hours.
func (a *Authority) MayRestart() bool {
	hours := a.policy.settings().UpdateHours
	if hours == "" {
		return true
	}
	now, believed := a.policy.time.Now()
	w, err := schedule.Parse(hours)
	return err == nil && believed && w.Holds(now.In(a.policy.location()))
}
