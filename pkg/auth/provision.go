package auth

import (
	"context"
	"slices"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/proto"
)

// Provisioner sets how the device reaches its broker. Whether a client may do that is decided
// before it is called. docs/protocol.md 3.11.
type Provisioner interface {
	// Ask answers a question and changes nothing. An error is a *proto.SetupProblem.
	Ask(ctx context.Context, ask proto.SetupAsk) (proto.SetupReply, error)
	// Apply tries settings. If they work, it keeps them durably, together with what enroll does
	// for client: both or neither, also after a power cut. Else the settings of before are in
	// force again, and the error is a *proto.SetupProblem or that of enroll.
	Apply(ctx context.Context, client proto.ClientID, s proto.SetupSettings, progress func(proto.SetupStep), enroll func() error) error
	// Settled is called when the client knows what was kept: from now on the device may start
	// again with it.
	Settled()
}

// conversation is the set-up by one client.
type conversation struct {
	*Authority
	window  *window
	code    string // the code that was shown, instead of a conversation
	settled bool   // something was kept
}

// may decides who sets the device up: anyone who has the label while nobody is enrolled, and
// then owners. Others are refused before anything is tried.
func (a *Authority) may(key envelope.PublicKey) error {
	m := a.members.get(key.ClientID())
	switch {
	case m == nil || !m.key.Equal(key):
		if a.Owned() {
			return proto.Refuse(proto.CodeOwned)
		}
	case m.Role != proto.RoleOwner:
		return &proto.SetupProblem{Code: proto.CodeNotAllowed}
	}
	return nil
}

// Ask implements pairing.Setup.
func (c *conversation) Ask(ctx context.Context, key envelope.PublicKey, ask proto.SetupAsk) (proto.SetupReply, error) {
	if err := c.may(key); err != nil {
		return proto.SetupReply{}, err
	}
	return c.provisioner.Ask(ctx, ask)
}

// Apply implements pairing.Setup.
func (c *conversation) Apply(ctx context.Context, key envelope.PublicKey, card []byte, s proto.SetupSettings, progress func(proto.SetupStep)) (pairing.Receipt, error) {
	if err := c.may(key); err != nil {
		return pairing.Receipt{}, err
	}
	var r pairing.Receipt
	err := c.provisioner.Apply(ctx, key.ClientID(), s, progress, func() (err error) {
		if err := c.may(key); err != nil { // trying them took a while
			return err
		}
		if c.members.get(key.ClientID()) != nil {
			if err := c.logSetup(key.ClientID(), s); err != nil {
				return err
			}
		}
		r, err = c.enroll(c.window, key, card, c.code)
		return err
	})
	if err != nil {
		return pairing.Receipt{}, err
	}
	c.settled = true
	r.Broker = c.cfg.Broker(key.ClientID()) // it may be another one by now
	return r, nil
}

// logSetup logs which things one of the owners sets up again, but not the settings.
func (c *conversation) logSetup(client proto.ClientID, s proto.SetupSettings) error {
	defer c.changes.begin()()
	if c.window.ctx.Err() != nil {
		return proto.Refuse(proto.CodeWindowClosed)
	}
	e := accesslog.Entry{Kind: accesslog.KindSettings, Client: client, Name: c.MemberName(client), Network: accesslog.NetLocal}
	for what, set := range map[string]bool{"wifi": s.WiFi != nil, "broker": s.Broker != nil, "certificate": len(s.Chain) > 0 || s.EST != nil} {
		if set {
			e.Set = append(e.Set, "set_up="+what)
		}
	}
	slices.Sort(e.Set)
	_, err := c.changes.commit(nil, nil, e)
	return err
}

// fixed is the Provisioner of a device that can't be set up.
type fixed struct{}

func (fixed) Ask(context.Context, proto.SetupAsk) (proto.SetupReply, error) {
	return proto.SetupReply{}, &proto.SetupProblem{Code: proto.CodeFixed}
}

func (fixed) Apply(context.Context, proto.ClientID, proto.SetupSettings, func(proto.SetupStep), func() error) error {
	return &proto.SetupProblem{Code: proto.CodeFixed}
}

func (fixed) Settled() {}
