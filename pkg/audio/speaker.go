package audio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/camd-project/camd/pkg/audio/alsa"
	"github.com/camd-project/camd/pkg/audio/jitter"
	"github.com/camd-project/camd/pkg/audio/opus"
	"github.com/camd-project/camd/pkg/audio/paced"
	"github.com/camd-project/camd/pkg/backoff"
	"github.com/camd-project/camd/pkg/health"
)

// Speaker plays announcements and one remote voice. The card is open from an
// announcement until the voice that follows it ends, or for two seconds.
//
// It keeps the order that people in the room rely on: no sample of a voice reaches the card
// before the last sample of an announcement was heard from the same opened card, at most
// two seconds ago. The holder of a Voice can't change that.
type Speaker struct {
	cfg    Config
	deps   SpeakerDeps
	log    *slog.Logger
	health *health.Condition
	output output

	requests chan request
	over     chan struct{} // closed when Run has returned
	open     atomic.Bool   // the card is open, and works so far

	device string // the last that was tried; only Run uses it
	lost   overruns
}

// SpeakerDeps is what a Speaker needs.
type SpeakerDeps struct {
	Jitter func() Jitter       // makes the buffer of one voice
	Tap    func(frame []int16) // called with each frame that the card takes; it must not keep the frame. Or nil
	Far    *FarEnd             // gets what is heard and when, for the Microphone; or nil
}

// Jitter orders and decodes a voice's packets; see jitter.Buffer. Put is safe for concurrent
// use and never blocks. Get is called by one goroutine, every 20 ms.
type Jitter interface {
	Put(seq uint16, timestamp uint32, payload []byte, at time.Duration)
	Get(frame []int16) (voiced bool) // voiced: somebody speaks in it
	Stats() jitter.Stats
}

// player is an open playback device of 48 kHz mono. The errors are alsa's.
type player interface {
	Write(samples []int16) (int, error) // waits until all are taken
	Delay() (int, error)                // samples written and not yet heard
	Drain(ctx context.Context) error    // waits until all were heard
	Restart() error                     // after alsa.ErrXrun; forgets what wasn't heard
	Close() error                       // from any goroutine; ends Write and Drain
}

// request is a function for Run's goroutine to call while the card is open.
type request struct {
	do     func(*playing) (*Voice, error)
	answer chan answer // holds one
}

type answer struct {
	voice *Voice
	err   error
}

// Errors of a Speaker.
var (
	ErrNoSpeaker   = errors.New("this device has no speaker (audio.speaker is off)")
	ErrUnannounced = errors.New("no announcement was heard just before the voice")
	ErrTaken       = errors.New("another voice is heard already")
	ErrClip        = errors.New("the announcement is no sound of 20 ms Opus packets")
	errStopped     = errors.New("the speaker has stopped")
)

// readyTime bounds the time of Ready.
const readyTime = 5 * time.Second

// NewSpeaker checks cfg and opens nothing.
func NewSpeaker(cfg Config, log *slog.Logger, board *health.Board, deps SpeakerDeps) (*Speaker, error) {
	log = log.With("component", "speaker")
	s := &Speaker{
		cfg: cfg, deps: deps, log: log, health: board.Condition("speaker"),
		requests: make(chan request), over: make(chan struct{}),
		lost: overruns{log: log},
	}
	if cfg.Speaker == "off" {
		return s, nil
	}
	var err error
	s.output, err = newOutput(cfg)
	return s, err
}

func (*Speaker) String() string { return "speaker" }

// Ready opens the card and sets its level, and returns an error if that fails. An
// announcement may follow.
func (s *Speaker) Ready() error {
	if s.open.Load() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), readyTime)
	defer cancel()
	_, err := s.ask(ctx, func(*playing) (*Voice, error) { return nil, nil })
	return err
}

// Announce plays Opus packets of 20 ms and returns nil only when the last sample was heard.
// A voice is silent meanwhile. After an underrun everything is played once more.
// Announcements are played in the order of the calls.
func (s *Speaker) Announce(ctx context.Context, clips [][]byte) error {
	_, err := s.ask(ctx, func(p *playing) (*Voice, error) { return nil, p.announce(ctx, clips) })
	if err != nil {
		return fmt.Errorf("announce: %w", err)
	}
	return nil
}

// Prompt plays as Announce does, but no voice may follow: what is said about the door, or
// about the members, announces nobody.
func (s *Speaker) Prompt(ctx context.Context, clips [][]byte) error {
	_, err := s.ask(ctx, func(p *playing) (*Voice, error) {
		err := p.announce(ctx, clips)
		p.heard = time.Time{}
		return nil, err
	})
	if err != nil {
		return fmt.Errorf("prompt: %w", err)
	}
	return nil
}

