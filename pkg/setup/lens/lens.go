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
	// every is how often a picture is looked at, at most. Where that takes long it is
	// less: half of the time is others'.
	every = 200 * time.Millisecond
	// blindFor is how long the camera may give no picture that can be read, such as while
	// it is opened in another format, before that is said.
	blindFor = 5 * time.Second
)

// ErrCoded means that the camera gives its pictures in a form that camd doesn't decode.
var ErrCoded = errors.New("no pictures that can be read")

// Eye is the camera.
type Eye interface {
	// Gray returns the picture of this moment; its lines follow each other without a gap.
	// The error is ErrCoded or what else keeps it from seeing.
	Gray(ctx context.Context) (*image.Gray, error)
	// Plain has the camera give pictures that can be read, if it can, or lets it go back.
	Plain(on bool)
}

// Window is the pairing window.
type Window interface {
	// Await waits until the window is open and nobody is in a conversation with the device
	// in it, and returns a context that ends when that is over, or ctx does. The error is
	// the end of ctx.
	Await(ctx context.Context) (open context.Context, err error)
}

// Taker gets the codes that were read.
type Taker interface {
	// Take reports whether the code was taken: then no other is looked for until Await
	// returns again. ctx is the one that Await returned.
	Take(ctx context.Context, c code.Sealed) bool
}

// Finder finds a code in a picture: a Process, or a test's.
type Finder interface {
	Find(ctx context.Context, m *image.Gray) (text string, err error)
	Close() error
}

// Lens looks for codes. Its goroutine is the one that calls Run.
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
	told  bool          // that a code is of another version
}

// New returns a lens that looks at nothing yet.
func New(log *slog.Logger, board *health.Board, eye Eye, window Window, taker Taker, finder Finder) *Lens {
	return &Lens{log: log.With("component", "lens"), health: board.Condition("lens"), eye: eye, window: window, taker: taker, finder: finder}
}

// String names the component.
func (l *Lens) String() string { return "lens" }

// Run looks for codes whenever the window says so, until ctx ends. Meanwhile, and not
// otherwise, there is a process that reads them.
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
	l.eye.Plain(true)
	defer l.eye.Plain(false)
	defer l.close()
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

func (l *Lens) close() {
	if err := l.finder.Close(); err != nil {
		l.log.Debug("the reader of codes did not end cleanly", "error", err)
	}
}

// picture looks at one picture. What it returns is a whole code, or nil.
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

// blind says that no picture can be read, once that has been so for a while.
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
