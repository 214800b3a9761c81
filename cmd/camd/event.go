package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/camd-project/camd/pkg/auth"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/config"
	"github.com/camd-project/camd/pkg/event"
	"github.com/camd-project/camd/pkg/proto"
)

// eventConfig says where events are kept: sealed with a key that goes with the epoch.
func eventConfig(cfg config.Config, authority *auth.Authority, check func(context.Context, string) error) event.Config {
	epoch, _ := authority.Epoch()
	return event.Config{
		Path: filepath.Join(cfg.Device.State, "store", "events.db"), Key: filepath.Join(authority.EpochFolder(), "event.key"),
		Epoch: epoch, Check: check,
	}
}

// registerEvents lets members take pictures and fetch what is kept. docs/protocol.md 9.
func registerEvents(g *auth.Gate, e *event.Events) {
	g.Handle(proto.OpSnapshot, auth.Rule{Scopes: snapshotScopes, Logged: true}, func(ctx context.Context, r auth.Request) (auth.Result, error) {
		p, err := e.Snapshot(ctx, r.Caller.Client, r.Session)
		if err != nil {
			return auth.Result{}, err
		}
		return auth.Result{Body: p}, nil // nothing goes on living: the gate logs the end at once
	})
	g.Handle(proto.OpEvents, auth.Rule{Scopes: eventsScopes}, func(_ context.Context, r auth.Request) (auth.Result, error) {
		q, err := eventsRequest(r.Body)
		if err != nil {
			return auth.Result{}, proto.Refuse(proto.CodeBadRequest)
		}
		a, err := e.Answer(r.Caller.Client, q)
		if err != nil {
			return auth.Result{}, err
		}
		return auth.Result{Body: a}, nil
	})
}

func snapshotScopes(json.RawMessage) ([]proto.Scope, error) {
	return []proto.Scope{proto.ScopeSnapshot}, nil
}

// eventsScopes tells which right a request for events needs.
func eventsScopes(body json.RawMessage) ([]proto.Scope, error) {
	q, err := eventsRequest(body)
	if err != nil {
		return nil, err
	}
	return q.Scopes(), nil
}

func eventsRequest(body json.RawMessage) (q proto.EventsRequest, err error) {
	if len(body) == 0 {
		return q, nil
	}
	if err := envelope.Decode(body, &q); err != nil {
		return q, err
	}
	if !q.Valid() {
		return q, errors.New("a request for events asks for one thing")
	}
	return q, nil
}

type ringCmd struct{ configFlag }

// Run rings the bell.
func (c ringCmd) Run(env *environment) error {
	if _, err := (localCmd{configFlag: c.configFlag}).do(adminRequest{Cmd: "ring"}); err != nil {
		return err
	}
	_, err := fmt.Fprintln(env.out, "The bell rings.")
	return err
}
