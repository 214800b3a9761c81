package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/camd-project/camd/pkg/audio"
	"github.com/camd-project/camd/pkg/audio/jitter"
	"github.com/camd-project/camd/pkg/auth"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/auth/naming"
	"github.com/camd-project/camd/pkg/auth/trustedtime"
	"github.com/camd-project/camd/pkg/capture"
	"github.com/camd-project/camd/pkg/config"
	"github.com/camd-project/camd/pkg/event"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/link"
	"github.com/camd-project/camd/pkg/live"
	"github.com/camd-project/camd/pkg/logging"
	"github.com/camd-project/camd/pkg/media"
	"github.com/camd-project/camd/pkg/panel"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/setup"
	"github.com/camd-project/camd/pkg/setup/wifi"
	"github.com/camd-project/camd/pkg/store"
	"github.com/camd-project/camd/pkg/supervise"
	"github.com/camd-project/camd/pkg/talk"
)

// daemon is everything joined: what Run keeps running, in the order of starting.
type daemon struct {
	device    proto.DeviceID
	authority *auth.Authority
	events    *event.Events
	own       *setup.Setup
	parts     []supervise.Part
}

// wire joins the packages. It is the only place that knows more than one service.
func wire(ctx context.Context, cfg config.Config, out *logging.Log) (*daemon, error) {
	log := out.Logger()
	board := health.NewBoard(log)
	if _, err := meetingPoint(cfg.Link, log); err != nil {
		return nil, err
	}
	where := &meetingPlace{cfg: cfg.Link, log: log}
	check, err := storeCheck()
	if err != nil {
		return nil, err
	}
	if err := checkName(cfg.Device.Name); err != nil {
		return nil, inTable("device", err)
	}
	if err := cfg.Household.Check(); err != nil {
		return nil, inTable("household", err)
	}
	authority, err := auth.Open(ctx, authConfig(cfg, out, where.login, check), log, board)
	if err != nil {
		return nil, err
	}
	d, err := join(ctx, cfg, out, board, authority, check, where)
	if err != nil {
		return nil, errors.Join(err, authority.Close())
	}
	return d, nil
}

func authConfig(cfg config.Config, log *logging.Log, broker func(proto.ClientID) envelope.BrokerLogin, check func(context.Context, string) error) auth.Config {
	c := auth.Config{Abort: func(reason string) { die(log, reason) }, State: cfg.Device.State, TPM: cfg.Device.TPM, Name: cfg.Device.Name, Broker: broker, Check: check, Household: cfg.Household, Clock: clockOf(cfg)}
	if unix, err := strconv.ParseInt(built, 10, 64); err == nil {
		c.Built = time.Unix(unix, 0)
	}
	return c
}

// clockOf is the wall clock, with what vouches for it.
func clockOf(cfg config.Config) trustedtime.Clock {
	if cfg.Household.Clock == "battery" {
		return func() (time.Time, bool) { return time.Now(), true }
	}
	return kernelClock
}

// captureDevices closes the camera and the microphone for privacy mode.
type captureDevices struct {
	camera     *capture.Camera
	microphone *audio.Microphone
	sessions   *live.Server
	events     *event.Events
}

// SetPrivacy returns when both devices are closed, and nothing of what they gave is kept.
func (s captureDevices) SetPrivacy(on bool) {
	s.camera.SetPrivacy(on)
	s.microphone.SetPrivacy(on)
	if on {
		s.sessions.Forget()
		s.events.Forget()
	}
}

