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

// Role is a preset of scopes.
type Role string

// RoleOwner holds every scope. It is the role of the first key that pairs.
const RoleOwner Role = "owner"

// OwnerScopes returns what RoleOwner holds.
func OwnerScopes() []Scope {
	return []Scope{ScopeView, ScopeListen, ScopeTalk, ScopeSnapshot, ScopeEvents,
		ScopeSettings, ScopeMembers, ScopeUpdate, ScopeAudit}
}
