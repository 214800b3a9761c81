package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/camd-project/camd/pkg/audio"
	"github.com/camd-project/camd/pkg/audio/jitter"
	"github.com/camd-project/camd/pkg/audio/prompt"
	"github.com/camd-project/camd/pkg/auth"
	"github.com/camd-project/camd/pkg/capture"
	"github.com/camd-project/camd/pkg/config"
	"github.com/camd-project/camd/pkg/event"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/live"
	"github.com/camd-project/camd/pkg/logging"
	"github.com/camd-project/camd/pkg/media"
	"github.com/camd-project/camd/pkg/panel"
	"github.com/camd-project/camd/pkg/push"
	"github.com/camd-project/camd/pkg/setup"
	"github.com/camd-project/camd/pkg/setup/wifi"
	"github.com/camd-project/camd/pkg/store"
	"github.com/camd-project/camd/pkg/talk"
)

// wire joins the packages. It is the only place that knows more than one service.
func wire(ctx context.Context, cfg config.Config, out *logging.Log) (*daemon, error) {
	log := out.Logger()
	d := &daemon{cfg: cfg, out: out, log: log, board: health.NewBoard(log), again: make(restarter, 1), started: time.Now()}
	for _, stage := range []func(context.Context) error{d.openHousehold, d.openDevices, d.openServices, d.openLocal} {
		if err := stage(ctx); err != nil {
			return nil, errors.Join(err, d.close())
		}
	}
	return d, nil
}

// openHousehold opens what says who may do what, and how the camera was set up.
func (d *daemon) openHousehold(ctx context.Context) (err error) {
	cfg := d.cfg
	if _, err := brokerLogins(cfg.Link, d.log); err != nil {
		return err
	}
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find camd's own program: %w", err)
	}
	d.check = store.ChildCheck(exe, "store-check") // a child of the same program judges a database
	if err := checkName(cfg.Device.Name); err != nil {
		return inTable("device", err)
	}
	if err := cfg.Household.Check(); err != nil {
		return inTable("household", err)
	}
	c := auth.Config{
		State: cfg.Device.State, TPM: cfg.Device.TPM, Name: cfg.Device.Name, Household: cfg.Household,
		Broker: d.brokerLogin, Check: d.check, Clock: clockOf(cfg), Abort: func(reason string) { die(d.out, reason) },
	}
	if unix, err := strconv.ParseInt(built, 10, 64); err == nil {
		c.Built = time.Unix(unix, 0)
	}
	if d.authority, err = auth.Open(ctx, c, d.log, d.board); err != nil {
		return err
	}
	d.identity = d.authority.Identity()
	d.wireless = wifi.New(d.log, d.board)
	if d.setup, err = setup.Open(ctx, setupConfig(cfg, d.identity, d.check), d.log, d.setupDeps()); err != nil {
		return err
	}
	d.run(d.setup, d.wireless)
	return nil
}

// openDevices prepares camera, microphone, speaker and live indicator. Each is opened when
// it is wanted.
func (d *daemon) openDevices(context.Context) (err error) {
	cfg := d.cfg
	d.video, d.sound = media.NewFeed[*media.AccessUnit](), media.NewFeed[*media.AudioFrame]()
	if d.camera, err = capture.New(cfg.Capture, d.log, d.board, d.video); err != nil {
		return inTable("capture", err)
	}
	far := audio.NewFarEnd()
	if d.microphone, err = audio.New(cfg.Audio, d.log, d.board, d.sound, far); err != nil {
		return inTable("audio", err)
	}
	if d.indicator, err = panel.NewIndicator(cfg.Panel, d.log, d.board); err != nil {
		return inTable("panel", err)
	}
	deps := audio.SpeakerDeps{Jitter: func() audio.Jitter { return jitter.New() }, Far: far}
	if d.speaker, err = audio.NewSpeaker(cfg.Audio, d.log, d.board, deps); err != nil {
		return inTable("audio", err)
	}
	d.archive = openPrompts(cfg.Audio.Prompts, d.log, d.board)
	d.announcer = newAnnouncer(d.log, loudspeaker{d.speaker}, d.archive)
	d.run(d.camera, d.microphone, d.indicator, d.speaker, d.announcer)
	return nil
}

