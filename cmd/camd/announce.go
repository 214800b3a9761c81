package main

import (
	"context"
	"log/slog"

	"github.com/camd-project/camd/pkg/audio/prompt"
	"github.com/camd-project/camd/pkg/health"
)

// prompts opens the archive of spoken prompts. One that can't be used leaves camd
// without words, so that nobody can speak through it: everything else works.
func prompts(path string, log *slog.Logger, board *health.Board) *prompt.Archive {
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

// announcer speaks prompts, one after the other, for whoever must not wait for them.
type announcer struct {
	log     *slog.Logger
	speaker interface {
		Announce(ctx context.Context, clip [][]byte) error
	}
	archive *prompt.Archive
	queue   chan [][]byte
}

func newAnnouncer(log *slog.Logger, speaker loudspeaker, archive *prompt.Archive) *announcer {
	return &announcer{log: log.With("component", "announcer"), speaker: speaker, archive: archive, queue: make(chan [][]byte, waitingPrompts)}
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
		case packets := <-a.queue:
			if err := a.speaker.Announce(ctx, packets); err != nil && ctx.Err() == nil {
				a.log.Warn("a prompt was not spoken", "error", err)
			}
		}
	}
}

// say has a clip spoken, or a sentence.
func (a *announcer) say(packets [][]byte, err error) {
	if err != nil {
		a.log.Warn("a prompt is missing", "error", err)
		return
	}
	select {
	case a.queue <- packets:
	default:
		a.log.Warn("a prompt is left out: too many wait to be spoken")
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
	return a.speaker.Announce(ctx, packets)
}
