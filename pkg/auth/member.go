package auth

import (
	"cmp"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/auth/schedule"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

// Buckets of trust.db. docs/protocol.md 11.2.
var (
	clients = store.Sealed("clients") // a member under the client's name
	revoked = store.Sealed("revoked") // a former member under the client's name
	grants  = store.Sealed("grants")  // a grant that was carried out, under its jti
)

// member is one enrolled key. It never changes once it is made. docs/protocol.md 11.2.
type member struct {
	Card      string         `json:"card"` // the key card, as its holder signed it
	Name      string         `json:"name"`
	Role      proto.Role     `json:"role"`
	Scopes    []proto.Scope  `json:"scopes"`
	Added     int64          `json:"added"`            // Unix milliseconds
	Entry     uint64         `json:"entry"`            // index of its enrolment or last grant in the access log
	Weekly    string         `json:"weekly,omitempty"` // schedule
	From      int64          `json:"nbf,omitempty"`    // Unix seconds
	Until     int64          `json:"exp,omitempty"`
	Parent    proto.ClientID `json:"parent,omitempty"` // of a guest
	By        string         `json:"by,omitempty"`     // name of the member that granted its rights
	Grant     string         `json:"grant,omitempty"`  // the signed request that granted them, verbatim
	ShownCode string         `json:"code,omitempty"`   // name of the code that its client showed, until the client is heard
	UsedCodes []string       `json:"used,omitempty"`   // names of the codes by which it has set the device up, the newest last

	Push *proto.PushSubscription `json:"push,omitempty"` // of its browser

	id     proto.ClientID
	key    envelope.PublicKey
	weekly schedule.Weekly
}

// Scopes that are asked for alone.
var (
	auditScope    = []proto.Scope{proto.ScopeAudit}
	membersScope  = []proto.Scope{proto.ScopeMembers}
	settingsScope = []proto.Scope{proto.ScopeSettings}
)

// holds reports whether the member has every one of these scopes.
func (m *member) holds(wanted []proto.Scope) bool {
	return !slices.ContainsFunc(wanted, func(s proto.Scope) bool { return !slices.Contains(m.Scopes, s) })
}

// timed reports whether the member's right depends on what time it is.
func (m *member) timed() bool { return m.Weekly != "" || m.From != 0 || m.Until != 0 }

// parse fills in what follows from the stored fields.
func (m *member) parse(id proto.ClientID) error {
	key, err := envelope.VerifyKeyCard([]byte(m.Card))
	if err == nil && key.ClientID() != id {
		err = errors.New("the card is of another key")
	}
	if err != nil {
		return err
	}
	m.id, m.key = id, key
	if m.Weekly != "" {
		m.weekly, err = schedule.Parse(m.Weekly)
	}
	return err
}

// account returns the name of the allowance that a member uses. Guests never use up their
// parent's.
func (m *member) account() string {
	if m.Parent != "" {
		return "guests of " + string(m.Parent)
	}
	return string(m.id)
}

// former is a member that was removed. Its requests get that answer. docs/protocol.md 11.2.
type former struct {
	Card string `json:"card"`
	At   int64  `json:"at"` // Unix milliseconds

	id  proto.ClientID
	key envelope.PublicKey
}

// Bounds of what trust.db keeps beside the members.
const (
	maxFormer = 64
	maxGrants = 256
)

// snapshot is who is and who was a member. Each change replaces it as a whole, so readers
// need no lock.
type snapshot struct {
	members map[proto.ClientID]*member
	former  map[proto.ClientID]*former
}

// owners returns the number of owners.
func (r *snapshot) owners() (n int) {
	for _, m := range r.members {
		if m.Role == proto.RoleOwner {
			n++
		}
	}
	return n
}

// guestsOf returns the guests that a member has invited, by name.
func (r *snapshot) guestsOf(parent proto.ClientID) []*member {
	return r.sorted(func(m *member) bool { return m.Parent == parent })
}

func (r *snapshot) sorted(which func(*member) bool) []*member {
	var l []*member
	for _, m := range r.members {
		if which(m) {
			l = append(l, m)
		}
	}
	slices.SortFunc(l, func(a, b *member) int { return strings.Compare(a.Name, b.Name) })
	return l
}

// members is who is enrolled. It is safe for concurrent use, but for update: see changes.
type members struct {
	db      *store.DB
	current atomic.Pointer[snapshot]
}

// loadMembers reads all rows. A row that can't be opened, or whose card is of another key,
// is damage.
func loadMembers(db *store.DB) (*members, error) {
	all := &snapshot{members: map[proto.ClientID]*member{}, former: map[proto.ClientID]*former{}}
	err := db.View(func(tx *store.Tx) error {
		err := clients.ForEach(tx, "", func(key string, value []byte) error {
			m, err := parseMember(proto.ClientID(key), value)
			all.members[proto.ClientID(key)] = m
			return err
		})
		if err != nil {
			return err
		}
		return revoked.ForEach(tx, "", func(key string, value []byte) error {
			f, err := parseFormer(proto.ClientID(key), value)
			all.former[proto.ClientID(key)] = f
			return err
		})
	})
	if err == nil {
		err = all.check()
	}
	if err != nil {
		return nil, fmt.Errorf("load members: %w", err)
	}
	m := &members{db: db}
	m.current.Store(all)
	return m, nil
}

// check returns an error for rows that contradict each other.
func (r *snapshot) check() error {
	for id, m := range r.members {
		parent := r.members[m.Parent]
		if (m.Role == proto.RoleGuest) != (parent != nil) || parent != nil && parent.Role == proto.RoleGuest {
			return fmt.Errorf("%w: member %s has the role %s and the parent %q", store.ErrDamaged, id, m.Role, m.Parent)
		}
	}
	if len(r.members) > 0 && r.owners() == 0 {
		return fmt.Errorf("%w: no member is an owner", store.ErrDamaged)
	}
	return nil
}

func parseMember(id proto.ClientID, value []byte) (*member, error) {
	m := &member{}
	err := json.Unmarshal(value, m)
	if err == nil {
		err = m.parse(id)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: member %s: %w", store.ErrDamaged, id, err)
	}
	return m, nil
}

func parseFormer(id proto.ClientID, value []byte) (*former, error) {
	f := &former{id: id}
	err := json.Unmarshal(value, f)
	if err == nil {
		f.key, err = envelope.VerifyKeyCard([]byte(f.Card))
	}
	if err == nil && f.key.ClientID() != id {
		err = errors.New("the card is of another key")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: former member %s: %w", store.ErrDamaged, id, err)
	}
	return f, nil
}

func (ms *members) get(id proto.ClientID) *member { return ms.current.Load().members[id] }

func (ms *members) former(id proto.ClientID) *former { return ms.current.Load().former[id] }

func (ms *members) count() int { return len(ms.current.Load().members) }

// signingKey is an envelope.Lookup. It finds former members too, so that they get an answer:
// Gate.Receive lets them do nothing else.
func (ms *members) signingKey(id proto.ClientID) (*ecdsa.PublicKey, bool) {
	if m := ms.get(id); m != nil {
		return m.key.Sig, true
	}
	if f := ms.former(id); f != nil {
		return f.key.Sig, true
	}
	return nil, false
}

// update changes the snapshot. The change is durable before readers see it. also does what
// else belongs into the same transaction; nil does nothing.
func (ms *members) update(change func(*snapshot), also func(*store.Tx) error) error {
	before := ms.current.Load()
	after := &snapshot{members: maps.Clone(before.members), former: maps.Clone(before.former)}
	change(after)
	byAge := slices.SortedFunc(maps.Values(after.former), func(a, b *former) int { return cmp.Compare(a.At, b.At) })
	for _, f := range byAge[:max(0, len(byAge)-maxFormer)] {
		delete(after.former, f.id)
	}
	err := ms.db.Update(func(tx *store.Tx) error {
		if err := writeRows(tx, clients, before.members, after.members); err != nil {
			return err
		}
		if err := writeRows(tx, revoked, before.former, after.former); err != nil || also == nil {
			return err
		}
		return also(tx)
	})
	if err != nil {
		return fmt.Errorf("store members: %w", err)
	}
	ms.current.Store(after)
	return nil
}

// writeRows stores the rows that differ.
func writeRows[T comparable](tx *store.Tx, b store.Bucket, before, after map[proto.ClientID]T) error {
	for id := range before {
		if _, stays := after[id]; !stays {
			if err := b.Delete(tx, string(id)); err != nil {
				return err
			}
		}
	}
	for id, row := range after {
		if row == before[id] {
			continue
		}
		value, err := json.Marshal(row)
		if err != nil {
			return fmt.Errorf("write member: %w", err)
		}
		if err := b.Put(tx, string(id), value); err != nil {
			return err
		}
	}
	return nil
}

// remove makes m a former member.
func (r *snapshot) remove(m *member) {
	delete(r.members, m.id)
	r.former[m.id] = &former{Card: m.Card, At: time.Now().UnixMilli(), id: m.id, key: m.key}
}

// put adds m, or replaces its row.
func (r *snapshot) put(m *member) {
	r.members[m.id] = m
	delete(r.former, m.id)
}

// removeWithGuests removes m, and removes its guests or, if keep is set, gives them the parent by
// unless by can be none.
func (r *snapshot) removeWithGuests(m, by *member, keep bool) {
	for _, g := range r.guestsOf(m.id) {
		if keep && by != nil && by.Role != proto.RoleGuest {
			moved := *g
			moved.Parent = by.id
			r.put(&moved)
			continue
		}
		r.remove(g)
	}
	r.remove(m)
}
