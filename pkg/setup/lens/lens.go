package lens

import (
	"context"
	"errors"
	"image"
	"log/slog"
	"time"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/setup/code"
)

// Timing of Run.
const (
	// every is the shortest time between two pictures. It is more if reading takes long, so
	// that half of the time is left for others.
	every = 200 * time.Millisecond
	// blindFor is how long the camera may give no usable picture, for example while it is
	// opened in another format, before health says so.
	blindFor = 5 * time.Second
)

// ErrCoded means that the camera gives only pictures that camd does not decode.
var ErrCoded = errors.New("no pictures that can be read")

// Eye is the camera.
type Eye interface {
	// Gray returns the present picture; its lines follow each other without a gap. The
	// error is ErrCoded or a fault of the camera.
	Gray(ctx context.Context) (*image.Gray, error)
	// AvoidH264 makes the camera give pictures that Gray can return, if it can, or ends that.
	AvoidH264(on bool)
}

// Window is the pairing window.
type Window interface {
	// Await waits until the window is open and nobody has a conversation with the device. It
	// returns a context that lasts as long as that, or as ctx. The error is that of ctx.
	Await(ctx context.Context) (open context.Context, err error)
}

// Taker gets the codes that were read.
type Taker interface {
	// Take reports whether the code was taken. Then no other is read until Await returns
	// again. ctx is the context of Await.
	Take(ctx context.Context, c code.Sealed) bool
}

// Finder finds a code in a picture; Process is one.
type Finder interface {
	Find(ctx context.Context, m *image.Gray) (text string, err error)
	Close() error
}

// Lens looks for codes.
type Lens struct {
	log    *slog.Logger
	health *health.Condition
	eye    Eye
	window Window
	taker  Taker
	finder Finder

	parts code.Collector
	said  code.Progress // last logged
	seen  time.Time     // when a picture was last read, or the window opened
	told  bool          // it was logged that a code is of another version
}

// New returns a lens. It does nothing until Run.
func New(log *slog.Logger, board *health.Board, eye Eye, window Window, taker Taker, finder Finder) *Lens {
	return &Lens{log: log.With("component", "lens"), health: board.Condition("lens"), eye: eye, window: window, taker: taker, finder: finder}
}

// String names the component.
func (l *Lens) String() string { return "lens" }

// Run looks for codes whenever Window.Await returns, until ctx ends. The process that reads
// them runs only meanwhile.
func (l *Lens) Run(ctx context.Context, ready func()) error {
	ready()
	for ctx.Err() == nil {
		l.health.Set(health.OK, "")
		open, err := l.window.Await(ctx)
		if err != nil {
			return nil //nolint:nilerr // ctx has ended
		}
		if l.look(open) {
			l.health.Set(health.OK, "")
			<-open.Done()
		}
	}
	return nil
}

// look looks for a code until one was taken or the window closes.
func (l *Lens) look(ctx context.Context) (taken bool) {
	l.eye.AvoidH264(true)
	defer l.eye.AvoidH264(false)
	defer func() {
		if err := l.finder.Close(); err != nil {
			l.log.Debug("the reader of codes did not end cleanly", "error", err)
		}
	}()
	l.parts, l.said, l.told, l.seen = code.Collector{}, code.Progress{}, false, time.Now()
	l.log.Info("looking for a code")
	for ctx.Err() == nil {
		began := time.Now()
		if found := l.picture(ctx); found != nil {
			l.log.Info("code read")
			if l.taker.Take(ctx, found) {
				return true
			}
			l.said, l.seen = code.Progress{}, time.Now()
		}
		took := time.Since(began)
		select {
		case <-ctx.Done():
		case <-time.After(max(every-took, took, every/2)):
		}
	}
	return false
}

// picture reads one picture. It returns a whole code, or nil.
func (l *Lens) picture(ctx context.Context) code.Sealed {
	m, err := l.eye.Gray(ctx)
	if err != nil {
		l.blind(ctx, err)
		return nil
	}
	text, err := l.finder.Find(ctx, m)
	if err != nil {
		l.blind(ctx, err)
		return nil
	}
	l.seen = time.Now()
	l.health.Set(health.OK, "")
	if text == "" {
		return nil
	}
	return l.add(text)
}

func (l *Lens) add(text string) code.Sealed {
	found, p, err := l.parts.Add(text)
	switch {
	case errors.Is(err, code.ErrVersion):
		if !l.told {
			l.log.Warn("a code of another version was shown: update camd, or the program that shows it")
		}
		l.told = true
	case err == nil && p != l.said:
		l.said = p
		l.log.Debug("part of a code read", "have", p.Have, "of", p.Of)
	}
	return found // nil with an error: somebody shows another code
}

// blind reports to health that no picture can be read, if that lasts for a while.
func (l *Lens) blind(ctx context.Context, err error) {
	if ctx.Err() != nil || time.Since(l.seen) < blindFor {
		return
	}
	sentence := "The camera gives no picture, so it can't read a code."
	switch {
	case errors.Is(err, ErrCoded):
		sentence = "This camera gives its pictures as H.264 alone, so it can't read a code: pair in another way."
	case errors.Is(err, errProcess):
		sentence = "The reader of codes fails again and again: pair in another way."
	}
	if l.health.Status().Reason != sentence {
		l.log.Warn("no code can be read", "error", err)
	}
	l.health.Set(health.Degraded, sentence)
}
