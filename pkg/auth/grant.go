package auth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/auth/naming"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

// OpGrant returns the operation that makes a key a member, or changes what it may do.
// docs/protocol.md 5.7.
func (a *Authority) OpGrant() Operation {
	return Change[proto.Grant]{Scopes: Needs[proto.Grant](proto.ScopeMembers), Effect: widens[proto.Grant], Apply: a.grant}
}

func (a *Authority) grant(_ context.Context, r Request, q proto.Grant) (Result, error) {
	by := r.member
	m, err := readGrant(q)
	if err != nil {
		return Result{}, err
	}
	if code := a.mayGrant(by, m); code != proto.CodeOK {
		return Result{}, proto.Refuse(code)
	}
	m.By, m.Grant, m.Added = by.Name, string(r.jws), time.Now().UnixMilli()
	old := a.members.get(m.id)
	if old != nil {
		m.Added, m.UsedCodes, m.Push = old.Added, old.UsedCodes, old.Push
	}
	// The grant is stored with its jti: it is carried out once, however often it is repeated,
	// and after a restart too.
	index, err := a.changes.commit(func(tx *store.Tx, index uint64) error {
		return putDone(tx, doneKey(by.id, r.ID), done{m.id, index, sha256.Sum256(r.body)})
	}, func(all *snapshot, index uint64) {
		m.Entry = index
		all.put(m)
	}, actor{by}.grantEntry(m, r.jws))
	if err != nil {
		return Result{}, err
	}
	if old != nil && old.Role == proto.RoleOwner && m.Role != proto.RoleOwner { // it may have more sessions than others may
		a.sessions.endAll([]proto.ClientID{m.id}, proto.CodeScope)
	}
	a.sessions.review()
	return Result{Body: proto.GrantAnswer{Client: m.id}, Entry: &index}, nil
}

// readGrant returns the member of a grant. It checks what does not depend on who grants.
func readGrant(g proto.Grant) (*member, error) {
	m := &member{Card: g.Card, Name: g.Name, Role: g.Role, Scopes: g.Scopes, Weekly: g.Weekly, From: g.From, Until: g.Until}
	key, err := envelope.VerifyKeyCard([]byte(g.Card))
	switch {
	case err != nil, m.parse(key.ClientID()) != nil:
		return nil, proto.Refuse(proto.CodeBadRequest)
	case checkName(g.Name) != nil:
		return nil, proto.Refuse(proto.CodeBadName)
	case g.From < 0, g.Until < 0, g.Until != 0 && g.Until <= g.From, max(g.From, g.Until) > maxInteger:
		return nil, proto.Refuse(proto.CodeBadRequest)
	case len(g.Scopes) == 0, !validScopes(g.Scopes), !m.within(g.Role.Most()):
		return nil, proto.Refuse(proto.CodeBadRequest)
	case g.Role == proto.RoleOwner && (m.timed() || len(g.Scopes) != len(proto.OwnerScopes())):
		return nil, proto.Refuse(proto.CodeBadRequest) // an owner's right does not end with the time
	}
	if m.Weekly != "" {
		m.Weekly = m.weekly.String()
	}
	return m, nil
}

// within reports whether the member holds no scope but these.
func (m *member) within(most []proto.Scope) bool {
	return !slices.ContainsFunc(m.Scopes, func(s proto.Scope) bool { return !slices.Contains(most, s) })
}

// mayGrant returns whether by may give m its row, or why not, and sets m's parent.
func (a *Authority) mayGrant(by, m *member) proto.Code {
	if by.Role == proto.RoleGuest || by.Role != proto.RoleOwner && m.Role != proto.RoleGuest {
		return proto.CodeScope
	}
	if !m.within(by.Scopes) {
		return proto.CodeScope
	}
	all := a.members.current.Load()
	old := all.members[m.id]
	if old != nil {
		if code := a.mayReplace(by, old, m); code != proto.CodeOK {
			return code
		}
	}
	for _, other := range all.members {
		if other.id != m.id && naming.Same(other.Name, m.Name) {
			return proto.CodeNameTaken
		}
	}
	switch { // One adult can't fill the list: owners could not add anyone then.
	case old != nil:
	case len(all.members) >= proto.MaxMembers:
		return proto.CodeTooManyMembers
	case by.Role == proto.RoleOwner:
	case len(all.guestsOf(by.id)) >= proto.MaxGuests, len(all.members) >= proto.MaxMembers-proto.OwnersPlaces:
		return proto.CodeTooManyGuests
	}
	if m.Role == proto.RoleGuest {
		m.Parent = by.id
	}
	return proto.CodeOK
}

