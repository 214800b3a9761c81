package capture

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/camd-project/camd/pkg/backoff"
	"github.com/camd-project/camd/pkg/capture/h264"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/media"
)

// Pauses before a camera is opened again. The longest is short, because somebody
// who plugs a camera in waits for its picture.
const (
	firstPause = 500 * time.Millisecond
	maxPause   = 5 * time.Second
	goodSpell  = 30 * time.Second // after which a fault counts as a new one
)

// A camera counts as hung when it sends nothing for the longer of these.
const (
	hangTime   = 3 * time.Second
	hangFrames = 10
)

// privacySentence is the reason of health in privacy mode.
const privacySentence = "Privacy mode is on: the camera is closed."

// Camera publishes what its source gives. Its goroutine is the one that calls Run;
// the other methods may be called from any and, SetPrivacy aside, never block.
type Camera struct {
	Output // the stream that it always has

	cfg    Config
	health *health.Condition
	source source
	low    *Output // nil: there is no second stream

	shutter          media.Shutter
	snapshotRequests chan chan<- snapshot // who waits for a picture of this moment
	wake             chan struct{}        // a value when snapshotRequests has got one
	choice           formatChoice
}

// formatChoice is the choice among a camera's formats.
type formatChoice struct {
	avoidH264     *atomic.Bool // raw pictures or motion JPEG are wanted instead of H.264
	avoidedAtOpen atomic.Bool  // the stream was opened when they were wanted
	replacesH264  atomic.Bool  // the stream has them, though the configuration allows H.264
	isH264        atomic.Bool  // the stream is H.264
	closeStream   atomic.Pointer[context.CancelCauseFunc]
}

// New returns a camera that publishes to out. It opens nothing.
func New(cfg Config, log *slog.Logger, board *health.Board, out *media.Feed[*media.AccessUnit]) (*Camera, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	avoidH264 := new(atomic.Bool)
	src, err := newSource(cfg, avoidH264)
	if err != nil {
		return nil, err
	}
	log = log.With("component", "capture")
	c := &Camera{
		Output: Output{log: log, out: out, highest: cfg.bitrate()}, cfg: cfg, health: board.Condition("camera"), source: src,
		choice: formatChoice{avoidH264: avoidH264}, snapshotRequests: make(chan chan<- snapshot, snapshotQueue), wake: make(chan struct{}, 1),
	}
	if cfg.hasLow() {
		c.low = &Output{log: log.With("stream", "low"), out: media.NewFeed[*media.AccessUnit](), highest: cfg.Low.bitrate()}
	}
	return c, nil
}

func newSource(cfg Config, avoidH264 *atomic.Bool) (source, error) {
	switch cfg.Source {
	case SourceV4L2:
		return &deviceSource{cfg: cfg, driver: kernel{}, avoidH264: avoidH264}, nil
	case SourceSynthetic:
		return syntheticSource{cfg}, nil
	case SourceFile:
		return fileSource{cfg}, nil
	case SourcePictures:
		return picturesSource{cfg}, nil
	}
	return nil, fmt.Errorf("%w: source %q is unknown", errConfig, cfg.Source)
}

// String names the component.
func (c *Camera) String() string { return "capture" }

// Low returns the second stream: the same pictures, smaller and with fewer bits. It is nil
// if the configuration leaves none. While the camera gives H.264 itself, or the second
// encoder fails, it has no format and no pictures.
func (c *Camera) Low() *Output { return c.low }

// SetPrivacy closes the camera and keeps it closed until SetPrivacy(false), for privacy mode.
// SetPrivacy(true) returns once the device is closed and its last picture published.
func (c *Camera) SetPrivacy(on bool) { c.shutter.SetClosed(on) }

