package auth

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/proto"
)

// Operation is something that a member can ask of the camera: a Query, a Change or a
// Session. Its functions get the body of the request as a B, which was decoded before
// anything was decided. Where *B has a method Valid() bool, it has returned true.
type Operation interface {
	// read decodes the body of one request.
	read(body json.RawMessage) call
}

// None is the body of an operation that takes none. The body of the request is ignored.
type None struct{}

// Query is an operation that is over when it is answered. The gate makes no entry for it and
// counts no allowance. A query whose answer changes something makes the entry itself, and
// checks first what the gate has not: see WiFiChange, CertificateLog and AskUpdate.
type Query[B any] struct {
	Optional bool                  // a request may have no body: it counts as the zero B
	Scopes   func(B) []proto.Scope // the scopes that a body needs; nil: none
	Check    func(Caller, B) error // returns a reason to refuse it, as an error; nil: there is none
	Always   bool                  // answered for every member, whatever rights it has now
	// Answer answers it. ctx ends with the call, or earlier if camd stops. An error that is
	// a *proto.Refusal chooses the code of the answer, any other becomes CodeInternal.
	Answer func(ctx context.Context, r Request, body B) (Result, error)
}

// Change is an operation that changes the household, and so appends to the access log.
// Changes are decided and made one at a time, so that a client that has just been removed
// changes nothing any more.
type Change[B any] struct {
	Scopes func(B) []proto.Scope // as in Query
	Effect func(B) Effect        // nil: always Neutral
	// SuspendedGuests lets a guest, too, ask for what narrows while its right is suspended.
	SuspendedGuests bool
	Apply           func(ctx context.Context, r Request, body B) (Result, error) // as Query.Answer
}

// Effect says whether a change gives rights or takes them away.
type Effect int

// The effects. What widens is carried out only for a member that has seen the newest
// change. What narrows is carried out also for a member whose rights are suspended, and
// however many other changes it has made.
const (
	Neutral Effect = iota
	Widens
	Narrows
)

// Session is an operation that begins something which goes on after the answer. The access
// log has its begin before it begins, and its end after the last write.
type Session[B any] struct {
	Scopes func(B) []proto.Scope // as in Query; they are decided again while the session lasts
	Check  func(Caller, B) error // as in Query
	Slow   bool                  // Begin waits for people: other requests of the client don't wait for it
	// Begin begins it. ctx ends when the member's right does, or the session. Without a
	// Running the session is over when Begin returns. Errors are as of Query.Answer.
	Begin func(ctx context.Context, r Request, body B) (answer any, running Running, err error)
}

// Running is what goes on after the answer to a Session.
type Running interface {
	Done() <-chan struct{} // closed when the last write is done
	Reason() string        // why it ended; called after Done
}

// Result is what came of a Query or a Change.
type Result struct {
	Body  any     // of the answer, as JSON; nil for none
	Entry *uint64 // its entry in the access log; nil: it has none
}

// Request is a request that was verified, is fresh, and is allowed.
type Request struct {
	Caller  Caller
	Session string
	ID      string
	// Signal signs, seals and sends a signal of the session. Signals are numbered in the
	// order of the calls. It is safe for concurrent use, and does nothing without a session
	// of the caller's.
	Signal func(kind proto.SignalKind, body any)
	// Cancel ends the right to the session of the caller's for this reason, and reports
	// whether there is one. So a session can be ended that is still being begun.
	Cancel func(why proto.Code) bool

	member *member
	body   json.RawMessage // as it was sent
	jws    []byte          // as it was signed
}

// Caller is the member who made a request.
type Caller struct {
	Client  proto.ClientID
	Account string         // the allowance that it uses: see Gate.Account
	Sponsor proto.ClientID // who is responsible for it: itself, or for a guest its parent
	Name    string
	Role    proto.Role
	Scopes  []proto.Scope
}

func (m *member) caller() Caller {
	sponsor := m.id
	if m.Parent != "" {
		sponsor = m.Parent
	}
	return Caller{Client: m.id, Account: m.account(), Sponsor: sponsor, Name: m.Name, Role: m.Role, Scopes: slices.Clone(m.Scopes)}
}

// Needs returns a function for the field Scopes of an operation that always needs the same.
func Needs[B any](scopes ...proto.Scope) func(B) []proto.Scope {
	return func(B) []proto.Scope { return scopes }
}

// widens is the Effect of changes that always widen.
func widens[B any](B) Effect { return Widens }

// OwnersOnly is for the field Check of an operation that is for owners, whatever scopes
// other members have.
func OwnersOnly[B any](c Caller, _ B) error {
	if c.Role != proto.RoleOwner {
		return proto.Refuse(proto.CodeScope)
	}
	return nil
}

// kind is which kind of operation a call is for.
type kind int

const (
	kindQuery kind = iota
	kindChange
	kindSession
)

// call is one request for an operation, with its body decoded.
type call struct {
	kind            kind
	bad             bool // the body is not one that the operation takes
	scopes          []proto.Scope
	check           func(Caller) error // nil: there is none
	always          bool
	effect          Effect
	suspendedGuests bool
	slow            bool
	answer          func(context.Context, Request) (Result, error)       // of a query or a change
	begin           func(context.Context, Request) (any, Running, error) // of a session
}

func (q Query[B]) read(text json.RawMessage) call {
	c, body := newCall(text, q.Optional, q.Scopes, q.Check)
	c.kind, c.always = kindQuery, q.Always
	c.answer = func(ctx context.Context, r Request) (Result, error) { return q.Answer(ctx, r, *body) }
	return c
}

func (h Change[B]) read(text json.RawMessage) call {
	c, body := newCall(text, false, h.Scopes, nil)
	c.kind, c.suspendedGuests = kindChange, h.SuspendedGuests
	if h.Effect != nil && !c.bad {
		c.effect = h.Effect(*body)
	}
	c.answer = func(ctx context.Context, r Request) (Result, error) { return h.Apply(ctx, r, *body) }
	return c
}

func (s Session[B]) read(text json.RawMessage) call {
	c, body := newCall(text, false, s.Scopes, s.Check)
	c.kind, c.slow = kindSession, s.Slow
	c.begin = func(ctx context.Context, r Request) (any, Running, error) { return s.Begin(ctx, r, *body) }
	return c
}

// newCall decodes a body and finds out what it needs.
func newCall[B any](text json.RawMessage, optional bool, scopes func(B) []proto.Scope, check func(Caller, B) error) (c call, body *B) {
	body = new(B)
	switch {
	case !decode(text, optional, body):
		c.bad = true
	case scopes != nil:
		c.scopes = scopes(*body)
	}
	if check != nil {
		c.check = func(by Caller) error { return check(by, *body) }
	}
	return c, body
}

// decode reads a body and reports whether it is one that the operation takes.
func decode(text json.RawMessage, optional bool, body any) bool {
	if _, none := body.(*None); none || optional && len(text) == 0 {
		return true
	}
	if envelope.Decode(text, body) != nil {
		return false
	}
	v, ok := body.(interface{ Valid() bool })
	return !ok || v.Valid()
}
