package capture

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/media"
)

// reportEvery is how often lost pictures are logged, if there were any.
const reportEvery = time.Minute

// watch sees that pictures come, and says so on the health board.
type watch struct {
	camera *Camera
	shape  shape
	hang   time.Duration
	timer  *time.Timer // interrupts the stream when no good picture came for hang

	damagedNow    bool  // nothing good came since a damaged one
	why           error // what was wrong with that one, if known
	lost, damaged int   // since reported
	reported      time.Duration

	format *media.VideoFormat // that loss speaks of
	loss   string             // what was asked for and isn't had
}

func (w *watch) saw(p picture, good bool, why error) {
	w.lost += p.lost
	w.damagedNow, w.why = !good, why
	if good {
		w.timer.Reset(w.hang)
		w.well()
	} else {
		w.damaged++
	}
	if p.pts-w.reported < reportEvery {
		return
	}
	if w.lost+w.damaged > 0 {
		w.camera.log.Warn("pictures lost", "lost", w.lost, "damaged", w.damaged)
	}
	w.lost, w.damaged, w.reported = 0, 0, p.pts
}

// well reports a camera that works, perhaps with losses.
func (w *watch) well() {
	if f := w.camera.format.Load(); f != w.format || f == nil {
		w.format = f
		w.loss = strings.Join(w.losses(), " ")
	}
	if w.loss != "" {
		w.camera.health.Set(health.Degraded, w.loss)
		return
	}
	w.camera.health.Set(health.OK, "")
}

// losses says what was asked for and isn't had, by what came rather than by what the
// driver said.
func (w *watch) losses() []string {
	l := slices.Clone(w.shape.losses)
	cfg, f := w.camera.cfg, w.format
	if w.shape.driven && f != nil && (f.Width != cfg.Width || f.Height != cfg.Height) {
		l = append(l, fmt.Sprintf("The camera gives pictures of %dx%d instead of %dx%d.", f.Width, f.Height, cfg.Width, cfg.Height))
	}
	return l
}

// interrupted says why the stream was, if not for the context's end.
func (w *watch) interrupted() error {
	switch {
	case w.why != nil:
		return w.why
	case w.damagedNow:
		return &fault{"The camera sends only damaged pictures: check its cable and power supply.", errDamage}
	}
	return &fault{fmt.Sprintf("The camera has sent no picture for %v: if this stays, unplug it and plug it in again.", w.hang), errHung}
}