// Run captures until ctx ends. It serves at once: a missing camera is reported by health and
// is not a failure of the component.
func (c *Camera) Run(ctx context.Context, ready func()) error {
	ready()
	pause := backoff.Backoff{First: firstPause, Max: maxPause}
	for ctx.Err() == nil {
		began := time.Now()
		err := c.shutter.Use(ctx, c.capture)
		if errors.Is(err, media.ErrPrivacy) {
			if c.shutter.WaitOpen(ctx, func() { c.health.Set(health.OK, privacySentence) }) {
				c.health.Set(health.Starting, "")
			}
			pause.Reset()
			continue
		}
		if errors.Is(err, errReopen) {
			continue // at once: somebody waits for a picture
		}
		if time.Since(began) > goodSpell {
			pause.Reset()
		}
		// Requests that nobody answers must not fill the queue. One during the pause may
		// be in time for the camera's return.
		for c.snapshotWanted() {
			<-c.snapshotRequests
		}
		c.pause(ctx, err, pause.Next())
	}
	return nil
}

// pause reports a fault and waits for d, unless ctx has ended or privacy mode begins. The
// whole error is logged once.
func (c *Camera) pause(ctx context.Context, err error, d time.Duration) {
	on, changed := c.shutter.Closed()
	if ctx.Err() != nil || on {
		return
	}
	sentence := explain(err)
	if c.health.Status().Reason != sentence {
		c.log.Warn("camera failed", "error", err)
	}
	c.health.Set(health.Failed, sentence)
	select {
	case <-ctx.Done():
	case <-changed:
	case <-time.After(d):
	}
}

// capture opens the source and publishes until it fails or ctx ends. It closes the source.
func (c *Camera) capture(ctx context.Context) (err error) {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	c.choice.closeStream.Store(&end)
	s, err := c.source.open()
	if err != nil {
		return err
	}
	defer func() {
		if e := s.close(); e != nil {
			c.log.Debug("camera did not close cleanly", "error", e)
		}
	}()
	sh := s.shape()
	if !c.choice.opened(sh) {
		return errReopen
	}
	var st stage
	if sh.coded {
		st = newPassThrough(c, s)
	} else if st, err = newEncode(c, sh); err != nil {
		return err
	}
	defer st.close()
	defer context.AfterFunc(ctx, s.interrupt)()
	c.log.Info("camera opened", "camera", sh.where, "rate", sh.rate)
	w := newWatch(c, s, st)
	defer w.end()
	err = c.pump(ctx, s, st, w)
	if context.Cause(ctx) == errReopen { //nolint:errorlint // the very one
		return errReopen
	}
	return err
}

// stage publishes pictures to the feed.
type stage interface {
	// take handles one picture. good reports whether the picture was usable; otherwise it
	// is dropped, and an h264.ErrDamaged says why. Any other error ends the stream.
	take(p picture) (good bool, err error)
	// trouble returns what viewers miss though pictures come; OK and "" if nothing.
	trouble() (health.State, string)
	// close frees memory. take allocates it again.
	close()
}

func (c *Camera) pump(ctx context.Context, s stream, st stage, w *watch) error {
	for {
		if w.shape.rests {
			c.rest(ctx, st, w)
		}
		p, err := s.grab()
		if errors.Is(err, errInterrupted) {
			return w.interrupted()
		}
		if err != nil {
			return err
		}
		good, err := st.take(p)
		if err != nil && !errors.Is(err, h264.ErrDamaged) {
			return err
		}
		w.saw(p, good, err)
	}
}

// rest waits, without an encoder, until pictures are wanted or one is requested.
func (c *Camera) rest(ctx context.Context, st stage, w *watch) {
	idle := func() bool { return !c.wanted() && !c.low.wanted() && !c.snapshotWanted() }
	if !idle() {
		return
	}
	st.close()
	w.timer.Stop()
	w.well()
	for idle() && ctx.Err() == nil {
		select {
		case <-c.changes():
		case <-c.low.changes():
		case <-c.wake:
		case <-ctx.Done():
		}
	}
	w.meter, w.judged = meter{}, 0 // the rest is no gap between pictures
	w.timer.Reset(w.hang)
}
