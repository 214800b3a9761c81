package auth

import (
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"unicode"
	"unicode/utf8"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

// clients holds a member under the client's name, sealed. docs/protocol.md 9.2.
var clients = store.Sealed("clients")

// member is one enrolled key. It never changes once it is made.
type member struct {
	Card   string        `json:"card"` // the key card, as its holder signed it
	Name   string        `json:"name"`
	Role   proto.Role    `json:"role"`
	Scopes []proto.Scope `json:"scopes"`
	Added  int64         `json:"added"` // Unix milliseconds
	Entry  uint64        `json:"entry"` // index of its enrolment in the access log

	id  proto.ClientID
	key envelope.PublicKey
}

// holds tells whether the member has every one of these scopes.
func (m *member) holds(wanted []proto.Scope) bool {
	return !slices.ContainsFunc(wanted, func(s proto.Scope) bool { return !slices.Contains(m.Scopes, s) })
}

func (m *member) caller() Caller {
	return Caller{Client: m.id, Name: m.Name, Scopes: slices.Clone(m.Scopes)}
}

// members is who is enrolled. Reading takes no lock: a change puts another map in
// its place. Changes come one at a time (the pairing window has one handshake).
type members struct {
	db      *store.DB
	current atomic.Pointer[map[proto.ClientID]*member]
}

// loadMembers reads all rows. A row that does not open, or whose card is not its
// key's, is damage.
func loadMembers(db *store.DB) (*members, error) {
	all := map[proto.ClientID]*member{}
	err := db.View(func(tx *store.Tx) error {
		return clients.ForEach(tx, "", func(key string, value []byte) error {
			m, err := parseMember(proto.ClientID(key), value)
			all[proto.ClientID(key)] = m
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("load members: %w", err)
	}
	m := &members{db: db}
	m.current.Store(&all)
	return m, nil
}

func parseMember(id proto.ClientID, value []byte) (*member, error) {
	m := &member{id: id}
	if err := json.Unmarshal(value, m); err != nil {
		return nil, fmt.Errorf("%w: member %s: %w", store.ErrDamaged, id, err)
	}
	key, err := envelope.VerifyKeyCard([]byte(m.Card))
	if err == nil && key.ClientID() != id {
		err = errors.New("the card is of another key")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: member %s: %w", store.ErrDamaged, id, err)
	}
	m.key = key
	return m, nil
}

func (ms *members) get(id proto.ClientID) *member { return (*ms.current.Load())[id] }

func (ms *members) count() int { return len(*ms.current.Load()) }

// enrolledBy tells whether this entry of the access log made c a member.
func (ms *members) enrolledBy(c proto.ClientID, entry uint64) bool {
	m := ms.get(c)
	return m != nil && m.Entry == entry
}

// signingKey is an envelope.Lookup.
func (ms *members) signingKey(id proto.ClientID) (*ecdsa.PublicKey, bool) {
	m := ms.get(id)
	if m == nil {
		return nil, false
	}
	return m.key.Sig, true
}

// add stores a member, durably, and only then lets it be seen.
func (ms *members) add(m *member) error {
	value, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("write member: %w", err)
	}
	err = ms.db.Update(func(tx *store.Tx) error { return clients.Put(tx, string(m.id), value) })
	if err != nil {
		return fmt.Errorf("store member: %w", err)
	}
	all := maps.Clone(*ms.current.Load())
	all[m.id] = m
	ms.current.Store(&all)
	return nil
}

const maxName = 64 // bytes

// validName keeps out of logs and lists what would not print there.
func validName(name string) bool {
	if name == "" || len(name) > maxName || !utf8.ValidString(name) {
		return false
	}
	for _, r := range name {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}
