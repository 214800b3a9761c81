package auth

import (
	"context"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

// Senses are the camera's eye and ear. SetPrivacy(true) returns when both devices are
// closed; they stay so until SetPrivacy(false).
type Senses interface{ SetPrivacy(on bool) }

// noSenses is what there is before Govern.
type noSenses struct{}

func (noSenses) SetPrivacy(bool) {}

// Govern hands over the senses, and closes them if privacy mode is on. Call it before
// anything runs.
func (a *Authority) Govern(s Senses) {
	a.senses = s
	if a.policy.privacy.Load() {
		s.SetPrivacy(true)
	}
}

// SetPrivacy switches privacy mode for someone at the device.
func (a *Authority) SetPrivacy(on bool) error {
	if on { // at once, whatever else is being changed; setPrivacy makes it last
		a.policy.privacy.Store(true)
		a.gate.endAll(proto.CodePrivacy, sensing)
		a.senses.SetPrivacy(true)
	}
	defer a.change()()
	_, err := a.setPrivacy(atDevice, on)
	return err
}

// TogglePrivacy is what the button does; it returns how privacy mode is then.
func (a *Authority) TogglePrivacy() (on bool, err error) {
	on = !a.policy.privacy.Load()
	err = a.SetPrivacy(on)
	return a.policy.privacy.Load(), err
}

// setPrivacy switches privacy mode. Authority.changes is held.
func (a *Authority) setPrivacy(by actor, on bool) (*uint64, error) {
	if on {
		return a.close(by)
	}
	return a.open(by)
}

// close takes effect first and is logged then: what narrows never waits for the
// storage. If that fails, privacy stays on until camd starts anew.
func (a *Authority) close(by actor) (*uint64, error) {
	a.policy.privacy.Store(true)
	a.wait(a.gate.endAll(proto.CodePrivacy, sensing))
	a.senses.SetPrivacy(true)
	if a.policy.chosen.Load().Privacy {
		return nil, nil
	}
	return a.storePrivacy(by, true)
}

// open is logged and durable before anything opens.
func (a *Authority) open(by actor) (*uint64, error) {
	switch { // whoever switched it on
	case by.member == nil:
	case a.Settings().PrivacyOff != proto.PrivacyOffMembers:
		return nil, proto.Refuse(proto.CodeAtDevice)
	case !by.member.holds(settingsScope):
		return nil, proto.Refuse(proto.CodeScope)
	}
	var entry *uint64
	if a.policy.privacy.Load() {
		var err error
		if entry, err = a.storePrivacy(by, false); err != nil {
			return nil, err
		}
	}
	a.policy.privacy.Store(false)
	a.senses.SetPrivacy(false)
	return entry, nil
}

var settingsScope = []proto.Scope{proto.ScopeSettings}

func (a *Authority) storePrivacy(by actor, on bool) (*uint64, error) {
	e := by.entry(accesslog.KindPrivacy)
	e.Reason = map[bool]string{true: accesslog.PrivacyOn, false: accesslog.PrivacyOff}[on]
	next := *a.policy.chosen.Load()
	next.Privacy = on
	index, err := a.commit(func(tx *store.Tx, _ uint64) error { return next.put(tx) }, nil, e)
	if err != nil {
		return nil, err
	}
	a.policy.chosen.Store(&next)
	return &index, nil
}

// OpPrivacy returns the operation that switches privacy mode: on by any member, a guest
// only while its right is in force, since it takes something from the others.
func (a *Authority) OpPrivacy() Operation {
	return Change[proto.Privacy]{
		Effect: func(q proto.Privacy) Effect {
			if q.On {
				return Narrows
			}
			return Widens
		},
		Apply: func(_ context.Context, r Request, q proto.Privacy) (Result, error) {
			entry, err := a.setPrivacy(actor{r.member}, q.On)
			if err != nil {
				return Result{}, err
			}
			return Result{Body: proto.Privacy{On: a.policy.privacy.Load()}, Entry: entry}, nil
		},
	}
}
