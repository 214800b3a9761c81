package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/camd-project/camd/pkg/auth"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/auth/identity"
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

	certificate *claim.Claim // nil: there is none yet
}

func (s *service) register(g *auth.Gate) {
	g.Handle(proto.OpStatus, auth.Rule{}, func(context.Context, auth.Request) (auth.Result, error) {
		return auth.Result{Body: s.status()}, nil
	})
	g.Handle(proto.OpLive, auth.Rule{Scopes: liveScopes, Logged: true}, s.live)
	g.Handle(proto.OpCandidate, auth.Rule{Rested: true}, func(_ context.Context, r auth.Request) (auth.Result, error) {
		var c proto.Candidates
		if envelope.Decode(r.Body, &c) != nil {
			return auth.Result{}, proto.Refuse(proto.CodeBadRequest)
		}
		return auth.Result{}, s.sessions.AddCandidates(r.Caller.Client, r.Session, c)
	})
	g.Handle(proto.OpTalk, s.talkRule(), s.talk)
	g.Handle(proto.OpBye, auth.Rule{Rested: true}, s.bye)
}

// liveScopes tells which rights a live request needs. docs/protocol.md 7.1.
func liveScopes(body json.RawMessage) ([]proto.Scope, error) {
	var q proto.LiveRequest
	if err := envelope.Decode(body, &q); err != nil {
		return nil, fmt.Errorf("read live request: %w", err)
	}
	for i, scope := range q.Scopes {
		if scope != proto.ScopeView && scope != proto.ScopeListen || slices.Contains(q.Scopes[:i], scope) {
			return nil, fmt.Errorf("a live session carries view and listen, not %.40q", q.Scopes)
		}
	}
	if len(q.Scopes) == 0 {
		return nil, errors.New("a live session needs view, listen or both")
	}
	return q.Scopes, nil
}

// live starts a session. The gate has decided and logged when it is called.
func (s *service) live(ctx context.Context, r auth.Request) (auth.Result, error) {
	var q proto.LiveRequest
	if err := envelope.Decode(r.Body, &q); err != nil {
		return auth.Result{}, proto.Refuse(proto.CodeBadRequest)
	}
	session, sdp, err := s.sessions.Start(ctx, live.Offer{
		Client: r.Caller.Client, Sponsor: r.Caller.Sponsor, Owner: r.Caller.Role == proto.RoleOwner,
		Session: r.Session, SDP: q.SDP, Signal: r.Signal,
		View: slices.Contains(q.Scopes, proto.ScopeView), Listen: slices.Contains(q.Scopes, proto.ScopeListen),
	})
	if err != nil {
		return auth.Result{}, err
	}
	return auth.Result{Body: proto.LiveAnswer{SDP: sdp, Scopes: q.Scopes}, Running: session}, nil
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