// openServices joins what members reach through the broker.
func (d *daemon) openServices(ctx context.Context) (err error) {
	deps := live.Deps{Video: d.video, Audio: d.sound, Camera: d.camera, Microphone: d.microphone,
		Bitrate: d.cfg.Capture.BitrateKbps * 1000, Indicator: d.indicator}
	if low := d.camera.Low(); low != nil {
		deps.LowVideo, deps.LowCamera = low.Feed(), low
	}
	d.live, err = live.New(d.cfg.Live, d.log, d.board, deps)
	if err != nil {
		return inTable("live", err)
	}
	if d.link, err = d.openLink(); err != nil {
		return err
	}
	d.setup.Reach(setupLink{d.link})
	if err := d.openClaim(); err != nil {
		return err
	}
	d.pairing = &feedback{Provisioner: d.setup, say: d.announcer.clip}
	d.events = event.Open(ctx, d.eventConfig(), d.log, d.board,
		event.Deps{Household: d.authority, Camera: d.camera, Video: d.video, Chime: d.announcer, Indicator: d.indicator})
	d.floor = talk.New(d.log, loudspeaker{d.speaker}, talkPrompts{d.archive}, d.live)
	update, err := d.openUpdates()
	if err != nil {
		return err
	}
	if d.push, err = push.New(d.cfg.Push, d.log, d.authority.EndPush); err != nil {
		return inTable("push", err)
	}
	gate := d.authority.NewGate(auth.Deps{
		Sender: d.link, Capture: captureDevices{d.camera, d.microphone, d.live, d.events}, Provisioner: d.pairing, Pusher: d.push,
	})
	d.link.Deliver(gate)
	for op, o := range d.operations() {
		gate.Handle(op, o)
	}
	d.require(gate, d.live)
	d.run(d.link, d.events, d.push)
	d.run(update...)
	return nil
}

// openLocal joins what people use who stand at the camera: pairing by Bluetooth and by the
// lens, buttons, status LED and the local socket.
func (d *daemon) openLocal(context.Context) error {
	if err := d.openBluetooth(); err != nil {
		return err
	}
	if err := d.openLens(); err != nil {
		return err
	}
	buttons, err := panel.New(d.cfg.Panel, d.log, d.board, d.actions())
	if err != nil {
		return inTable("panel", err)
	}
	led, err := panel.NewStatus(d.cfg.Panel, d.log, d.board, d.scene)
	if err != nil {
		return inTable("panel", err)
	}
	d.run(buttons, led, &admin{
		path: d.cfg.Device.Socket, device: d.identity.DeviceID(), log: d.log.With("component", "admin"),
		household: d.authority, talk: d.floor, ring: d.events.Ring, updates: d.updates, status: d.status, restart: d.again.now,
		debug: &debugServer{log: d.out, level: d.cfg.Device.LogLevel, uid: peerUID},
	})
	d.require(d.again)
	return nil
}

// actions returns what the buttons do.
func (d *daemon) actions() panel.Actions {
	thenRestart := func(end func() error) func(context.Context) error {
		return func(context.Context) error {
			err := end()
			if err == nil {
				d.again.now()
			}
			return err
		}
	}
	return panel.Actions{
		OpenWindow:    d.authority.OpenWindow,
		TogglePrivacy: func(context.Context) (bool, error) { return d.authority.TogglePrivacy() },
		Evict:         thenRestart(d.authority.Evict),
		Reset:         thenRestart(d.authority.Reset),
		Ring:          d.events.Ring,
		Accept:        d.floor.Accept,
		EndTalk:       d.floor.EndTalk,
		Say:           d.announcer.clip,
		Audit: func(context.Context) error {
			var all, watching []prompt.Person
			for _, m := range d.authority.Members() {
				p := prompt.Person{Name: m.Name, Role: m.Role}
				all = append(all, p)
				if len(m.Watching) > 0 {
					watching = append(watching, p)
				}
			}
			d.announcer.tell(d.archive.Audit(all, watching))
			return nil
		},
		Block:      d.floor.Block,
		StopPrompt: d.announcer.stopPrompt,
	}
}
