package main

import (
	"context"
	"log/slog"
	"sync"

	"github.com/camd-project/camd/pkg/audio/prompt"
	"github.com/camd-project/camd/pkg/health"
)

// openPrompts opens the archive of spoken prompts. With one that can't be used nobody can
// speak through the camera; everything else works.
func openPrompts(path string, log *slog.Logger, board *health.Board) *prompt.Archive {
	condition := board.Condition("prompts")
	archive, err := prompt.Open(path)
	if err != nil {
		log.Error("spoken prompts can't be used", "error", err)
		condition.Set(health.Failed, "The archive of spoken prompts can't be read, so nobody may speak through the camera. Correct audio.prompts, or leave it empty.")
		return &prompt.Archive{}
	}
	if err := archive.Check(); err != nil {
		log.Warn("the archive of spoken prompts is not whole", "error", err)
		condition.Set(health.Degraded, "The archive of spoken prompts lacks clips: camops prompts --list shows those that there are.")
		return archive
	}
	condition.Set(health.OK, "")
	return archive
}

// waitingPrompts is how many announcements may wait for the one that is played.
const waitingPrompts = 8

// announcer plays prompts one after the other for callers that must not wait for them. A
// long one, such as the list of members, is stopped by a press and by any other sound: it
// must not cover the words before an eviction, or the bell.
type announcer struct {
	log     *slog.Logger
	speaker interface {
		Prompt(ctx context.Context, clip [][]byte) error
	}
	archive *prompt.Archive
	queue   chan *utterance

	mu   sync.Mutex
	long *utterance // that is spoken, or waits; nil: none
}

// utterance is a prompt that waits to be played.
type utterance struct {
	packets [][]byte
	ctx     context.Context // ends to stop it; nil: it is played to its end
	stop    context.CancelFunc
}

func newAnnouncer(log *slog.Logger, speaker loudspeaker, archive *prompt.Archive) *announcer {
	return &announcer{log: log.With("component", "announcer"), speaker: speaker, archive: archive, queue: make(chan *utterance, waitingPrompts)}
}

func (*announcer) String() string { return "announcer" }

// Run speaks until ctx ends. A prompt that can't be played is lost: the speaker's
// condition of health says why.
func (a *announcer) Run(ctx context.Context, ready func()) error {
	ready()
	for {
		select {
		case <-ctx.Done():
			return nil
		case u := <-a.queue:
			if err := a.speak(ctx, u); err != nil {
				a.log.Warn("a prompt was not spoken", "error", err)
			}
			a.forget(u)
		}
	}
}

// speak plays one. It is no error that it was stopped.
func (a *announcer) speak(ctx context.Context, u *utterance) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if u.ctx != nil {
		defer context.AfterFunc(u.ctx, stop)()
		if u.ctx.Err() != nil {
			return nil
		}
	}
	if err := a.speaker.Prompt(ctx, u.packets); ctx.Err() == nil {
		return err
	}
	return nil
}

// say plays a clip, or a sentence.
func (a *announcer) say(packets [][]byte, err error) {
	a.stopPrompt()
	a.put(&utterance{packets: packets}, err)
}

// tell plays something long, until stopPrompt or another sound.
func (a *announcer) tell(packets [][]byte, err error) {
	a.stopPrompt()
	u := &utterance{packets: packets}
	u.ctx, u.stop = context.WithCancel(context.Background())
	a.mu.Lock()
	a.long = u
	a.mu.Unlock()
	if !a.put(u, err) {
		a.forget(u)
	}
}

// stopPrompt stops what is long, and reports whether anything was.
func (a *announcer) stopPrompt() bool {
	a.mu.Lock()
	u := a.long
	a.mu.Unlock()
	if u == nil {
		return false
	}
	a.forget(u)
	return true
}

// forget ends what is long.
func (a *announcer) forget(u *utterance) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if u.stop != nil {
		u.stop()
	}
	if a.long == u {
		a.long = nil
	}
}

func (a *announcer) put(u *utterance, err error) bool {
	if err != nil {
		a.log.Warn("a prompt is missing", "error", err)
		return false
	}
	select {
	case a.queue <- u:
		return true
	default:
		a.log.Warn("a prompt is left out: too many wait to be spoken")
		return false
	}
}

// clip has one clip of the archive spoken.
func (a *announcer) clip(name string) { a.say(a.archive.Clip(name)) }

// Chime is the bell at the device.
func (a *announcer) Chime(ctx context.Context) error {
	packets, err := a.archive.Ring()
	if err != nil {
		return err
	}
	a.stopPrompt()
	return a.speaker.Prompt(ctx, packets)
}
