package main

import (
	"context"
	"slices"
	"time"

	"github.com/camd-project/camd/pkg/auth"
	"github.com/camd-project/camd/pkg/auth/identity"
	"github.com/camd-project/camd/pkg/event"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/live"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/setup/claim"
	"github.com/camd-project/camd/pkg/talk"
)

// service holds the handlers: thin joints between the gate and the parts.
type service struct {
	started   time.Time
	identity  *identity.Identity
	board     *health.Board
	sessions  *live.Server
	floor     *talk.Floor
	authority *auth.Authority
	updates   *updates
	pairing   *feedback
	events    *event.Events
	network   changer

	certificate *claim.Claim // nil: there is none yet
}

// live starts a session. The gate has decided and logged when it is called.
func (s *service) live(ctx context.Context, r auth.Request, q proto.LiveRequest) (any, auth.Running, error) {
	session, sdp, err := s.sessions.Start(ctx, live.Offer{
		Client: r.Caller.Client, Sponsor: r.Caller.Sponsor, Owner: r.Caller.Role == proto.RoleOwner,
		Session: r.Session, SDP: q.SDP, Signal: r.Signal,
		View: slices.Contains(q.Scopes, proto.ScopeView), Listen: slices.Contains(q.Scopes, proto.ScopeListen),
	})
	if err != nil {
		return nil, nil, err
	}
	return proto.LiveAnswer{SDP: sdp, Scopes: q.Scopes}, session, nil
}

func (s *service) candidate(_ context.Context, r auth.Request, c proto.Candidates) (auth.Result, error) {
	return auth.Result{}, s.sessions.AddCandidates(r.Caller.Client, r.Session, c)
}

// status is what members and the local socket see.
func (s *service) status() proto.StatusAnswer {
	a := proto.StatusAnswer{
		Device: s.identity.DeviceID(), Name: s.authority.Settings().Name, Version: version, Identity: s.identity.Class(),
		Uptime: int64(time.Since(s.started).Seconds()), Conditions: []proto.Condition{}, Sessions: []proto.Viewer{},
	}
	for _, c := range s.board.Snapshot() {
		a.Conditions = append(a.Conditions, proto.Condition{Name: c.Name, State: string(c.State), Reason: c.Reason, Since: c.Since.Unix()})
	}
	if u := s.updates.status(); u.State != proto.UpdateOff {
		u.Notes = "" // others' words, as long as they like: whoever asks about the update gets them
		a.Update = &u
	}
	if s.certificate != nil {
		c := s.certificate.Status()
		a.Certificate = &c
	}
	speaker, through := s.floor.Speaker()
	for _, v := range s.sessions.Viewers() {
		l := scopes(v)
		if v.Client == speaker && v.Session == through {
			l = append(l, proto.ScopeTalk)
		}
		a.Sessions = append(a.Sessions, proto.Viewer{Client: v.Client, Name: s.authority.MemberName(v.Client), Scopes: l, Since: v.Since.Unix()})
	}
	return a
}

func scopes(v live.Viewer) (l []proto.Scope) {
	if v.View {
		l = append(l, proto.ScopeView)
	}
	if v.Listen {
		l = append(l, proto.ScopeListen)
	}
	return l
}
