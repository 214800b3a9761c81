package main

import (
	"context"
	"fmt"
	"time"

	"github.com/camd-project/camd/pkg/config"
	"github.com/camd-project/camd/pkg/foreign"
	"github.com/camd-project/camd/pkg/update"
	"github.com/camd-project/camd/pkg/update/rauc"
	"github.com/camd-project/camd/pkg/update/release"
)

// A release in one file is of this order, and lies in the state folder while it is needed.
const roomForRelease = 256 << 20

const busTime = 5 * time.Second // for RAUC to be started by the bus, and to answer

// updates looks at what the camera's own update needs: who it is, whom it believes, who
// installs, and room. It asks no update server.
func (r *report) updates(ctx context.Context, cfg config.Config) {
	if !cfg.Update.On() {
		r.line("update", "-", "update.url is empty: this camera does not update itself")
		return
	}
	compatible, image := update.Image(cfg.Update.Image)
	if compatible == "" || image == "" {
		r.fail("update", fmt.Sprintf("%s does not say which image runs: IMAGE_ID must be the kind of device and IMAGE_VERSION three numbers such as 1.2.0", cfg.Update.Image))
	} else {
		r.line("update", "ok", fmt.Sprintf("image %s %s, from %s", compatible, image, cfg.Update.URL))
	}
	if _, err := release.ReadAnchors(cfg.Update.Anchors); err != nil {
		r.fail("anchors", err.Error())
	} else {
		r.line("anchors", "ok", "the maker's keys in "+cfg.Update.Anchors)
	}
	ctx, cancel := context.WithTimeout(ctx, busTime)
	defer cancel()
	r.slots(ctx, rauc.New(), compatible)
	if free, err := freeSpace(nearest(cfg.Device.State)); err == nil && free < roomForRelease {
		r.line("update", "?", fmt.Sprintf("%d MiB are free for %s, and a release may need %d", free>>20, cfg.Device.State, roomForRelease>>20))
	}
}

// slotter returns which slot runs.
type slotter interface {
	Status(ctx context.Context) (update.SlotStatus, error)
}

func (r *report) slots(ctx context.Context, of slotter, compatible string) {
	s, err := of.Status(ctx)
	switch {
	case err != nil:
		r.fail("RAUC", err.Error())
	case s.Compatible != compatible:
		r.fail("RAUC", fmt.Sprintf("installs what is for %s, and this image is one for %s", foreign.Name(s.Compatible), foreign.Name(compatible)))
	default:
		r.line("RAUC", "ok", fmt.Sprintf("runs from slot %s, installs into %s", foreign.Name(s.Booted), foreign.Name(s.Other)))
	}
}
