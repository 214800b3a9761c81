package main

import (
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

// firstEvents is how many entries a home is shown that has seen none.
const firstEvents = 50

type eventsCmd struct {
	Follow bool   `arg:"--follow" help:"go on until Ctrl-C: show what happens as it happens"`
	Save   string `arg:"--save" help:"save the pictures of rings in this folder" placeholder:"DIR"`
	Camera string `arg:"positional" help:"name or device id; not needed when one camera is paired"`
}

// Run shows what happened since the last time, and what is kept or what happens now.
func (c eventsCmd) Run(env *environment) error {
	if c.Save != "" {
		if err := os.MkdirAll(c.Save, 0o700); err != nil {
			return fmt.Errorf("pictures can't be saved in %s: %w", c.Save, home.WithoutPath(err))
		}
	}
	camera, err := env.dial(c.Camera)
	if err != nil {
		return err
	}
	defer camera.Close()
	kept := keptEvents{env: env, camera: camera.Camera, dir: c.Save}
	f := &client.Follower{Camera: camera.Camera, Recent: firstEvents, Entry: env.printEntry, Warn: func(sentence string) error {
		_, err := fmt.Fprintf(env.ErrOut, "camctl: %s\n", sentence)
		return err
	}}
	if c.Save != "" {
		var saving sync.WaitGroup
		defer saving.Wait()
		f.Ring = func(index uint64, at time.Time) { saving.Go(func() { kept.await(index, at) }) }
	}
	defer f.Close()
	if err := f.CatchUp(env.ctx); err != nil {
		return err
	}
	kept.loc = f.Location()
	may, err := camera.HasScope(env.ctx, proto.ScopeEvents) // the camera would log a request that is refused
	switch {
	case err != nil:
		return err
	case !may && c.Save != "":
		return proto.Refuse(proto.CodeScope)
	case may && (!c.Follow || c.Save != ""):
		if err := kept.list(); err != nil {
			return err
		}
	}
	if !c.Follow {
		return nil
	}
	env.Note("Following %s. Ctrl-C ends it.", camera.Record().Title())
	return f.Follow(env.ctx)
}
