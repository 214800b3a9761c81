package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/camd-project/camd/pkg/auth/schedule"
	"github.com/camd-project/camd/pkg/auth/trustedtime"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

// policy decides who may do what now, by the member's row, its parent's, the time and privacy
// mode. It takes no lock that is held over I/O. It is safe for concurrent use.
// docs/protocol.md 5.7.
type policy struct {
	members  *members
	time     *trustedtime.Keeper
	defaults Household
	name     string // of the device, until the household chooses
	chosen   atomic.Pointer[choices]
	leaving  sync.Map                      // of proto.ClientID: removed, though the store does not know yet
	privacy  atomic.Bool                   // in force; the store may not know yet
	zone     atomic.Pointer[time.Location] // the last one used
}

// Household is the [household] table: what holds until the household chooses.
type Household struct {
	TimeZone    string   `toml:"time_zone" doc:"Time zone of schedules and quiet hours, such as Europe/Berlin."`
	PrivacyOff  string   `toml:"privacy_off" allow:"device|members" doc:"Who may switch privacy mode off: only someone at the device, or also members with the scope settings."`
	QuietHours  string   `toml:"quiet_hours" doc:"When nobody may speak through the camera, such as 22:00-07:00. Empty: never."`
	Talk        string   `toml:"talk" allow:"announced|accepted" doc:"When a voice may be heard in the room: announced, after chime and notice, or accepted, after someone in the room has pressed the button, for a kids' room."`
	UpdateHours string   `toml:"update_hours" doc:"When the camera may restart for an update by itself, each week, such as Mo-Fr 02:00-05:00. Empty: whenever nobody watches."`
	Fixed       []string `toml:"fixed" doc:"Settings that the household can't change: name, time_zone, privacy_off, quiet_hours, talk, update_hours."`
	Clock       string   `toml:"clock" allow:"ntp|battery" doc:"What makes the clock trusted: ntp asks the kernel whether it is synchronised, battery says that the board's clock always runs."`
}

// DefaultHousehold returns the settings that are not in the file.
func DefaultHousehold() Household {
	return Household{TimeZone: "UTC", PrivacyOff: proto.PrivacyOffDevice, Talk: proto.TalkAnnounced, Fixed: []string{}, Clock: "ntp"}
}

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
		UpdateHours: d.UpdateHours, Privacy: p.privacy.Load(), Chosen: []string{}}
	for _, f := range []struct {
		name string
		from *string
		into *string
	}{{"name", c.Name, &s.Name}, {"time_zone", c.TimeZone, &s.TimeZone}, {"privacy_off", c.PrivacyOff, &s.PrivacyOff}, {"quiet_hours", c.QuietHours, &s.QuietHours}, {"talk", c.Talk, &s.Talk},
		{"update_hours", c.UpdateHours, &s.UpdateHours}} {
		if f.from != nil && !slices.Contains(d.Fixed, f.name) {
			*f.into = *f.from
			s.Chosen = append(s.Chosen, f.name)
		}
	}
	return s
}

// decide returns whether m may use these scopes now, or why not.
func (p *policy) decide(m *member, scopes []proto.Scope) proto.Code {
	if !m.holds(scopes) {
		return proto.CodeScope
	}
	if m.Role == proto.RoleGuest {
		if parent := p.members.get(m.Parent); parent != nil && !parent.holds(scopes) {
			return proto.CodeScope
		}
	}
	if code := p.standing(m); code != proto.CodeOK {
		return code
	}
	if p.privacy.Load() && slices.ContainsFunc(scopes, sensing) {
		return proto.CodePrivacy
	}
	if slices.Contains(scopes, proto.ScopeTalk) {
		return p.quiet()
	}
	return proto.CodeOK
}

// quiet returns whether anybody may speak now, or why not. While the clock is not believed,
// nobody may.
func (p *policy) quiet() proto.Code {
	hours := p.settings().QuietHours
	if hours == "" {
		return proto.CodeOK
	}
	now, believed := p.time.Now()
	w, err := schedule.ParseDaily(hours)
	switch {
	case !believed:
		return proto.CodeClock
	case err != nil || w.Holds(now.In(p.location())):
		return proto.CodeQuiet
	}
	return proto.CodeOK
}

// sensing reports whether privacy mode withholds a scope.
func sensing(s proto.Scope) bool {
	switch s {
	case proto.ScopeView, proto.ScopeListen, proto.ScopeTalk, proto.ScopeSnapshot:
		return true
	}
	return false
}

// standing returns whether m has any right now, or why not. A guest's right is never longer
// than its parent's.
func (p *policy) standing(m *member) proto.Code {
	if _, gone := p.leaving.Load(m.id); gone {
		return proto.CodeRevoked
	}
	if m.Role == proto.RoleGuest {
		if p.time.OwnerAbsent() {
			return proto.CodeSuspended
		}
		parent := p.members.get(m.Parent)
		if parent == nil {
			return proto.CodeRevoked
		}
		if code := p.standing(parent); code != proto.CodeOK {
			return code
		}
	}
	if !m.timed() {
		return proto.CodeOK
	}
	now, believed := p.time.Now()
	switch {
	case m.Until != 0 && p.time.Floor().Unix() >= m.Until:
		return proto.CodeExpired // whatever the clock says
	case !believed:
		return proto.CodeClock
	case m.Until != 0 && now.Unix() >= m.Until:
		return proto.CodeExpired
	case m.From != 0 && now.Unix() < m.From, m.Weekly != "" && !m.weekly.Holds(now.In(p.location())):
		return proto.CodeSchedule
	}
	return proto.CodeOK
}

// location returns the household's time zone. A zone that was known when it was chosen, and
// is not any more, counts as UTC.
func (p *policy) location() *time.Location {
	name := p.settings().TimeZone
	if cached := p.zone.Load(); cached != nil && cached.String() == name {
		return cached
	}
	loc, err := schedule.Zone(name)
	if err != nil {
		return time.UTC
	}
	p.zone.Store(loc)
	return loc
}

// validScopes refuses scopes that there are not and repeated ones: they come from
// the request and would go into a log entry, whose size is bounded.
func validScopes(l []proto.Scope) bool {
	for i, s := range l {
		if !slices.Contains(proto.OwnerScopes(), s) || slices.Contains(l[:i], s) {
			return false
		}
	}
	return true
}
