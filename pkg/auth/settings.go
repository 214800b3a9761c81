package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/schedule"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

// Household is the [household] table: what holds until the household chooses.
type Household struct {
	TimeZone    string   `toml:"time_zone" doc:"Time zone of schedules and quiet hours, such as Europe/Berlin."`
	PrivacyOff  string   `toml:"privacy_off" allow:"device|members" doc:"Who may switch privacy mode off: only someone at the device, or also members with the scope settings."`
	QuietHours  string   `toml:"quiet_hours" doc:"When nobody may speak through the camera, such as 22:00-07:00. Empty: never."`
	Talk        string   `toml:"talk" allow:"announced|accepted" doc:"When a voice may be heard in the room: announced, after chime and notice, or accepted, after someone in the room has pressed the button, for a kids' room."`
	UpdateHours string   `toml:"update_hours" doc:"When the camera may restart for an update by itself, each week, such as Mo-Fr 02:00-05:00. Empty: whenever nobody watches."`
	Fixed       []string `toml:"fixed" doc:"Settings that the household can't change: name, time_zone, privacy_off, quiet_hours, talk, update_hours, push."`
	Clock       string   `toml:"clock" allow:"ntp|battery" doc:"What makes the clock trusted: ntp asks the kernel whether it is synchronised, battery says that the board's clock always runs."`
}

// DefaultHousehold returns the settings that are not in the file.
func DefaultHousehold() Household {
	return Household{TimeZone: "UTC", PrivacyOff: proto.PrivacyOffDevice, Talk: proto.TalkAnnounced, Fixed: []string{}, Clock: "ntp"}
}

// Check returns an error for values that a household can't have.
func (h Household) Check() error {
	if _, err := schedule.Zone(h.TimeZone); err != nil {
		return fmt.Errorf("time_zone: %w", err)
	}
	if h.QuietHours != "" {
		if _, err := schedule.ParseDaily(h.QuietHours); err != nil {
			return fmt.Errorf("quiet_hours: %w", err)
		}
	}
	if updateHours(h.UpdateHours) != proto.CodeOK {
		return fmt.Errorf("update_hours: %w, in at most %d bytes", schedule.ErrWeekly, proto.MaxUpdateHours)
	}
	for _, name := range h.Fixed {
		if !slices.Contains(settingNames, name) {
			return fmt.Errorf("fixed: there is no setting %q", name)
		}
	}
	return nil
}

var settingNames = []string{"name", "time_zone", "privacy_off", "quiet_hours", "talk", "update_hours", "push"}

// choices is what the household chose, as trust.db has it. For a nil field the configuration
// holds. docs/protocol.md 5.11, 11.2.
type choices struct {
	proto.SettingsChange
	Privacy bool `json:"privacy,omitempty"`
}

var chosen = store.Sealed("settings")

const keyChosen = "household"

func readChoices(db *store.DB) (choices, error) {
	var c choices
	err := db.View(func(tx *store.Tx) error {
		v, err := chosen.Get(tx, keyChosen)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err == nil && json.Unmarshal(v, &c) != nil {
			err = fmt.Errorf("%w: settings", store.ErrDamaged)
		}
		return err
	})
	if err != nil {
		return choices{}, fmt.Errorf("load settings: %w", err)
	}
	return c, nil
}

func (c choices) put(tx *store.Tx) error {
	v, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	return chosen.Put(tx, keyChosen, v)
}

// settings returns the settings in force.
func (p *policy) settings() proto.Settings {
	c, d := p.chosen.Load(), p.defaults
	s := proto.Settings{Name: p.name, TimeZone: d.TimeZone, PrivacyOff: d.PrivacyOff, QuietHours: d.QuietHours, Talk: d.Talk,
		UpdateHours: d.UpdateHours, Push: proto.PushOff, Privacy: p.privacy.Load(), Chosen: []string{}}
	for _, f := range []struct {
		name string
		from *string
		into *string
	}{{"name", c.Name, &s.Name}, {"time_zone", c.TimeZone, &s.TimeZone}, {"privacy_off", c.PrivacyOff, &s.PrivacyOff}, {"quiet_hours", c.QuietHours, &s.QuietHours}, {"talk", c.Talk, &s.Talk},
		{"update_hours", c.UpdateHours, &s.UpdateHours}, {"push", c.Push, &s.Push}} {
		if f.from != nil && !slices.Contains(d.Fixed, f.name) {
			*f.into = *f.from
			s.Chosen = append(s.Chosen, f.name)
		}
	}
	return s
}

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

// unless returns CodeOK if ok, else c.
func unless(ok bool, c proto.Code) proto.Code {
	if ok {
		return proto.CodeOK
	}
	return c
}

func quietHours(s string) proto.Code {
	if s == "" {
		return proto.CodeOK
	}
	_, err := schedule.ParseDaily(s)
	return unless(err == nil, proto.CodeBadRequest)
}

func updateHours(s string) proto.Code {
	if s == "" {
		return proto.CodeOK
	}
	_, err := schedule.Parse(s)
	return unless(err == nil && len(s) <= proto.MaxUpdateHours, proto.CodeBadRequest)
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
