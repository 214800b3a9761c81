package proto

import (
	"encoding/json"
	"slices"
)

// MaxMessage is the largest sealed message that either side accepts, in bytes.
// docs/protocol.md 4.1.
const MaxMessage = 16 << 10

// What a MaxMessage has room for, in bytes. docs/protocol.md 4.1, 7.1.
const (
	MaxBody  = 8 << 10 // of a request, whatever its other claims are
	MaxOffer = 7680    // of SDP, whose line ends are escaped; Chromium's default offer has 6.4 KB
)

// Op names what a request asks for.
type Op string

// The operations of this version. docs/protocol.md 4.4.
const (
	OpHello     Op = "hello"     // fetches nonce and sequence; needs neither
	OpStatus    Op = "status"    // health, version, sessions
	OpLive      Op = "live"      // an SDP offer for a live session
	OpCandidate Op = "candidate" // ICE candidates of a session
	OpStream    Op = "stream"    // which stream a session of one's own is sent
	OpBye       Op = "bye"       // ends a session of one's own

	OpMembers     Op = "members"      // who may do what
	OpGrant       Op = "grant"        // adds a member, or changes what one may do
	OpRevoke      Op = "revoke"       // removes a member, and the guests whom it invited
	OpSettings    Op = "settings.get" // what the household chose
	OpSetSettings Op = "settings.set" // chooses
	OpPrivacy     Op = "privacy"      // closes the camera's eye and ear, or opens them
	OpLog         Op = "log"          // a page of the access log
	OpAlarm       Op = "alarm"        // a client saw two logs that contradict each other

	OpTalk     Op = "talk"     // begins to speak through the camera, within a live session
	OpSnapshot Op = "snapshot" // one picture
	OpEvents   Op = "events"   // a page of the last events, and one with its picture

	OpUpdate Op = "update" // how the camera's own update stands; look for one, install it now, put it off

	OpCertificate Op = "certificate" // how long the camera's certificate for its broker lasts; another one
	OpWiFi        Op = "wifi"        // in which Wi-Fi network the camera is; another one

	OpPush Op = "push" // where the member's browser gets notices while its page is closed
)

// Request is what a client signs: the payload of a JWS with typ camd-req+jwt,
// inside a JWE for the household's encryption key. docs/protocol.md 4.2.
type Request struct {
	Issuer   ClientID        `json:"iss"`
	Audience DeviceID        `json:"aud"`
	Epoch    uint64          `json:"ep"`
	Nonce    string          `json:"non,omitempty"` // 16 bytes, base64url
	TTL      uint64          `json:"ttl,omitempty"` // seconds since the client got Nonce, after which it must not be carried out; 0: the client does not say
	Sequence uint64          `json:"seq,omitempty"` // strictly rising for each client under live nonces
	ID       string          `json:"jti"`           // correlates answers and retries
	IssuedAt int64           `json:"iat"`           // Unix seconds; serves the time floor only, never freshness
	Op       Op              `json:"op"`
	Session  string          `json:"sid,omitempty"`
	Body     json.RawMessage `json:"body,omitempty"`
	// Checkpoint is the client's last signed log checkpoint, empty until it has one.
	Checkpoint string `json:"cp,omitempty"`

	// JWS is the request as its client signed it. The function that opens a request sets it.
	JWS []byte `json:"-"`
}

// Answer is what the device signs for one request: the payload of a JWS with
// typ camd-ans+jwt, sealed for the client. docs/protocol.md 4.3.
type Answer struct {
	Issuer     DeviceID        `json:"iss"`
	Audience   ClientID        `json:"aud"`
	Epoch      uint64          `json:"ep"`
	Re         string          `json:"re"` // the request's jti
	Code       Code            `json:"code"`
	Nonce      string          `json:"non"` // a live nonce for the next request
	Sequence   uint64          `json:"seq"` // the highest sequence heard from this client
	Body       json.RawMessage `json:"body,omitempty"`
	Checkpoint string          `json:"cp,omitempty"`    // signed, of the access log as it is now
	Proof      json.RawMessage `json:"proof,omitempty"` // accesslog.Proof
	Noticed    uint64          `json:"note,omitempty"`  // index of the newest entry of which there is a notice
	Clock      int64           `json:"clk,omitempty"`   // Unix seconds: the device's clock, where it is a day off the owner's
}

// Notice is what the device tells each member at once about an entry of the access
// log: the payload of a JWS with typ camd-note+jwt, sealed for the member. Previous
// is the Index of the notice before, so that a lost one shows. docs/protocol.md 4.8.
type Notice struct {
	Issuer   DeviceID `json:"iss"`
	Audience ClientID `json:"aud"`
	Epoch    uint64   `json:"ep"`
	Index    uint64   `json:"n"`
	Previous uint64   `json:"prev"`
	Entry    string   `json:"entry"` // the entry's text, docs/protocol.md 6.1
}

// Signal is what the device sends within a session without being asked: the
// payload of a JWS with typ camd-sig+jwt, sealed for the client. Index rises by
// one for each signal of a session, from 1. docs/protocol.md 4.5.
type Signal struct {
	Issuer   DeviceID        `json:"iss"`
	Audience ClientID        `json:"aud"`
	Epoch    uint64          `json:"ep"`
	Session  string          `json:"sid"`
	Index    uint64          `json:"n"`
	Kind     SignalKind      `json:"kind"`
	Body     json.RawMessage `json:"body,omitempty"`
}

// SignalKind tells the kinds of Signal apart.
type SignalKind string