func join(ctx context.Context, cfg config.Config, out *logging.Log, board *health.Board, authority *auth.Authority, check func(context.Context, string) error, where *meetingPlace) (*daemon, error) {
	log := out.Logger()
	identity := authority.Identity()
	end := make(anew, 1)
	wireless := wifi.New(log, board)
	own, err := setup.Open(ctx, setupConfig(cfg, identity, check), log, setupDeps(cfg, authority, wireless, board, end))
	if err != nil {
		return nil, err
	}
	where.own = own
	video, sound := media.NewFeed[*media.AccessUnit](), media.NewFeed[*media.AudioFrame]()
	camera, err := capture.New(cfg.Capture, log, board, video)
	if err != nil {
		return nil, inTable("capture", err)
	}
	far := audio.NewFarEnd()
	microphone, err := audio.New(cfg.Audio, log, board, sound, far)
	if err != nil {
		return nil, inTable("audio", err)
	}
	indicator, err := panel.NewIndicator(cfg.Panel, log, board)
	if err != nil {
		return nil, inTable("panel", err)
	}
	speaker, err := audio.NewSpeaker(cfg.Audio, log, board, audio.SpeakerDeps{Jitter: func() audio.Jitter { return jitter.New() }, Far: far})
	if err != nil {
		return nil, inTable("audio", err)
	}
	sessions, err := live.New(cfg.Live, log, board, live.Deps{Video: video, Audio: sound, Camera: camera, Indicator: indicator})
	if err != nil {
		return nil, inTable("live", err)
	}
	outward, err := outwardLink(cfg, log, board, authority, own.Settings())
	if err != nil {
		return nil, err
	}
	own.Reach(session{outward})
	certificate, err := openClaim(cfg, log, board, authority, outward, own)
	if err != nil {
		return nil, err
	}
	archive := prompts(cfg.Audio.Prompts, log, board)
	announcements := newAnnouncer(log, loudspeaker{speaker}, archive)
	told := &feedback{Provisioner: own, say: announcements.clip}
	events := event.Open(ctx, eventConfig(cfg, authority, check), log, board,
		event.Deps{Household: authority, Camera: camera, Video: video, Chime: announcements, Indicator: indicator})
	gate := authority.NewGate(auth.Deps{Sender: outward, Capture: captureDevices{camera, microphone, sessions, events}, Provisioner: told})
	outward.Deliver(gate)
	floor := talk.New(log, loudspeaker{speaker}, words{archive}, sessions)
	updates, updating, err := openUpdates(cfg, log, board, family{authority, sessions, events})
	if err != nil {
		return nil, err
	}
	s := &service{started: time.Now(), identity: identity, board: board, sessions: sessions, floor: floor, authority: authority, updates: updates, certificate: certificate, pairing: told, events: events, network: own}
	for op, o := range s.operations() {
		gate.Handle(op, o)
	}
	if certificate != nil {
		updating = append(updating, supervise.Part{Component: certificate})
	}
	radio, err := bluetooth(cfg.Setup.BLE, log, board, authority)
	if err != nil {
		return nil, err
	}
	codes, err := openLens(log, board, camera, authority, told)
	if err != nil {
		return nil, err
	}
	buttons, err := panel.New(cfg.Panel, log, board, actions(authority, floor, announcements, events, end))
	if err != nil {
		return nil, inTable("panel", err)
	}
	light, err := panel.NewStatus(cfg.Panel, log, board, s.scene)
	if err != nil {
		return nil, inTable("panel", err)
	}
	return &daemon{
		device: identity.DeviceID(), authority: authority, events: events, own: own,
		parts: append([]supervise.Part{
			{Component: gate, Required: true},
			{Component: sessions, Required: true},
			{Component: camera},
			{Component: microphone},
			{Component: speaker},
			{Component: announcements},
			{Component: events},
			{Component: own},
			{Component: wireless},
			{Component: outward},
			{Component: buttons},
			{Component: indicator},
			{Component: light},
			{Component: codes},
			{Component: &admin{path: cfg.Device.Socket, device: identity.DeviceID(), log: log.With("component", "admin"), household: authority, talk: floor, ring: events.Ring, updates: updates, status: s.status, restart: end.now,
				debug: &debugServer{log: out, level: cfg.Device.LogLevel, uid: peerUID}}},
			{Component: end, Required: true},
		}, append(updating, radio...)...),
	}, nil
}

// actions is what the buttons do.
func actions(authority *auth.Authority, floor *talk.Floor, say *announcer, events *event.Events, end anew) panel.Actions {
	over := func(how func() error) func(context.Context) error {
		return func(context.Context) error {
			err := how()
			if err == nil {
				end.now()
			}
			return err
		}
	}
	return panel.Actions{
		OpenWindow:    authority.OpenWindow,
		TogglePrivacy: func(context.Context) (bool, error) { return authority.TogglePrivacy() },
		Evict:         over(authority.Evict),
		Reset:         over(authority.Reset),
		Ring:          events.Ring,
		Accept:        floor.Accept,
		EndTalk:       floor.EndTalk,
		Say:           say.clip,
		Audit:         func(context.Context) error { say.tell(say.archive.Audit(present(authority))); return nil },
		Block:         floor.Block,
		StopPrompt:    say.stopPrompt,
	}
}

// outwardLink is the link to the broker, or one that waits until the device was set up.
func outwardLink(cfg config.Config, log *slog.Logger, board *health.Board, authority *auth.Authority, own setup.Settings) (*link.Link, error) {
	identity := authority.Identity()
	reached := reach(cfg.Link, own)
	if reached.Broker == "" {
		return link.Waiting(notSetUp, board), nil
	}
	cert, err := operational(cfg, identity, own)
	if err != nil && cfg.Link.Broker == "" {
		return link.Waiting("The certificate for the broker is missing. "+notSetUp, board), nil
	}
	if err != nil {
		return nil, err
	}
	statement, err := authority.Statement()
	if err != nil {
		return nil, err
	}
	birth := proto.Status{Online: true, Version: version, Epoch: statement}
	l, err := link.New(reached, log, board, identity.DeviceID(), birth, link.Login{Certificate: cert, Identity: identity.Signer()})
	if err != nil {
		return nil, inTable("link", err)
	}
	return l, nil
}

// checkName refuses a camera's name that the household couldn't give it either; without
// one it has none. docs/protocol.md 5.11.
func checkName(name string) error {
	if name == "" {
		return nil
	}
	if err := naming.Check(name); err != nil {
		return fmt.Errorf("name = %q: %w", name, err)
	}
	return nil
}

// inTable makes what a package says of its configuration a usage error.
func inTable(table string, err error) error {
	return &codedError{2, fmt.Errorf("configuration, table [%s]: %s", table, strings.TrimPrefix(err.Error(), table+" configuration: "))}
}

// storeCheck lets a child of the same program judge a database.
func storeCheck() (func(context.Context, string) error, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find camd's own program: %w", err)
	}
	return store.ChildCheck(exe, "store-check"), nil
}
