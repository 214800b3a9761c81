package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

// frameQueue bounds the frames that wait for the disk: some ten seconds.
const frameQueue = 1024

// recordSlack is how long a recording may lag behind the clock before it ends.
const recordSlack = 3 * time.Second

type recordCmd struct {
	mediaFlags
	Seconds float64 `arg:"--seconds" help:"how much to record (required)" placeholder:"N"`
	Force   bool    `arg:"--force" help:"overwrite the file"`
	First   string  `arg:"positional" help:"name or device id; not needed when one camera is paired" placeholder:"CAMERA"`
	Second  string  `arg:"positional" help:"the file to make (required), such as out.mp4" placeholder:"FILE"`
}

// recorded is what came of it.
type recorded struct {
	File     string  `json:"file"`
	Seconds  float64 `json:"seconds"`
	Pictures uint64  `json:"video_frames"`
	Sounds   uint64  `json:"audio_frames"`
	Lost     uint64  `json:"lost_packets"`
	Complete bool    `json:"complete"` // as long as was asked for
}

// Run records.
func (r recordCmd) Run(env *environment) error {
	if r.Seconds <= 0 || r.Seconds > 7*24*3600 {
		return command.Usage("--seconds must be more than 0 and at most a week")
	}
	which, path, err := env.cameraAndFile(r.First, r.Second, "out.mp4")
	if err != nil {
		return err
	}
	switch f, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case !r.Force:
		return fmt.Errorf("%s is there already; nothing was recorded. Name another file or use --force", path)
	case err == nil && !f.Mode().IsRegular():
		return fmt.Errorf("%s is not a file that can be overwritten; nothing was recorded. Name another file", path)
	}
	o, err := r.options()
	if err != nil {
		return err
	}
	o.Stream = proto.StreamHigh // a file has pictures of one size
	camera, err := env.dial(which)
	if err != nil {
		return err
	}
	defer camera.Close()
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*.part")
	if err != nil {
		return fmt.Errorf("no file can be made in %s: %w", filepath.Dir(path), home.WithoutPath(err))
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone already if it was kept
	rec := &recording{out: f, limit: time.Duration(r.Seconds * float64(time.Second))}
	lost, err := rec.run(env, camera.Camera, o, !r.Mute)
	if err != nil && rec.pictures == 0 {
		return err
	}
	return errors.Join(err, r.keep(env, rec, f, path, lost))
}

// keep gives the file its name, if there is anything in it.
func (r recordCmd) keep(env *environment, rec *recording, f *os.File, path string, lost uint64) error {
	if err := errors.Join(rec.close(), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("%s can't be written: %w", path, home.WithoutPath(err))
	}
	if rec.pictures == 0 {
		return errors.New("nothing was recorded: no complete picture came")
	}
	if err := giveName(f.Name(), path, r.Force); err != nil {
		return fmt.Errorf("%s can't be made: %w", path, home.WithoutPath(err))
	}
	result := recorded{File: path, Seconds: (rec.last - rec.first).Seconds(), Pictures: rec.pictures, Sounds: rec.sounds,
		Lost: lost, Complete: rec.full}
	text := "Recorded %.1f s into %s: %d pictures, %d packets of sound."
	if !rec.full {
		text = "Stopped early and kept %.1f s in %s: %d pictures, %d packets of sound."
	}
	return env.Print(result, text, result.Seconds, path, rec.pictures, rec.sounds)
}

// run records until the length is reached, env's context ends, or the session does. The
// error of an interruption is nil: what was recorded is kept.
func (r *recording) run(env *environment, camera *client.Camera, o client.WatchOptions, sound bool) (lost uint64, err error) {
	frames := make(chan piece, frameQueue)
	full := make(chan struct{}, 1)
	take := func(sound bool) func(client.Frame) {
		return func(f client.Frame) {
			select {
			case frames <- piece{f, sound}:
			default:
				select {
				case full <- struct{}{}:
				default:
				}
			}
		}
	}
	o.Video = take(false)
	if sound {
		o.Audio = take(true)
	}
	session, err := camera.Watch(env.ctx, o)
	if err != nil {
		return 0, err
	}
	defer func() { //nolint:contextcheck // the session's bye outlives ctx
		s := session.Stats()
		lost = s.Video.Lost + s.Audio.Lost
		session.Close()
	}()
	r.wantSound = slices.Contains(session.Scopes(), proto.ScopeListen) && sound
	env.Note("Recording %s.", camera.Record().Title())
	return 0, r.follow(env, session, frames, full)
}

func (r *recording) follow(env *environment, session *client.Session, frames <-chan piece, full <-chan struct{}) error {
	look := time.NewTicker(silenceLook)
	defer look.Stop()
	silent := false
	deadline := time.NewTimer(r.limit + maxWait + recordSlack)
	defer deadline.Stop()
	for {
		select {
		case p := <-frames:
			if done, err := r.take(p); done || err != nil {
				return err
			}
		case <-full:
			return errors.New("the disk is too slow for the recording")
		case <-look.C:
			was := silent
			if silent = session.Stats().Silent > 0; silent && !was {
				env.Note("Nothing comes any more.")
			}
		case <-deadline.C:
			return nil
		case <-env.ctx.Done():
			return nil
		case <-session.Done():
			return session.Err()
		}
	}
}
