package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/proto"
)

// Join takes one client through the pairing while the window is open. Errors:
// ErrWindowClosed, ErrPairingBusy, or what the pairing failed with.
func (a *Authority) Join(ctx context.Context, conn pairing.Conn) error {
	w, err := a.enter(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(w.ctx, cancel)()
	c := &conversation{Authority: a, window: w}
	d := a.device()
	d.Secret, d.Setup, d.Begun = a.identity.Label().Secret, c, w.pause
	d.Enroll = func(_ context.Context, key envelope.PublicKey, card []byte) (pairing.Receipt, error) {
		return a.enroll(w, key, card, "")
	}
	r, err := pairing.Respond(ctx, conn, d)
	a.leave(w, err)
	if c.settled { // whether or not the client got the receipt
		a.provisioner.Settled()
	}
	if err != nil {
		return fmt.Errorf("pair: %w", err)
	}
	a.log.Info("paired", "client", string(r.Client), "name", r.Name, "role", string(r.Role))
	return nil
}

// device returns what the pairing needs to know of this device.
func (a *Authority) device() pairing.Device {
	return pairing.Device{
		ID: a.identity.DeviceID(), Identity: a.identity.Signer(), Chain: a.identity.Chain(),
		Trio: a.keys.trio, Epoch: a.keys.epoch, Household: a.keys.sig, Owned: a.Owned(),
	}
}

// enroll decides about a key that its holder has shown in window w. The first key of an epoch
// becomes the owner; its enrolment is logged before it counts. code is the name of the code by
// which the key was shown; empty if the client was there itself.
func (a *Authority) enroll(w *window, key envelope.PublicKey, card []byte, code string) (pairing.Receipt, error) {
	defer a.changes.begin()()
	if w.ctx.Err() != nil {
		return pairing.Receipt{}, proto.Refuse(proto.CodeWindowClosed)
	}
	if m := a.members.get(key.ClientID()); m != nil && m.key.Equal(key) {
		return a.receipt(m), a.setShownCode(m, code) // its first receipt may have been lost
	}
	if a.Owned() {
		return pairing.Receipt{}, proto.Refuse(proto.CodeOwned)
	}
	m := &member{Card: string(card), Name: w.name, Role: proto.RoleOwner, Scopes: proto.OwnerScopes(),
		Added: time.Now().UnixMilli(), ShownCode: code, id: key.ClientID(), key: key}
	_, err := a.changes.commit(nil, func(all *snapshot, index uint64) {
		m.Entry = index
		all.put(m)
	}, accesslog.Entry{Kind: accesslog.KindPair, Client: m.id, Name: m.Name, Role: m.Role, Scopes: m.Scopes, Network: accesslog.NetLocal})
	if err != nil {
		return pairing.Receipt{}, err
	}
	a.report()
	return a.receipt(m), nil
}

// setShownCode stores that a member has shown a code and waits for its receipt, or, if code is
// empty, that it was heard. It is called between changes.begin and its end.
func (a *Authority) setShownCode(m *member, code string) error {
	if m.ShownCode == code {
		return nil
	}
	if a.changes.over {
		return proto.Refuse(proto.CodeRevoked)
	}
	next := *m
	next.ShownCode = code
	if err := a.members.update(func(all *snapshot) { all.put(&next) }, nil); err != nil {
		return errors.Join(proto.Refuse(proto.CodeStorage), err)
	}
	return nil
}

func (a *Authority) receipt(m *member) pairing.Receipt {
	return pairing.Receipt{Role: m.Role, Name: m.Name, Broker: a.cfg.Broker(m.id)}
}

// conversation is the set-up by one client.
type conversation struct {
	*Authority
	window    *window
	shownCode string // the code that was shown, instead of a conversation
	settled   bool   // something was kept
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
		r, err = c.enroll(c.window, key, card, c.shownCode)
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
