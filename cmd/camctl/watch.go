package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/pkg/backoff"
	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/proto"
)

type watchCmd struct {
	mediaFlags
	Camera  string `arg:"positional" help:"name or device id; not needed when one camera is paired"`
	Stream  string `arg:"--stream" help:"auto (what the connection carries), high, or low (smaller, with fewer bits)" default:"auto" placeholder:"STREAM"`
	Seconds int    `arg:"--seconds" help:"how long to watch; 0 is until Ctrl-C" default:"0" placeholder:"N"`
	Once    bool   `arg:"--once" help:"end when the camera is lost, instead of watching again when it is back"`
}

// Run watches and prints a line a second. A camera that is lost is asked again until it
// is back.
func (w watchCmd) Run(env *environment) error {
	o, err := w.options()
	if err != nil {
		return err
	}
	if w.Seconds < 0 {
		return command.Usage("--seconds is 0 or more; 0 is until Ctrl-C")
	}
	if o.Stream = proto.Stream(w.Stream); !o.Stream.Valid() || o.Stream == "" {
		return command.Usage(fmt.Sprintf("--stream is auto, high or low, not %q", w.Stream))
	}
	o.Video = func(client.Frame) {}
	if !w.Mute {
		o.Audio = func(client.Frame) {}
	}
	camera, err := env.dial(w.Camera)
	if err != nil {
		return err
	}
	defer camera.Close()
	session, err := camera.Watch(env.ctx, o)
	var refused *client.Refused
	if !w.Mute && errors.As(err, &refused) && refused.Code == proto.CodeScope {
		return fmt.Errorf("%w If you were given the picture only, use --mute", err)
	}
	if err != nil {
		return err
	}
	env.Note("Watching %s. Ctrl-C ends it.", camera.Record().Title())
	ctx, cancel := context.WithCancel(env.ctx)
	v := &viewing{env: env, ctx: ctx, camera: camera.Camera, options: o, once: w.Once, session: session, before: session.Stats(),
		stream: proto.StreamState{Stream: proto.StreamHigh, Why: proto.StreamByPath}, // the usual one is not said
		pauses: backoff.Backoff{First: firstAgain, Max: lastAgain}}
	defer v.end()
	defer cancel()
	return v.follow(w.Seconds)
}
