package auth

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/camd-project/camd/pkg/auth/schedule"
	"github.com/camd-project/camd/pkg/auth/trustedtime"
	"github.com/camd-project/camd/pkg/proto"
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
