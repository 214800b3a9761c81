package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/camd-project/camd/pkg/auth"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/supervise"
	"github.com/camd-project/camd/pkg/update"
	"github.com/camd-project/camd/pkg/update/catalog"
	"github.com/camd-project/camd/pkg/update/rauc"
)

// updater brings the camera from one release to the next.
type updater interface {
	Status() proto.UpdateStatus
	Install(ctx context.Context) error
	Postpone(until time.Time) error
}

// updates is what people may ask of the updater. docs/protocol.md 12.2.
type updates struct {
	updater updater // nil: the configuration has no update server
	check   func()
	version string // of the image, or of camd where there is none
	log     asker

	mu     sync.Mutex
	looked time.Time
}

// asker is the access log, for what people decide.
type asker interface {
	AskUpdate(r *auth.Request, s proto.UpdateStep) (uint64, error)
}

// lookEvery bounds how often people have the camera look for a release.
const lookEvery = time.Minute

// status is how it stands.
func (u *updates) status() proto.UpdateStatus {
	if u.updater == nil {
		return proto.UpdateStatus{State: proto.UpdateOff, Version: u.version}
	}
	return u.updater.Status()
}

// do carries out what a member asks for, or someone at the device (r is nil): what may be
// done first stands in the access log. The entry is nil where nothing was logged.
func (u *updates) do(ctx context.Context, r *auth.Request, q proto.UpdateRequest) (entry *uint64, err error) {
	if !q.Valid() {
		return nil, proto.Refuse(proto.CodeBadRequest)
	}
	if q.Do == proto.UpdateDoStatus {
		return nil, nil //nolint:nilnil // nothing was logged, and nothing is wrong
	}
	if u.updater == nil {
		return nil, proto.Refuse(proto.CodeNoUpdate)
	}
	if q.Do == proto.UpdateDoCheck {
		u.look()
		return nil, nil //nolint:nilnil // as above
	}
	now := u.updater.Status()
	if code := allows(now, q); code != proto.CodeOK {
		return nil, proto.Refuse(code)
	}
	step := proto.UpdateStep{Kind: proto.StepAsked, Version: now.Offered}
	if q.Do == proto.UpdateDoPostpone {
		step.Kind, step.Until = proto.StepPostponed, q.Until
	}
	index, err := u.log.AskUpdate(r, step)
	if err != nil {
		return nil, err
	}
	if q.Do == proto.UpdateDoInstall {
		return &index, refusedUpdate(u.updater.Install(ctx))
	}
	var until time.Time
	if q.Until != 0 {
		until = time.Unix(q.Until, 0)
	}
	return &index, refusedUpdate(u.updater.Postpone(until))
}

// look has the camera look for a release, unless it has just been asked to.
func (u *updates) look() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.looked.IsZero() && time.Since(u.looked) < lookEvery {
		return
	}
	u.looked = time.Now()
	u.check()
}

// allows returns whether an update in this state can be installed now, or put off.
func allows(now proto.UpdateStatus, q proto.UpdateRequest) proto.Code {
	switch now.State {
	case proto.UpdateAvailable, proto.UpdateDownloading, proto.UpdateInstalled:
	case proto.UpdateInstalling, proto.UpdateRestarting, proto.UpdateTrial:
		if q.Do == proto.UpdateDoPostpone {
			return proto.CodeUnderWay
		}
	default:
		return proto.CodeNoUpdate
	}
	if q.Do == proto.UpdateDoPostpone && q.Until > now.Latest {
		return proto.CodePutOff
	}
	return proto.CodeOK
}

// refusedUpdate is an updater's error as a peer may know it.
func refusedUpdate(err error) error {
	for is, code := range map[error]proto.Code{update.ErrNothing: proto.CodeNoUpdate, update.ErrTooLate: proto.CodePutOff, update.ErrUnderWay: proto.CodeUnderWay} {
		if errors.Is(err, is) {
			return proto.Refuse(code)
		}
	}
	return err
}

// update answers what a member asks about the camera's own update.
func (d *daemon) update(ctx context.Context, r auth.Request, q proto.UpdateRequest) (auth.Result, error) {
	entry, err := d.updates.do(ctx, &r, q)
	if err != nil {
		return auth.Result{}, err
	}
	return auth.Result{Body: d.updates.status(), Entry: entry}, nil
}

// openUpdates joins what updates the camera, and returns the parts of it. Without an update
// server in the configuration there is none; in an image the slot that runs is kept all the
// same.
func (d *daemon) openUpdates() ([]supervise.Component, error) {
	cfg := d.cfg
	compatible, image := update.Image(cfg.Update.Image)
	d.updates = &updates{version: cmp.Or(image, version), log: d.authority}
	if !cfg.Update.On() {
		if image == "" {
			return nil, nil
		}
		return []supervise.Component{update.NewKeeper(rauc.New(), d.log)}, nil
	}
	var running *update.Updater
	releases, err := catalog.New(catalog.Config{
		Source:     catalog.Source{Anchors: cfg.Update.Anchors, State: filepath.Join(cfg.Device.State, "update"), URL: cfg.Update.URL},
		Compatible: compatible, Device: string(d.identity.DeviceID()), Version: image, Lowest: func() string { return running.Lowest() },
	})
	if err != nil {
		return nil, inTable("update", err)
	}
	slots := rauc.New()
	running, err = update.New(cfg.Update, d.log, d.board, update.Deps{
		Catalog: releases, Slots: slots, Bundles: slots, Household: updateHousehold{d.authority, d.live, d.events},
		SelfTest: func(context.Context) error { return selfTest(d.authority, cfg.Device.State) },
		Restart:  update.RestartBy(filepath.Join(filepath.Dir(cfg.Device.Socket), restartFile)),
		State:    cfg.Device.State, Version: image,
	})
	if err != nil {
		return nil, inTable("update", err)
	}
	d.updates.updater, d.updates.check = running, running.Check
	return []supervise.Component{running}, nil
}

// restartFile asks the system to restart, when it appears beside the local socket: the
// image has a unit that waits for it.
const restartFile = "reboot"

// selfTest reports whether a version that is on trial can work with what the household has:
// its keys, and the newest page of its access log.
func selfTest(authority *auth.Authority, state string) error {
	if err := auth.CheckKeys(state, authority.Identity()); err != nil {
		return fmt.Errorf("the household's keys: %w", err)
	}
	if _, err := authority.LogPage(0, 0); err != nil {
		return fmt.Errorf("the access log: %w", err)
	}
	return nil
}