// Voice starts a remote voice, until ctx ends or it is closed. It fails with ErrTaken if
// there is another, and with ErrUnannounced unless an announcement was heard just before.
// After one announcement one voice may follow.
func (s *Speaker) Voice(ctx context.Context) (*Voice, error) {
	v, err := s.ask(ctx, func(p *playing) (*Voice, error) { return p.admit(ctx) })
	if err != nil {
		return nil, fmt.Errorf("let a voice in: %w", err)
	}
	return v, nil
}

// ask has Run's goroutine call do. Once that has begun, ask waits for its end.
func (s *Speaker) ask(ctx context.Context, do func(*playing) (*Voice, error)) (*Voice, error) {
	if s.cfg.Speaker == "off" {
		return nil, ErrNoSpeaker
	}
	r := request{do: do, answer: make(chan answer, 1)}
	select {
	case s.requests <- r:
		a := <-r.answer
		return a.voice, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.over:
		return nil, errStopped
	}
}

// Run serves at once, and looks whether there is a speaker. When it returns, the card is
// closed.
func (s *Speaker) Run(ctx context.Context, ready func()) error {
	defer close(s.over)
	ready()
	if s.cfg.Speaker == "off" {
		s.health.Set(health.OK, "off")
		<-ctx.Done()
		return nil
	}
	pause := backoff.Backoff{First: firstPause, Max: maxPause}
	for err := s.look(); ; {
		s.report(err)
		var again <-chan time.Time
		if err == nil {
			pause.Reset()
		} else {
			again = time.After(pause.Next())
		}
		select {
		case <-ctx.Done():
			return nil
		case <-again:
			err = s.look()
		case r := <-s.requests:
			err = s.play(ctx, r)
		}
	}
}

// look finds the card and sets its level, without opening it for sound.
func (s *Speaker) look() (err error) {
	if s.device, err = s.output.find(); err != nil {
		return err
	}
	return s.output.level(s.device)
}

// report sets the sentence for people in health, and logs the whole error once.
func (s *Speaker) report(err error) {
	if err == nil {
		unheard := ""
		switch s.cfg.Speaker {
		case "null":
			unheard = `Nobody in the room hears anything: audio.speaker is "null".`
		case "file":
			unheard = "Nobody in the room hears anything: what would be heard is written to a file."
		}
		s.health.Set(health.OK, unheard)
		return
	}
	sentence := explain(loudspeaker, s.device, err)
	if s.health.Status().Reason != sentence {
		s.log.Warn("speaker failed", "device", s.device, "error", err)
	}
	s.health.Set(health.Failed, sentence)
}

// play opens the card for a request, and serves it and others until nothing plays any more,
// ctx ends or the card fails. Only the last is an error.
func (s *Speaker) play(ctx context.Context, first request) (err error) {
	err = s.look()
	var out player
	if err == nil {
		out, err = s.output.open(s.device)
	}
	if err != nil {
		first.answer <- answer{err: fault(explain(loudspeaker, s.device, err))}
		return err
	}
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { _ = out.Close(); close(closed) })
	s.open.Store(true)
	s.report(nil)
	p := &playing{s: s, ctx: ctx, out: out, decoder: opus.NewDecoder(), timer: time.NewTimer(0)}
	p.serve(first)
	s.open.Store(false)
	if stop() {
		p.fail(out.Close())
	} else {
		<-closed
	}
	s.deps.Far.end()
	if p.voice != nil {
		p.voice.finish(p.why(), s.log)
	}
	if ctx.Err() != nil {
		return nil //nolint:nilerr // it was asked for
	}
	return p.broken
}

// output is where players come from.
type output struct {
	find  func() (device string, err error) // looks, plays nothing
	open  func(device string) (player, error)
	level func(device string) error // sets the volume
}

func newOutput(cfg Config) (output, error) {
	switch cfg.Speaker {
	case "null":
		return output{
			find:  func() (string, error) { return "null", nil },
			open:  func(string) (player, error) { return paced.New(), nil },
			level: unchanged,
		}, nil
	case "file":
		if cfg.SpeakerFile == "" {
			return output{}, errors.New("speaker_file: name the file, for speaker = \"file\"")
		}
		return output{
			find:  func() (string, error) { return cfg.SpeakerFile, nil },
			open:  openRecorder,
			level: unchanged,
		}, nil
	}
	find, err := finder(loudspeaker, alsa.Outputs, cfg.Speaker)
	return output{
		find: find,
		open: func(device string) (player, error) { return alsa.OpenPlayback(device) },
		level: func(device string) error {
			return setLevel(loudspeaker, device, alsa.Out, cfg.SpeakerElement, cfg.SpeakerLevel)
		},
	}, err
}
