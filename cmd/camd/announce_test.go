package main

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/audio/prompt"
)

// slowSpeaker plays a packet a second, and notes what was begun and heard out.
type slowSpeaker struct {
	mu    sync.Mutex
	heard []string
}

func (s *slowSpeaker) note(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = append(s.heard, what)
}

func (s *slowSpeaker) Prompt(ctx context.Context, clip [][]byte) error {
	s.note("begins " + string(clip[0]))
	select {
	case <-time.After(time.Duration(len(clip)) * time.Second):
	case <-ctx.Done():
		return ctx.Err()
	}
	s.note("heard " + string(clip[0]))
	return nil
}

func (s *slowSpeaker) happened() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.heard)
}

func speech(name string, seconds int) [][]byte { return slices.Repeat([][]byte{[]byte(name)}, seconds) }

// speaking has an announcer run for a test, with a speaker that takes a second for each
// packet.
func speaking(t *testing.T, f func(*announcer, *slowSpeaker)) {
	archive, err := prompt.Default()
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		s := &slowSpeaker{}
		a := newAnnouncer(slog.New(slog.DiscardHandler), loudspeaker{}, archive)
		a.speaker = s
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- a.Run(ctx, func() {}) }()
		f(a, s)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// What may be long does not keep the words from being heard that go before an eviction,
// nor the bell, however often it is asked for; and a press stops it.
func TestAnAuditGivesWay(t *testing.T) {
	for name, c := range map[string]struct {
		then func(*announcer)
		want string
	}{
		"to a press":             {func(a *announcer) { a.stopPrompt() }, "begins audit"},
		"to a prompt":            {func(a *announcer) { a.say(speech("evicting", 2), nil) }, "heard evicting"},
		"to one while it waits":  {func(a *announcer) { a.tell(speech("audit", 100), nil); a.say(speech("evicting", 2), nil) }, "heard evicting"},
		"to the bell":            {func(a *announcer) { _ = a.Chime(context.Background()) }, "heard "},
		"to a prompt after many": {func(a *announcer) { many(a); a.say(speech("evicting", 2), nil) }, "heard evicting"},
	} {
		t.Run(name, func(t *testing.T) {
			speaking(t, func(a *announcer, s *slowSpeaker) {
				a.tell(speech("audit", 1000), nil)
				time.Sleep(5 * time.Second)
				c.then(a)
				time.Sleep(3 * time.Second)
				heard := s.happened()
				if last := heard[len(heard)-1]; !strings.HasPrefix(last, c.want) || slices.Contains(heard, "heard audit") {
					t.Errorf("at last %q, want %q", last, c.want)
				}
				if a.stopPrompt() {
					t.Error("there is still something to stop")
				}
			})
		})
	}
}

func many(a *announcer) {
	for range 3 * waitingPrompts {
		a.tell(speech("audit", 100), nil)
		synctest.Wait()
	}
}

// A press that comes after the audit was heard out means what it always does.
func TestAnAuditIsHeardOut(t *testing.T) {
	speaking(t, func(a *announcer, s *slowSpeaker) {
		a.tell(speech("audit", 10), nil)
		time.Sleep(time.Minute)
		if heard := s.happened(); a.stopPrompt() || !slices.Equal(heard, []string{"begins audit", "heard audit"}) {
			t.Errorf("%q, or it can be stopped", heard)
		}
	})
}
