package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/camd-project/camd/pkg/auth"
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

// snapshot takes a picture. Nothing goes on after it: the gate logs the end at once.
func (s *service) snapshot(ctx context.Context, r auth.Request, _ auth.None) (any, auth.Running, error) {
	p, err := s.events.Snapshot(ctx, r.Caller.Client, r.Session)
	return p, nil, err
}

// keptEvents answers with a page of the kept events, or a part of a picture.
// docs/protocol.md 9.4.
func (s *service) keptEvents(_ context.Context, r auth.Request, q proto.EventsRequest) (auth.Result, error) {
	a, err := s.events.Answer(r.Caller.Client, q)
	return auth.Result{Body: a}, err
}

type ringCmd struct{ localFlags }

// Run rings the bell.
func (c ringCmd) Run(env *environment) error {
	if _, err := c.ask(adminRequest{Cmd: "ring"}); err != nil {
		return err
	}
	_, err := fmt.Fprintln(env.out, "The bell rings.")
	return err
}
