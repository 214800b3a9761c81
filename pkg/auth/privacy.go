package auth

import (
	"context"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

// SetPrivacy switches privacy mode for someone at the device.
func (a *Authority) SetPrivacy(on bool) error {
	if on { // at once, whatever other change is being made; setPrivacy makes it last
		a.policy.privacy.Store(true)
		a.sessions.cancel(proto.CodePrivacy, sensing)
		a.capture.SetPrivacy(true)
	}
	defer a.changes.begin()()
	_, err := a.setPrivacy(atDevice, on)
	return err
}

// TogglePrivacy switches privacy mode, as the button does, and returns what it is then.
func (a *Authority) TogglePrivacy() (on bool, err error) {
	on = !a.policy.privacy.Load()
	err = a.SetPrivacy(on)
	return a.policy.privacy.Load(), err
}

// setPrivacy switches privacy mode. It is called between changes.begin and its end. Switching
// it on takes effect first and is logged then: what narrows never waits for the storage. If
// the storage fails, privacy mode stays on until camd starts again.
func (a *Authority) setPrivacy(by actor, on bool) (*uint64, error) {
	if !on {
		return a.disablePrivacy(by)
	}
	a.policy.privacy.Store(true)
	a.sessions.wait(a.sessions.cancel(proto.CodePrivacy, sensing))
	a.capture.SetPrivacy(true)
	if a.policy.chosen.Load().Privacy {
		return nil, nil
	}
	return a.storePrivacy(by, true)
}

// disablePrivacy is logged and durable before anything opens.
func (a *Authority) disablePrivacy(by actor) (*uint64, error) {
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
	a.capture.SetPrivacy(false)
	return entry, nil
}

func (a *Authority) storePrivacy(by actor, on bool) (*uint64, error) {
	e := by.entry(accesslog.KindPrivacy)
	e.Reason = map[bool]string{true: accesslog.PrivacyOn, false: accesslog.PrivacyOff}[on]
	next := *a.policy.chosen.Load()
	next.Privacy = on
	index, err := a.changes.commit(func(tx *store.Tx, _ uint64) error { return next.put(tx) }, nil, e)
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
