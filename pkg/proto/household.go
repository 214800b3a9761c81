package proto

// MaxMembers is how many members a camera keeps. docs/protocol.md 5.7.
const MaxMembers = 64

// Of these places, so many guests of one adult have one, and the last are the owners' to
// give.
const (
	MaxGuests    = 16
	OwnersPlaces = 8
)

// Grant is the body of OpGrant: who becomes a member and what for. The device keeps the
// whole signed request. docs/protocol.md 4.11.
type Grant struct {
	Card   string  `json:"card"` // the key card (2.3) of the new member
	Name   string  `json:"name"`
	Role   Role    `json:"role"`
	Scopes []Scope `json:"scopes"`
	Weekly string  `json:"weekly,omitempty"` // such as "Mo-Fr 08:00-17:00", in the household's time zone; empty: always
	From   int64   `json:"nbf,omitempty"`    // Unix seconds; 0: at once
	Until  int64   `json:"exp,omitempty"`    // Unix seconds; 0: no end
}

// GrantAnswer is the body of the answer to OpGrant. docs/protocol.md 4.11.
type GrantAnswer struct {
	Client ClientID `json:"client"`
}

// Revoke is the body of OpRevoke. The guests whom the member invited go too, unless
// KeepGuests makes them guests of the member that revokes. docs/protocol.md 4.11.
type Revoke struct {
	Client     ClientID `json:"client"`
	KeepGuests bool     `json:"keep_guests,omitempty"`
}

// Valid reports whether it names a client.
func (q Revoke) Valid() bool { return q.Client.Valid() }

// RevokeAnswer is the body of the answer to OpRevoke: who is no member any more,
// whose last packet has left. Revoking who is gone succeeds with an empty list.
// docs/protocol.md 4.11.
type RevokeAnswer struct {
	Revoked []ClientID `json:"revoked"`
	Kept    []ClientID `json:"kept,omitempty"`
}

// MembersRequest is the body of OpMembers; pages begin at From. docs/protocol.md 4.4.
type MembersRequest struct {
	From int `json:"from,omitempty"`
}

// Valid reports whether there can be such a page.
func (q MembersRequest) Valid() bool { return q.From >= 0 }

// MembersAnswer is the body of the answer to OpMembers. Next is where the next page
// begins; 0: this was the last. docs/protocol.md 4.10.
type MembersAnswer struct {
	Members []Member `json:"members"`
	Next    int      `json:"next,omitempty"`
}

// Member is what members may know of a member. docs/protocol.md 4.10.
type Member struct {
	Client   ClientID `json:"client"`
	Name     string   `json:"name"`
	Role     Role     `json:"role"`
	Scopes   []Scope  `json:"scopes"`
	Weekly   string   `json:"weekly,omitempty"`
	From     int64    `json:"nbf,omitempty"`
	Until    int64    `json:"exp,omitempty"`
	Parent   ClientID `json:"parent,omitempty"`   // of a guest: who invited it
	By       string   `json:"by,omitempty"`       // name of the member who added it; empty: paired at the device
	Added    int64    `json:"added"`              // Unix seconds
	Standing Code     `json:"standing"`           // ok, or why its rights rest now
	Watching []Scope  `json:"watching,omitempty"` // what it sees or hears at this moment
}

// Values of Settings.PrivacyOff: who may switch privacy mode off.
const (
	PrivacyOffDevice  = "device"  // only someone at the device
	PrivacyOffMembers = "members" // also a member with the scope settings
)

// When a voice is let into the room, Settings.Talk.
const (
	TalkAnnounced = "announced" // as soon as chime and notice were heard
	TalkAccepted  = "accepted"  // only once someone in the room pressed the button, for a kids' room
)

// Settings is the body of the answer to OpSettings, and to OpSetSettings.
// docs/protocol.md 5.11.
type Settings struct {
	Name       string `json:"name"`
	TimeZone   string `json:"time_zone"`   // of the IANA database
	PrivacyOff string `json:"privacy_off"` // PrivacyOffDevice, PrivacyOffMembers
	QuietHours string `json:"quiet_hours"` // such as "22:00-07:00"; empty: none
	Talk       string `json:"talk"`        // TalkAnnounced, TalkAccepted
	// UpdateHours are weekly hours, such as "03:00-05:00", in which the camera may restart
	// for an update by itself; empty: whenever nobody watches.
	UpdateHours string   `json:"update_hours"`
	Push        string   `json:"push"`    // PushOff, PushOn
	Privacy     bool     `json:"privacy"` // privacy mode is on now
	Chosen      []string `json:"chosen"`  // names of those that the household chose; the others are the configuration's
}

// SettingsChange is the body of OpSetSettings; what is nil stays. docs/protocol.md 5.11.
type SettingsChange struct {
	Name        *string `json:"name,omitempty"`
	TimeZone    *string `json:"time_zone,omitempty"`
	PrivacyOff  *string `json:"privacy_off,omitempty"`
	QuietHours  *string `json:"quiet_hours,omitempty"`
	Talk        *string `json:"talk,omitempty"`
	UpdateHours *string `json:"update_hours,omitempty"`
	Push        *string `json:"push,omitempty"`
}

// MaxUpdateHours bounds Settings.UpdateHours, in bytes: a change of all settings is one
// entry of the access log. docs/protocol.md 5.11.
const MaxUpdateHours = 128

// Privacy is the body of OpPrivacy and of its answer. docs/protocol.md 4.11.
type Privacy struct {
	On bool `json:"on"`
}

// LogRequest is the body of OpLog: entries from From on. docs/protocol.md 4.4.
type LogRequest struct {
	From uint64 `json:"from"`
}

// LogAnswer is the body of the answer to OpLog. A member without the scope audit
// gets the entries that are about itself. docs/protocol.md 4.12.
type LogAnswer struct {
	Records []LogRecord `json:"records"`
	Size    uint64      `json:"size"`           // entries in the log
	Next    uint64      `json:"next,omitempty"` // where the next page begins; 0: this was the last
	// Forgot is how many of the oldest entries are not even kept as hashes, in a page
	// that would have begun with one of them, for who has the scope audit. Peaks are the
	// hashes that stand for them in the tree, in base64url. docs/protocol.md 6.5.
	Forgot uint64   `json:"forgot,omitempty"`
	Peaks  []string `json:"peaks,omitempty"`
}

// LogRecord is one entry: its text, or its leaf hash (RFC 6962 2.1, base64url) once
// the text was dropped. docs/protocol.md 4.12.
type LogRecord struct {
	Index uint64 `json:"n"`
	Text  string `json:"text,omitempty"`
	Hash  string `json:"hash,omitempty"`
}

// Alarm is the body of OpAlarm: two signed checkpoints of one epoch that can't both
// be true. docs/protocol.md 6.9.
type Alarm struct {
	Have string `json:"have"`
	Got  string `json:"got"`
}