func (a *Authority) mayReplace(by, old, m *member) proto.Code {
	switch {
	case !old.key.Equal(m.key): // one signing key, another encryption key
		return proto.CodeBadRequest
	case !mayDecide(by, old):
		return proto.CodeScope
	case a.lastOwner(old) && m.Role != proto.RoleOwner:
		return proto.CodeLastOwner
	case m.Role == proto.RoleGuest && len(a.members.current.Load().guestsOf(old.id)) > 0:
		return proto.CodeHasGuests
	case m.Role == proto.RoleGuest && by.id == old.id:
		return proto.CodeBadRequest // nobody is one's own parent
	}
	return proto.CodeOK
}

// mayDecide reports whether by may revoke m, or replace its row.
func mayDecide(by, m *member) bool {
	return by.Role == proto.RoleOwner || m.Parent == by.id
}

func (a *Authority) lastOwner(m *member) bool {
	return m.Role == proto.RoleOwner && a.members.current.Load().owners() == 1
}

func (by actor) grantEntry(m *member, jws []byte) accesslog.Entry {
	e := by.entry(accesslog.KindGrant)
	e.Role, e.Scopes, e.Weekly, e.From, e.Until = m.Role, m.Scopes, m.Weekly, m.From, m.Until
	e.Subject, e.SubjectName = m.id, m.Name
	sum := sha256.Sum256(jws)
	e.Grant = base64.RawURLEncoding.EncodeToString(sum[:])
	return e
}

// done is a grant that was carried out. docs/protocol.md 11.2.
type done struct {
	Client proto.ClientID    `json:"client"`
	Entry  uint64            `json:"entry"`
	Body   [sha256.Size]byte `json:"body"` // its digest
}

// doneKey returns the key of a grant: who made it, and its jti.
func doneKey(by proto.ClientID, jti string) string { return string(by) + "." + jti }

// putDone stores a grant. If the bucket is full, the oldest one goes.
func putDone(tx *store.Tx, name string, d done) error {
	v, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("write grant: %w", err)
	}
	n, oldest, lowest := 0, "", uint64(0)
	err = eachDone(tx, func(key string, d done) {
		if n++; oldest == "" || d.Entry < lowest {
			oldest, lowest = key, d.Entry
		}
	})
	if err == nil && n >= maxGrants {
		err = grants.Delete(tx, oldest)
	}
	if err != nil {
		return err
	}
	return grants.Put(tx, name, v)
}

// eachDone calls f for all grants that are kept.
func eachDone(tx *store.Tx, f func(key string, d done)) error {
	return grants.ForEach(tx, "", func(key string, value []byte) error {
		var d done
		if err := json.Unmarshal(value, &d); err != nil {
			return fmt.Errorf("%w: grant %s: %w", store.ErrDamaged, key, err)
		}
		f(key, d)
		return nil
	})
}

// granted reports whether a grant of this client was carried out under this jti, and returns
// its first answer if this is the same request.
func (a *Authority) granted(r proto.Request) (outcome, bool) {
	if r.Op != proto.OpGrant {
		return outcome{}, false
	}
	var d done
	err := a.trust.View(func(tx *store.Tx) error {
		v, err := grants.Get(tx, doneKey(r.Issuer, r.ID))
		if err == nil {
			err = json.Unmarshal(v, &d)
		}
		return err
	})
	switch {
	case err != nil:
		return outcome{}, false
	case d.Body != sha256.Sum256(r.Body):
		return coded(proto.CodeBadRequest), true
	}
	body, _ := json.Marshal(proto.GrantAnswer{Client: d.Client}) // strings
	return outcome{code: proto.CodeOK, body: body, entry: &d.Entry}, true
}
