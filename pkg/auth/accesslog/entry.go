package accesslog

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/camd-project/camd/pkg/proto"
)

// Version is the "v" of every entry of this form. docs/protocol.md 6.2.
const Version = 1

// MaxEntry bounds the bytes of one entry.
const MaxEntry = 1024

// Kind is what an entry records. docs/protocol.md 6.3.
type Kind string

// The kinds of this version. A reader shows others as they are.
const (
	KindLive     Kind = "live"     // a live session was authorised
	KindTalk     Kind = "talk"     // a talk was authorised: next, the room hears whose it is
	KindSnapshot Kind = "snapshot" // a picture was authorised
	KindRing     Kind = "ring"     // someone pressed the bell
	KindEnd      Kind = "end"      // what Start began has ended
	KindPair     Kind = "pair"     // a key became a member's
	KindRefused  Kind = "refused"  // a member asked for what it has no right to
	KindHostile  Kind = "hostile"  // what was dropped within an hour
	KindEpoch    Kind = "epoch"    // a household epoch began; always entry 0

	KindGrant    Kind = "grant"    // Subject becomes a member, or gets other rights
	KindRevoke   Kind = "revoke"   // Subject is removed; Start names the entry of the one whose guest it was
	KindSettings Kind = "settings" // the household chose
	KindPrivacy  Kind = "privacy"  // Reason: on, off
	KindEvict    Kind = "evict"    // everyone is removed at the device; the epoch's last entry
	KindReset    Kind = "reset"    // everything is wiped at the device; the epoch's last entry
	KindAlarm    Kind = "alarm"    // a client saw two logs that contradict each other
	KindRollback Kind = "rollback" // a client showed a checkpoint that this log does not continue
	KindUpdate   Kind = "update"   // a step of the camera's own update

	KindCertificate Kind = "certificate" // the camera gets another certificate for its broker, good until Until

	KindMerged Kind = "merged" // short sessions of one member from Start to Last, whose texts were dropped
)

// Noticed reports whether each member gets a notice of an entry of this kind, at once.
// docs/protocol.md 4.8.
func (k Kind) Noticed() bool {
	switch k {
	case KindLive, KindTalk, KindSnapshot, KindRing, KindEnd, KindPair, KindGrant, KindRevoke, KindSettings, KindPrivacy,
		KindEvict, KindReset, KindAlarm, KindRollback, KindEpoch, KindUpdate, KindCertificate:
		return true
	}
	return false
}

// ReasonNotApplied is the reason of a KindEnd after a change that was logged and
// then not made, because the device stopped in between.
const ReasonNotApplied = "not applied"

// The reasons of KindPrivacy.
const (
	PrivacyOn  = "on"
	PrivacyOff = "off"
)

// The kinds of network from which a request came.
const (
	NetMQTT  = "mqtt"
	NetLocal = "local" // someone at the device, through its local socket
)

// Entry is one record. The fields stand in the order of their bytes. docs/protocol.md 6.2.
type Entry struct {
	Version int            `json:"v"`
	Kind    Kind           `json:"k"`
	Time    int64          `json:"t"` // Unix milliseconds by the device's clock
	Epoch   uint64         `json:"ep"`
	Client  proto.ClientID `json:"who,omitempty"`
	Name    string         `json:"name,omitempty"` // the member's, as given when it became a member
	Role    proto.Role     `json:"role,omitempty"`
	Op      proto.Op       `json:"op,omitempty"`
	Scopes  []proto.Scope  `json:"sc,omitempty"` // asked for, carried or granted
	Network string         `json:"net,omitempty"`
	Session string         `json:"sid,omitempty"`
	Start   uint64         `json:"ref,omitempty"` // KindEnd, KindRevoke, KindMerged: another entry; never 0
	Reason  string         `json:"why,omitempty"` // KindEnd, KindEpoch, KindPrivacy, KindUpdate
	Code    proto.Code     `json:"code,omitempty"`
	Drops   *Drops         `json:"drops,omitempty"`

	Subject     proto.ClientID `json:"sub,omitempty"`    // KindGrant, KindRevoke: whom it is about
	SubjectName string         `json:"sname,omitempty"`  // what the household calls it
	Weekly      string         `json:"weekly,omitempty"` // KindGrant, as proto.Grant has it
	From        int64          `json:"nbf,omitempty"`    // KindGrant as there; KindMerged: when the first began and the last ended;
	Until       int64          `json:"exp,omitempty"`    // KindUpdate: until when it is put off; KindCertificate: how long it lasts
	Grant       string         `json:"jws,omitempty"`    // KindGrant: SHA-256 of the signed request, base64url
	Keep        bool           `json:"keep,omitempty"`   // KindRevoke: guests become those of Client
	Set         []string       `json:"set,omitempty"`    // KindSettings: such as time_zone=Europe/Berlin
	Last        uint64         `json:"last,omitempty"`   // KindMerged: the last entry of the range that begins at Start
	Count       uint64         `json:"cnt,omitempty"`    // KindMerged: sessions

	Step    proto.UpdateStepKind `json:"step,omitempty"` // KindUpdate
	Release string               `json:"ver,omitempty"`  // KindUpdate: version of the release
}

// Drops counts messages that were dropped, by what was wrong. docs/protocol.md 5.4.
type Drops struct {
	Oversized uint64 `json:"oversized,omitempty"`
	Garbled   uint64 `json:"garbled,omitempty"`
	Unknown   uint64 `json:"unknown,omitempty"`
	Signature uint64 `json:"signature,omitempty"`
	Claims    uint64 `json:"claims,omitempty"`
	Topic     uint64 `json:"topic,omitempty"`
	Audience  uint64 `json:"audience,omitempty"`
	Epoch     uint64 `json:"epoch,omitempty"`
	Replay    uint64 `json:"replay,omitempty"`
	Stale     uint64 `json:"stale,omitempty"`
	Duplicate uint64 `json:"duplicate,omitempty"`
	Busy      uint64 `json:"busy,omitempty"`
}

// Bytes is what the log stores and the tree hashes: JSON without white space,
// members in the order of the struct, empty ones left out.
func (e Entry) Bytes() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		return nil, fmt.Errorf("write entry: %w", err)
	}
	text := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	if len(text) > MaxEntry {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", errEntry, len(text), MaxEntry)
	}
	return text, nil
}

// Parse reads the bytes of an entry. Members and kinds of later versions of camd
// are no error as long as "v" is Version.
func Parse(text []byte) (Entry, error) {
	var e Entry
	if len(text) > MaxEntry || !utf8.Valid(text) {
		return Entry{}, fmt.Errorf("%w: %d bytes", errEntry, len(text))
	}
	if err := json.Unmarshal(text, &e); err != nil {
		return Entry{}, fmt.Errorf("%w: %w", errEntry, err)
	}
	if e.Version != Version || e.Kind == "" || e.Epoch == 0 {
		return Entry{}, fmt.Errorf("%w: version %d, kind %q, epoch %d", errEntry, e.Version, e.Kind, e.Epoch)
	}
	return e, nil
}

// Record is one entry as it is kept: its text, or only its leaf hash.
type Record struct {
	Index uint64
	Text  []byte // nil when it was dropped
	Hash  [sha256.Size]byte
}
