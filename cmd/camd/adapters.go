package main

import (
	"context"
	"errors"
	"fmt"
	"image"

	"github.com/camd-project/camd/pkg/audio"
	"github.com/camd-project/camd/pkg/audio/prompt"
	"github.com/camd-project/camd/pkg/auth"
	"github.com/camd-project/camd/pkg/capture"
	"github.com/camd-project/camd/pkg/event"
	"github.com/camd-project/camd/pkg/link"
	"github.com/camd-project/camd/pkg/live"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/setup/lens"
	"github.com/camd-project/camd/pkg/talk"
)

// These types fit what one package offers to what another one wants.

// captureDevices closes camera and microphone for privacy mode.
type captureDevices struct {
	camera     *capture.Camera
	microphone *audio.Microphone
	live       *live.Server
	events     *event.Events
}

// SetPrivacy returns when both devices are closed, and nothing of what they gave is kept.
func (c captureDevices) SetPrivacy(on bool) {
	c.camera.SetPrivacy(on)
	c.microphone.SetPrivacy(on)
	if on {
		c.live.Forget()
		c.events.Forget()
	}
}

// loudspeaker is the speaker for the floor.
type loudspeaker struct{ *audio.Speaker }

// Voice begins to play a voice.
func (l loudspeaker) Voice(ctx context.Context) (talk.Voice, error) {
	v, err := l.Speaker.Voice(ctx)
	if errors.Is(err, audio.ErrUnannounced) {
		return nil, fmt.Errorf("%w: %w", talk.ErrStale, err)
	}
	if err != nil {
		return nil, err // not a nil *Voice in an interface
	}
	return v, nil
}

// Announce plays a clip. One that can't be heard at all counts as missing.
func (l loudspeaker) Announce(ctx context.Context, clip [][]byte) error {
	return orNoChime(l.Speaker.Announce(ctx, clip))
}

// Prompt plays a clip that announces nobody.
func (l loudspeaker) Prompt(ctx context.Context, clip [][]byte) error {
	return orNoChime(l.Speaker.Prompt(ctx, clip))
}

func orNoChime(err error) error {
	if errors.Is(err, audio.ErrClip) {
		return fmt.Errorf("%w: %w", err, proto.Refuse(proto.CodeNoChime))
	}
	return err
}

// talkPrompts are the announcements of talks.
type talkPrompts struct{ archive *prompt.Archive }

// Speaking returns a chime, and who speaks.
func (p talkPrompts) Speaking(m talk.Member) ([][]byte, error) {
	return p.archive.Speaking(prompt.Person(m))
}

// Asking returns a chime, and who wants to speak.
func (p talkPrompts) Asking(m talk.Member) ([][]byte, error) {
	return p.archive.AsksToSpeak(prompt.Person(m))
}

// grayCamera is the camera for the lens.
type grayCamera struct{ *capture.Camera }

// Gray returns the next picture.
func (c grayCamera) Gray(ctx context.Context) (*image.Gray, error) {
	m, err := c.Camera.Gray(ctx)
	if errors.Is(err, capture.ErrCoded) {
		err = lens.ErrCoded
	}
	return m, err
}

// pairingWindow is the window for the parts that work only while it is open.
type pairingWindow struct{ *auth.Authority }

func (w pairingWindow) Open() bool               { return w.WindowState().Open }
func (w pairingWindow) Changed() <-chan struct{} { return w.WindowChanged() }

// Await waits until the camera is to look for codes.
func (w pairingWindow) Await(ctx context.Context) (context.Context, error) {
	return w.AwaitSeeking(ctx)
}

// unreached returns why a broker was not reached, as an error of setup.
func unreached(err error) error {
	var problem *link.Problem
	if errors.As(err, &problem) && !errors.Is(err, context.Canceled) {
		return &proto.SetupProblem{Code: problem.Code(), Detail: problem.Sentence}
	}
	return err
}

// setupLink is the link for setup.
type setupLink struct{ *link.Link }

// Reconnect implements setup.Link.
func (l setupLink) Reconnect(ctx context.Context) error { return unreached(l.Link.Reconnect(ctx)) }

// updateHousehold is the household for the updater.
type updateHousehold struct {
	authority *auth.Authority
	live      *live.Server
	events    *event.Events
}

// Tell logs a step, which notifies every member.
func (h updateHousehold) Tell(s proto.UpdateStep) error { return h.authority.Updated(s) }

// Busy reports whether someone watches, listens or talks, or has just rung the bell.
func (h updateHousehold) Busy() bool { return len(h.live.Viewers()) > 0 || h.events.Ringing() }

// Quiet reports whether the household lets the camera restart now.
func (h updateHousehold) Quiet() bool { return h.authority.MayRestart() }
