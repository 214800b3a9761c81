package auth

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/schedule"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

// ReadSettings returns the settings in force while camd does not run.
func ReadSettings(ctx context.Context, cfg Config) (s proto.Settings, err error) {
	p := policy{defaults: cfg.Household, name: cfg.Name}
	p.chosen.Store(&choices{})
	o := opener{cfg: cfg}
	o.cfg.Check = func(_ context.Context, path string) error { return store.CheckFile(path) }
	if _, err := os.Stat(o.path(fileTrust)); errors.Is(err, fs.ErrNotExist) {
		return p.settings(), nil // nothing was chosen yet
	}
	if o.sealer, err = store.ReadSealer(o.path(fileSeal)); err != nil {
		return proto.Settings{}, err
	}
	db, err := store.Open(ctx, o.file(fileTrust, maxTrust))
	if err != nil {
		return proto.Settings{}, err
	}
	c, err := readChoices(db)
	p.chosen.Store(&c)
	p.privacy.Store(c.Privacy)
	return p.settings(), errors.Join(err, db.Close())
}

// Settings returns the settings in force.
func (a *Authority) Settings() proto.Settings { return a.policy.settings() }

// ChangeSettings changes settings for someone at the device.
func (a *Authority) ChangeSettings(c proto.SettingsChange) (proto.Settings, error) {
	defer a.changes.begin()()
	_, err := a.setSettings(atDevice, c)
	return a.Settings(), err
}

// setSettings logs and stores what the household chose. It is called between changes.begin and
// its end.
func (a *Authority) setSettings(by actor, c proto.SettingsChange) (entry uint64, err error) {
	set, err := a.judgeSettings(by, c)
	if err != nil {
		return 0, err
	}
	e := by.entry(accesslog.KindSettings)
	e.Set = set
	next := *a.policy.chosen.Load()
	for from, into := range map[**string]**string{&c.Name: &next.Name, &c.TimeZone: &next.TimeZone,
		&c.PrivacyOff: &next.PrivacyOff, &c.QuietHours: &next.QuietHours, &c.Talk: &next.Talk,
		&c.UpdateHours: &next.UpdateHours, &c.Push: &next.Push} {
		if *from != nil {
			*into = *from
		}
	}
	entry, err = a.changes.commit(func(tx *store.Tx, _ uint64) error { return next.put(tx) }, nil, e)
	if err != nil {
		return 0, err
	}
	a.policy.chosen.Store(&next)
	a.sessions.review()
	return entry, nil
}

// judgeSettings checks a change of settings, and returns it as the log has it.
func (a *Authority) judgeSettings(by actor, c proto.SettingsChange) (set []string, err error) {
	for _, f := range []struct {
		name  string
		value *string
		check func(string) proto.Code
	}{
		{"name", c.Name, func(s string) proto.Code { return unless(checkName(s) == nil, proto.CodeBadName) }},
		{"time_zone", c.TimeZone, func(s string) proto.Code { _, err := schedule.Zone(s); return unless(err == nil, proto.CodeTimeZone) }},
		{"privacy_off", c.PrivacyOff, by.loosens(proto.PrivacyOffDevice, proto.PrivacyOffMembers)},
		{"quiet_hours", c.QuietHours, quietHours},
		{"talk", c.Talk, by.loosens(proto.TalkAccepted, proto.TalkAnnounced)},
		{"update_hours", c.UpdateHours, updateHours},
		{"push", c.Push, by.push},
	} {
		if f.value == nil {
			continue
		}
		code := f.check(*f.value)
		if slices.Contains(a.policy.defaults.Fixed, f.name) {
			code = proto.CodeFixed
		}
		if code != proto.CodeOK {
			return nil, proto.Refuse(code)
		}
		set = append(set, f.name+"="+*f.value)
	}
	if len(set) == 0 {
		return nil, proto.Refuse(proto.CodeBadRequest)
	}
	return set, nil
}

// push is the check of the setting push: an owner, or someone at the device, has the camera send to
// push services; every member with the scope settings may stop it.
func (by actor) push(s string) proto.Code {
	switch {
	case s == proto.PushOff, s == proto.PushOn && (by.member == nil || by.member.Role == proto.RoleOwner):
		return proto.CodeOK
	case s == proto.PushOn:
		return proto.CodeScope
	}
	return proto.CodeBadRequest
}

// loosens returns the check of a setting that everyone may make strict, and only someone at
// the device loose.
func (by actor) loosens(strict, loose string) func(string) proto.Code {
	return func(rule string) proto.Code {
		switch {
		case rule == strict, rule == loose && by.member == nil:
			return proto.CodeOK
		case rule == loose:
			return proto.CodeAtDevice
		}
		return proto.CodeBadRequest
	}
}

// OpSettings returns the operation that reads the settings.
func (a *Authority) OpSettings() Operation {
	return Query[None]{Answer: func(context.Context, Request, None) (Result, error) {
		return Result{Body: a.Settings()}, nil
	}}
}

// OpSetSettings returns the operation that changes settings. docs/protocol.md 5.11.
func (a *Authority) OpSetSettings() Operation {
	return Change[proto.SettingsChange]{
		Scopes: Needs[proto.SettingsChange](proto.ScopeSettings), Effect: widens[proto.SettingsChange],
		Apply: func(_ context.Context, r Request, c proto.SettingsChange) (Result, error) {
			entry, err := a.setSettings(actor{r.member}, c)
			if err != nil {
				return Result{}, err
			}
			return Result{Body: a.Settings(), Entry: &entry}, nil
		},
	}
}
