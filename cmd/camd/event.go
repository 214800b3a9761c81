package main

import (
	"context"
	"path/filepath"

	"github.com/camd-project/camd/pkg/auth"
	"github.com/camd-project/camd/pkg/event"
	"github.com/camd-project/camd/pkg/proto"
)

// eventConfig says where events are kept: sealed with a key of the epoch.
func (d *daemon) eventConfig() event.Config {
	epoch, _ := d.authority.Epoch()
	return event.Config{
		Path: filepath.Join(d.cfg.Device.State, "store", "events.db"), Key: filepath.Join(d.authority.EpochFolder(), "event.key"),
		Epoch: epoch, Check: d.check,
	}
}

// snapshot takes a picture. Nothing goes on after it: the gate logs the end at once.
func (d *daemon) snapshot(ctx context.Context, r auth.Request, _ auth.None) (any, auth.Running, error) {
	p, err := d.events.Snapshot(ctx, r.Caller.Client, r.Session)
	return p, nil, err
}

// keptEvents answers with a page of the kept events, or a part of a picture.
// docs/protocol.md 9.4.
func (d *daemon) keptEvents(_ context.Context, r auth.Request, q proto.EventsRequest) (auth.Result, error) {
	a, err := d.events.Answer(r.Caller.Client, q)
	return auth.Result{Body: a}, err
}
