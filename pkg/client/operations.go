package client

import (
	"context"
	"errors"
	"slices"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

// maxPages bounds a listing that never ends.
const maxPages = proto.MaxMembers

var (
	errAnswer   = errors.New("not an answer to this request")
	errNotTaken = errors.New("the certificate was not taken")
	errNotTried = errors.New("the Wi-Fi network was not tried")
)

// call sends a request and reads the body of its answer.
func call[T any](ctx context.Context, c *Camera, op proto.Op, body any) (T, error) {
	var into T
	a, err := c.Call(ctx, op, "", body)
	if err != nil {
		return into, err
	}
	if err := envelope.Decode(a.Body, &into); err != nil {
		return into, home.NewProblem(errors.Join(errAnswer, err), "The camera's answer to %s can't be read. Update camctl, or the camera.", op)
	}
	return into, nil
}

// Members returns the members of the household and what they may do.
func (c *Camera) Members(ctx context.Context) ([]proto.Member, error) {
	var all []proto.Member
	for from, page := 0, 0; page < maxPages; page++ {
		a, err := call[proto.MembersAnswer](ctx, c, proto.OpMembers, proto.MembersRequest{From: from})
		if err != nil {
			return nil, err
		}
		all = append(all, a.Members...)
		if a.Next <= from {
			return all, c.do(ctx, func(s *state) {
				clear(s.names)
				for _, m := range all {
					s.names[m.Client] = m.Name
				}
			})
		}
		from = a.Next
	}
	return nil, home.NewProblem(errAnswer, "The camera's list of members never ends.")
}

// Grant adds a member, or changes what a member may do.
func (c *Camera) Grant(ctx context.Context, g proto.Grant) (proto.GrantAnswer, error) {
	return call[proto.GrantAnswer](ctx, c, proto.OpGrant, g)
}

// Revoke removes a member. When it returns nil, the removal is durable and the member's
// last packet has left. A removal without an answer is kept, and sent again.
func (c *Camera) Revoke(ctx context.Context, r proto.Revoke) (proto.RevokeAnswer, error) {
	return call[proto.RevokeAnswer](ctx, c, proto.OpRevoke, r)
}

// Settings returns the settings of the household.
func (c *Camera) Settings(ctx context.Context) (proto.Settings, error) {
	return call[proto.Settings](ctx, c, proto.OpSettings, nil)
}

// SetSettings changes settings, and returns all of them.
func (c *Camera) SetSettings(ctx context.Context, change proto.SettingsChange) (proto.Settings, error) {
	return call[proto.Settings](ctx, c, proto.OpSetSettings, change)
}

// Privacy switches privacy mode on or off. A refusal says who may.
func (c *Camera) Privacy(ctx context.Context, on bool) (proto.Privacy, error) {
	p, err := call[proto.Privacy](ctx, c, proto.OpPrivacy, proto.Privacy{On: on})
	var refused *Refused
	if on || !errors.As(err, &refused) {
		return p, err
	}
	switch refused.Code {
	case proto.CodeAtDevice:
		err = home.NewProblem(err, "%s There, camd settings --privacy-off members lets owners switch privacy mode off, too.", refused)
	case proto.CodeScope:
		err = home.NewProblem(err, "Only an owner, another member with the right to change settings, or someone at the camera can switch privacy mode off.")
	}
	return p, err
}

// Update asks for the state of the camera's own update, or decides about it.
func (c *Camera) Update(ctx context.Context, q proto.UpdateRequest) (proto.UpdateStatus, error) {
	return call[proto.UpdateStatus](ctx, c, proto.OpUpdate, q)
}

// WiFi asks which Wi-Fi network the camera uses and which ones it receives, or has it try
// another one. If the camera does not try it, the error says why. The result of a try is
// in the status that the camera gives afterwards.
func (c *Camera) WiFi(ctx context.Context, q proto.WiFiRequest) (proto.WiFiStatus, error) {
	now, err := call[proto.WiFiStatus](ctx, c, proto.OpWiFi, q)
	if err == nil && now.Problem != nil {
		return now, home.NewProblem(errNotTried, "%s", now.Problem.Reason)
	}
	return now, err
}

// Push asks whether the camera pushes notices to browsers, and by which key, or sets or removes
// this client's subscription. The status says why one was not taken.
func (c *Camera) Push(ctx context.Context, q proto.PushRequest) (proto.PushStatus, error) {
	return call[proto.PushStatus](ctx, c, proto.OpPush, q)
}

// Certificate asks how long the camera's certificate for its broker is valid, has it make
// a request for a new one, or gives it one. If it refuses that one, the error says why.
func (c *Camera) Certificate(ctx context.Context, q proto.CertificateRequest) (proto.CertificateStatus, error) {
	now, err := call[proto.CertificateStatus](ctx, c, proto.OpCertificate, q)
	if err == nil && q.Do == proto.CertificateDoSet && now.Problem != "" {
		return now, home.NewProblem(errNotTaken, "The camera did not accept the certificate, and keeps the one that it has: %s", now.Problem)
	}
	return now, err
}

// HasScope reports whether the camera lets this client use a scope.
func (c *Camera) HasScope(ctx context.Context, scope proto.Scope) (bool, error) {
	m, err := c.own(ctx)
	return slices.Contains(m.Scopes, scope), err
}

// own returns this client's entry in the camera's list of members; without a name if
// there is none.
func (c *Camera) own(ctx context.Context) (proto.Member, error) {
	l, err := c.Members(ctx)
	if i := slices.IndexFunc(l, func(m proto.Member) bool { return m.Client == c.keys.ID() }); i >= 0 {
		return l[i], err
	}
	return proto.Member{}, err
}
