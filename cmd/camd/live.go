package main

import (
	"context"
	"slices"

	"github.com/camd-project/camd/pkg/auth"
	"github.com/camd-project/camd/pkg/live"
	"github.com/camd-project/camd/pkg/proto"
)

// startLive starts a session. The gate has decided and logged when it is called.
func (d *daemon) startLive(ctx context.Context, r auth.Request, q proto.LiveRequest) (any, auth.Running, error) {
	session, sdp, err := d.live.Start(ctx, live.Offer{
		Client: r.Caller.Client, Sponsor: r.Caller.Sponsor, Owner: r.Caller.Role == proto.RoleOwner,
		Session: r.Session, SDP: q.SDP, Stream: q.Stream, Signal: r.Signal,
		View: slices.Contains(q.Scopes, proto.ScopeView), Listen: slices.Contains(q.Scopes, proto.ScopeListen),
	})
	if err != nil {
		return nil, nil, err
	}
	return proto.LiveAnswer{SDP: sdp, Scopes: q.Scopes, Stream: session.Stream()}, session, nil
}

func (d *daemon) candidate(_ context.Context, r auth.Request, c proto.Candidates) (auth.Result, error) {
	return auth.Result{}, d.live.AddCandidates(r.Caller.Client, r.Session, c)
}

// stream changes which stream a session of the caller's own is sent.
func (d *daemon) stream(_ context.Context, r auth.Request, q proto.StreamRequest) (auth.Result, error) {
	state, err := d.live.SetStream(r.Caller.Client, r.Session, q.Stream)
	return auth.Result{Body: state}, err
}

// bye ends a session of the caller's own, or its talk.
func (d *daemon) bye(_ context.Context, r auth.Request, _ auth.None) (auth.Result, error) {
	if d.floor.Bye(r.Caller.Client, r.Session) {
		return auth.Result{}, nil
	}
	err := d.live.Bye(r.Caller.Client, r.Session)
	if err != nil && r.Cancel(proto.CodeCancelled) { // a talk that the floor has not heard of yet
		err = nil
	}
	return auth.Result{}, err
}
