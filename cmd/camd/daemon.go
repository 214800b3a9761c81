package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/camd-project/camd/pkg/audio"
	"github.com/camd-project/camd/pkg/audio/prompt"
	"github.com/camd-project/camd/pkg/auth"
	"github.com/camd-project/camd/pkg/auth/identity"
	"github.com/camd-project/camd/pkg/capture"
	"github.com/camd-project/camd/pkg/config"
	"github.com/camd-project/camd/pkg/event"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/link"
	"github.com/camd-project/camd/pkg/live"
	"github.com/camd-project/camd/pkg/logging"
	"github.com/camd-project/camd/pkg/media"
	"github.com/camd-project/camd/pkg/panel"
	"github.com/camd-project/camd/pkg/push"
	"github.com/camd-project/camd/pkg/setup"
	"github.com/camd-project/camd/pkg/setup/claim"
	"github.com/camd-project/camd/pkg/setup/wifi"
	"github.com/camd-project/camd/pkg/supervise"
	"github.com/camd-project/camd/pkg/talk"
)

// daemon is camd, joined out of its packages.
type daemon struct {
	cfg     config.Config
	out     *logging.Log
	log     *slog.Logger
	board   *health.Board
	check   func(ctx context.Context, database string) error
	again   restarter
	started time.Time
	parts   []supervise.Part

	// The household: who may do what, and how the camera was set up.
	authority *auth.Authority
	identity  *identity.Identity
	wireless  *wifi.Radio
	setup     *setup.Setup

	// The devices, and what they give.
	video      *media.Feed[*media.AccessUnit]
	sound      *media.Feed[*media.AudioFrame]
	camera     *capture.Camera
	microphone *audio.Microphone
	speaker    *audio.Speaker
	indicator  *panel.Indicator
	archive    *prompt.Archive
	announcer  *announcer

	// The services between them.
	link        *link.Link
	certificate *claim.Claim // nil: there is none yet
	pairing     *feedback
	live        *live.Server
	events      *event.Events
	floor       *talk.Floor
	push        *push.Sender
	updates     *updates
}

// run has parts run, and started again when they fail.
func (d *daemon) run(parts ...supervise.Component) {
	for _, p := range parts {
		d.parts = append(d.parts, supervise.Part{Component: p})
	}
}

// require has parts run without which camd ends.
func (d *daemon) require(parts ...supervise.Component) {
	for _, p := range parts {
		d.parts = append(d.parts, supervise.Part{Component: p, Required: true})
	}
}

// close closes the databases, once no part runs.
func (d *daemon) close() (err error) {
	if d.events != nil {
		err = d.events.Close()
	}
	if d.setup != nil {
		err = errors.Join(err, d.setup.Close())
	}
	if d.authority != nil {
		err = errors.Join(err, d.authority.Close())
	}
	return err
}

// errRestart ends the parts of the daemon so that they start again, in another epoch or
// with other settings.
var errRestart = errors.New("camd starts again")

// restarter is the part that ends all others so that they start again.
type restarter chan struct{}

func (restarter) String() string { return "restarter" }

// Run waits for now, and returns errRestart.
func (r restarter) Run(ctx context.Context, ready func()) error {
	ready()
	select {
	case <-ctx.Done():
		return nil
	case <-r:
		return errRestart
	}
}

// now has all parts start again.
func (r restarter) now() {
	select {
	case r <- struct{}{}:
	default: // they end already
	}
}
