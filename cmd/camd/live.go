package main

import (
	"context"
	"slices"

	"github.com/camd-project/camd/pkg/auth"
	"github.com/camd-project/camd/pkg/live"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/talk"
)

// live starts a session. The gate has decided and logged when it is called.
func (d *daemon) live(ctx context.Context, r auth.Request, q proto.LiveRequest) (any, auth.Running, error) {
	session, sdp, err := d.sessions.Start(ctx, live.Offer{
		Client: r.Caller.Client, Sponsor: r.Caller.Sponsor, Owner: r.Caller.Role == proto.RoleOwner,
		Session: r.Session, SDP: q.SDP, Signal: r.Signal,
		View: slices.Contains(q.Scopes, proto.ScopeView), Listen: slices.Contains(q.Scopes, proto.ScopeListen),
	})
	if err != nil {
		return nil, nil, err
	}
	return proto.LiveAnswer{SDP: sdp, Scopes: q.Scopes}, session, nil
}

func (d *daemon) candidate(_ context.Context, r auth.Request, c proto.Candidates) (auth.Result, error) {
	return auth.Result{}, d.sessions.AddCandidates(r.Caller.Client, r.Session, c)
}

// speaker is a member as the floor knows it.
func speaker(c auth.Caller) talk.Member { return talk.Member{Name: c.Name, Role: c.Role} }

// talk lets a member speak. The gate has decided, logged and told everyone when it is
// called; it returns when the room hears the voice.
func (d *daemon) talk(ctx context.Context, r auth.Request, q proto.TalkRequest) (any, auth.Running, error) {
	t, err := d.floor.Start(ctx, talk.Request{
		Client: r.Caller.Client, Account: r.Caller.Account, ID: r.Session, Live: q.Live, Member: speaker(r.Caller),
		Accept: d.authority.Settings().Talk == proto.TalkAccepted,
		Ended: func(reason string) {
			if reason != proto.EndBye {
				r.Signal(proto.SignalEnd, proto.End{Reason: reason})
			}
		},
	})
	if err != nil {
		return nil, nil, err // not a nil *Talk in an interface
	}
	return nil, t, nil
}

// bye ends a session of the caller's own, or its talk.
func (d *daemon) bye(_ context.Context, r auth.Request, _ auth.None) (auth.Result, error) {
	if d.floor.Bye(r.Caller.Client, r.Session) {
		return auth.Result{}, nil
	}
	return auth.Result{}, d.sessions.Bye(r.Caller.Client, r.Session)
}
