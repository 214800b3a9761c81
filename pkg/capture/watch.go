package capture

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/media"
)

// reportEvery is how often lost pictures are logged, if there were any.
const reportEvery = time.Minute

// watch checks that pictures come, and reports to health.
type watch struct {
	camera *Camera
	shape  shape
	stage  stage
	hang   time.Duration
	timer  *time.Timer // interrupts the stream when no good picture came for hang

	damagedNow    bool  // no good picture has come since a damaged one
	why           error // what was wrong with that one, if known
	lost, damaged int   // since reported
	reported      time.Duration

	meter  meter
	judged time.Duration      // when the rate was last checked
	rate   float64            // in loss: the driver's until one is measured
	format *media.VideoFormat // in loss
	loss   string             // sentences about what was configured and is missing

	asked time.Duration // when a keyframe was last due

	gap         int    // lost since a coded picture was published
	unsubscribe func() // nil if the stream isn't coded
}

// newWatch begins to watch a stream.
func newWatch(c *Camera, s stream, st stage) *watch {
	w := &watch{camera: c, shape: s.shape(), stage: st}
	w.rate = w.shape.rate
	w.hang = w.patience(w.rate)
	w.timer = time.AfterFunc(w.hang, s.interrupt)
	if w.shape.coded { // buffers need not be pictures
		w.unsubscribe = c.out.Subscribe(func(u *media.AccessUnit) {
			w.measure(u.PTS, w.gap)
			w.gap = 0
		})
	}
	return w
}

func (w *watch) end() {
	w.timer.Stop()
	if w.unsubscribe != nil {
		w.unsubscribe()
	}
}

// patience returns how long a camera may send nothing.
func (w *watch) patience(rate float64) time.Duration {
	return max(hangTime, time.Duration(hangFrames*float64(time.Second)/rate))
}

func (w *watch) saw(p picture, good bool, why error) {
	w.lost += p.lost
	w.damagedNow, w.why = !good, why
	if w.gap += p.lost; !w.shape.coded {
		w.measure(p.pts, w.gap)
		w.gap = 0
	}
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

const (
	judgeEvery = 5 * time.Second // how often the measured rate is checked
	rateShift  = 0.15            // by how much it must differ to count as changed
	rateLoss   = 0.1             // by how much it must differ from the configured one to be reported
)

// measure measures the real rate. It decides how long to wait for a picture, what health
// reports, and when a camera that counts pictures must be asked for a keyframe.
func (w *watch) measure(pts time.Duration, lost int) {
	w.meter.add(pts, lost)
	if w.judged == 0 {
		w.judged, w.asked = pts, pts
	}
	if r := w.meter.rate(); pts-w.judged >= judgeEvery && r > 0 {
		w.judged = pts
		if math.Abs(r-w.rate) > rateShift*w.rate {
			w.rate, w.format = r, nil // tell it again
			w.hang = w.patience(r)
		}
	}
	every := time.Duration(w.camera.cfg.KeyframeSeconds) * time.Second
	if w.shape.forceIDR && pts-w.asked >= every {
		if w.asked = pts; w.rate < w.shape.rate*(1-rateLoss) {
			w.camera.RequestKeyframe()
		}
	}
}

// well reports a camera that works, perhaps with losses.
func (w *watch) well() {
	if f := w.camera.format.Load(); f != w.format || f == nil { // or the rate is another one
		w.format = f
		w.loss = strings.Join(w.losses(), " ")
	}
	switch state, trouble := w.stage.trouble(); {
	case state == health.Failed:
		w.camera.health.Set(state, trouble)
	case trouble != "" || w.loss != "":
		w.camera.health.Set(health.Degraded, strings.TrimSpace(trouble+" "+w.loss))
	default:
		w.camera.health.Set(health.OK, "")
	}
}

// losses returns sentences about what was configured and is missing, by the pictures that
// came and not by what the driver said.
func (w *watch) losses() []string {
	l := slices.Clone(w.shape.losses)
	cfg, f := w.camera.cfg, w.format
	if !w.shape.driven {
		return l
	}
	if f != nil && (f.Width != cfg.Width || f.Height != cfg.Height) {
		l = append(l, fmt.Sprintf("The camera gives pictures of %dx%d instead of %dx%d.", f.Width, f.Height, cfg.Width, cfg.Height))
	}
	switch want := float64(cfg.Rate); {
	case w.rate < want*(1-rateLoss):
		l = append(l, fmt.Sprintf("The camera gives %.3g pictures per second instead of %d.", w.rate, cfg.Rate))
	case w.shape.coded && w.rate > want*(1+rateLoss):
		l = append(l, fmt.Sprintf("The camera gives %.3g pictures per second instead of %d, and of its H.264 none can be left out: set rate to that, or format to raw or mjpeg.", w.rate, cfg.Rate))
	}
	return l
}

// interrupted returns why the stream was interrupted, if the context has not ended.
func (w *watch) interrupted() error {
	switch {
	case w.why != nil:
		return w.why
	case w.damagedNow:
		return &fault{"The camera sends only damaged pictures: check its cable and power supply.", errDamage}
	}
	return &fault{fmt.Sprintf("The camera has sent no picture for %v: if this stays, unplug it and plug it in again.", w.hang), errHung}
}