// The kinds of signal.
const (
	SignalCandidate SignalKind = "candidate" // body: Candidates
	SignalStream    SignalKind = "stream"    // body: StreamState
	SignalEnd       SignalKind = "end"       // body: End
)

// Status is the retained, unsigned message on TopicStatus. It says no more than
// a broker knows anyway. docs/protocol.md 1.4.
type Status struct {
	Online  bool   `json:"online"`
	Version string `json:"version,omitempty"`
	// Epoch is signed by the device identity: the household epoch and why it began,
	// for members of an earlier one. docs/protocol.md 2.7.
	Epoch string `json:"epoch,omitempty"`
}

// LiveRequest is the body of OpLive. docs/protocol.md 4.4, 7.1.
type LiveRequest struct {
	SDP    string  `json:"sdp"`    // an RFC 8866 offer
	Scopes []Scope `json:"scopes"` // what of view and listen the viewer wants
	Stream Stream  `json:"stream,omitempty"`
}

// Valid reports whether it asks for view, listen or both, and for a stream that may be.
func (q LiveRequest) Valid() bool {
	if !q.Stream.Valid() {
		return false
	}
	for i, scope := range q.Scopes {
		if scope != ScopeView && scope != ScopeListen || slices.Contains(q.Scopes[:i], scope) {
			return false
		}
	}
	return len(q.Scopes) > 0
}

// LiveAnswer is the body of the answer to OpLive. docs/protocol.md 4.4, 7.2.
type LiveAnswer struct {
	SDP    string  `json:"sdp"`
	Scopes []Scope `json:"scopes"` // what the session carries
	// Stream is what it is sent of the pictures at first; nil: none.
	Stream *StreamState `json:"stream,omitempty"`
}

// Candidate is one trickled ICE candidate (RFC 8838) as RTCIceCandidateInit of
// the WebRTC API has it. docs/protocol.md 7.3.
type Candidate struct {
	Candidate        string  `json:"candidate"`
	SDPMid           *string `json:"sdpMid,omitempty"`
	SDPMLineIndex    *uint16 `json:"sdpMLineIndex,omitempty"`
	UsernameFragment *string `json:"usernameFragment,omitempty"`
}

// Candidates is the body of OpCandidate and of SignalCandidate. Done says that
// no more will come. docs/protocol.md 7.3.
type Candidates struct {
	Candidates []Candidate `json:"candidates"`
	Done       bool        `json:"done,omitempty"`
}

// End is the body of SignalEnd. docs/protocol.md 4.5, 7.5.
type End struct {
	Reason string `json:"reason"` // one of the EndReason constants
}

// Why a session ended, for the log and for people. docs/protocol.md 7.5.
const (
	EndBye      = "bye"           // the viewer said bye
	EndICE      = "ice failed"    // no path to the viewer, or it was lost
	EndSilent   = "viewer silent" // 30 s of media without a receiver report
	EndRevoked  = "right ended"   // the context of the right ended
	EndShutdown = "shutdown"      // camd is stopping
	EndMedia    = "media failed"  // DTLS or a write failed
	EndLight    = "light failed"  // the live LED went out, so nothing may be sent
	EndPicture  = "no key frame"  // for 10 s no picture came that the viewer could begin with
)

// StatusAnswer is the body of the answer to OpStatus. docs/protocol.md 4.9.
type StatusAnswer struct {
	Device     DeviceID    `json:"device"`
	Name       string      `json:"name,omitempty"`
	Version    string      `json:"version"`
	Identity   string      `json:"identity"` // class of the identity's storage: C1 file, C2 TPM
	Uptime     int64       `json:"uptime"`   // seconds
	Conditions []Condition `json:"conditions"`
	Sessions   []Viewer    `json:"sessions"`
	// Update is how the camera's own update stands; nil where the configuration has none.
	Update *UpdateStatus `json:"update,omitempty"`
	// Certificate is how long the camera's certificate for its broker lasts.
	Certificate *CertificateStatus `json:"certificate,omitempty"`
}

// Condition is one named part's health. docs/protocol.md 4.9.
type Condition struct {
	Name   string `json:"name"`
	State  string `json:"state"` // starting, ok, degraded, failed
	Reason string `json:"reason,omitempty"`
	Since  int64  `json:"since"` // Unix seconds
}

// Viewer is one live session. docs/protocol.md 4.9.
type Viewer struct {
	Client ClientID `json:"client"`
	Name   string   `json:"name"`
	Scopes []Scope  `json:"scopes"`
	Since  int64    `json:"since"` // Unix seconds
	// Stream is what it is sent of the pictures; nil: none.
	Stream *StreamState `json:"stream,omitempty"`
	Path   *Path        `json:"path,omitempty"`
}

// Path is what the camera knows of the way to a viewer (docs/protocol.md 4.9).
type Path struct {
	Kbps  int     `json:"kbps,omitempty"`  // kbit/s that it carries; 0: not known
	Trip  int     `json:"rtt,omitempty"`   // round trip in ms
	Loss  float64 `json:"loss,omitempty"`  // 0 to 1
	Queue int     `json:"queue,omitempty"` // ms that a picture waited before it left, at most in the last second
}

// Where the key of a device's identity lies.
const (
	ClassFile = "C1"
	ClassTPM  = "C2"
)

// IdentityWords says for people what the class of a device's identity means.
func IdentityWords(class string) string {
	switch class {
	case ClassFile:
		return "its key is a file (class C1)"
	case ClassTPM:
		return "its key is in a TPM (class C2)"
	}
	return "class " + class
}
