package main

import (
	"context"
	"errors"

	"github.com/camd-project/camd/pkg/auth"
	"github.com/camd-project/camd/pkg/foreign"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/setup"
)

// changer is the camera's Wi-Fi as owners may change it.
type changer interface {
	WiFi(ctx context.Context, look bool) (proto.WiFiStatus, error)
	Change(w proto.WiFi, journal setup.Journal) error
}

// wifi says in which Wi-Fi network the camera is, or has it try another one.
// docs/protocol.md 15.1.
func (d *daemon) wifi(ctx context.Context, r auth.Request, q proto.WiFiRequest) (auth.Result, error) {
	change := d.authority.NewWiFiLog(r)
	now, err := askWiFi(ctx, d.setup, q, change)
	return auth.Result{Body: now, Entry: change.Entry}, err
}

// askWiFi does what is asked. Why nothing was done is a part of the answer: it has a
// sentence of its own.
func askWiFi(ctx context.Context, c changer, q proto.WiFiRequest, journal setup.Journal) (now proto.WiFiStatus, err error) {
	if q.Do == proto.WiFiDoJoin {
		err = c.Change(*q.WiFi, journal)
	}
	if err == nil {
		now, err = c.WiFi(ctx, q.Do == proto.WiFiDoNetworks)
	}
	var problem *proto.SetupProblem
	if errors.As(err, &problem) {
		now.Problem = &proto.WiFiProblem{Code: problem.Code, Reason: foreign.Line(problem.Error())}
		return now, nil
	}
	if now.Last != nil {
		last := *now.Last
		last.Reason = foreign.Line(last.Reason)
		now.Last = &last
	}
	return now, err
}
