package proto

// Scope is one right that a member can hold. docs/protocol.md 5.1.
type Scope string

// The scopes. None implies another; talk is never implied by view.
const (
	ScopeView     Scope = "view"
	ScopeListen   Scope = "listen"
	ScopeTalk     Scope = "talk"
	ScopeSnapshot Scope = "snapshot"
	ScopeEvents   Scope = "events"
	ScopeSettings Scope = "settings"
	ScopeMembers  Scope = "members"
	ScopeUpdate   Scope = "update"
	ScopeAudit    Scope = "audit"
)

// Role is a preset of scopes. docs/protocol.md 5.7.
type Role string

// The roles.
const (
	RoleOwner Role = "owner" // holds every scope, always; the first key that pairs
	RoleAdult Role = "adult" // stands on its own and may invite guests
	RoleGuest Role = "guest" // has one parent and never more than the parent has
)

// OwnerScopes returns what RoleOwner holds, which is all there are.
func OwnerScopes() []Scope {
	return []Scope{ScopeView, ScopeListen, ScopeTalk, ScopeSnapshot, ScopeEvents,
		ScopeSettings, ScopeMembers, ScopeUpdate, ScopeAudit}
}

// Preset returns what a member of this role holds unless its grant says otherwise;
// nil for a role that there is not.
func (r Role) Preset() []Scope {
	switch r {
	case RoleOwner:
		return OwnerScopes()
	case RoleAdult:
		return []Scope{ScopeView, ScopeListen, ScopeTalk, ScopeSnapshot, ScopeEvents, ScopeMembers, ScopeAudit}
	case RoleGuest:
		return []Scope{ScopeView, ScopeListen}
	}
	return nil
}

// Most returns the most that a grant may give a member of this role. A guest never
// decides about others.
func (r Role) Most() []Scope {
	switch r {
	case RoleOwner, RoleAdult:
		return OwnerScopes()
	case RoleGuest:
		return []Scope{ScopeView, ScopeListen, ScopeTalk, ScopeSnapshot, ScopeEvents}
	}
	return nil
}
