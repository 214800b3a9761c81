package talk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/proto"
)

// room is a floor's surroundings, which note in order what happens.
type room struct {
	t     *testing.T
	floor *Floor

	mu       sync.Mutex
	events   []string
	sink     func(uint16, uint32, []byte)
	over     chan struct{} // the live session's end
	failed   chan struct{} // the speaker's
	silent   time.Duration
	mute     error // what Ready says
	broken   error // what Announce says
	missing  error // what the prompts say
	noVoice  error
	stale    int // times that something else is heard after the notice
	noHear   error
	deaf     error         // what MayHear says
	duration time.Duration // of an announcement
	heard    bool          // an announcement, and no prompt since
}

func newRoom(t *testing.T) *room {
	r := &room{t: t, over: make(chan struct{}), failed: make(chan struct{}), duration: 2 * time.Second}
	r.floor = New(slog.New(slog.DiscardHandler), r, r, r)
	return r
}

func (r *room) note(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, what)
}

func (r *room) happened() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

func (r *room) Ready() error { return r.mute }

func (r *room) Announce(ctx context.Context, clip [][]byte) error {
	err := r.play(ctx, clip)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heard = true // even of one that was cut short: that no voice follows it is the floor's work
	return err
}

func (r *room) Prompt(ctx context.Context, clip [][]byte) error {
	err := r.play(ctx, clip)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heard = false
	return err
}

func (r *room) play(ctx context.Context, clip [][]byte) error {
	r.note("announcing " + string(clip[0]))
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(r.duration):
	}
	r.note("announced " + string(clip[0]))
	return r.broken
}

func (r *room) Voice(context.Context) (Voice, error) {
	if r.stale > 0 {
		r.stale--
		return nil, fmt.Errorf("the bell was heard: %w", ErrStale)
	}
	if r.noVoice != nil {
		return nil, r.noVoice
	}
	r.mu.Lock()
	heard := r.heard
	r.mu.Unlock()
	if !heard {
		return nil, fmt.Errorf("no announcement was heard: %w", ErrStale)
	}
	r.note("voice")
	return r, nil
}

func (r *room) Packet(_ uint16, _ uint32, payload []byte) { r.note("packet " + string(payload)) }

func (r *room) Silent() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.silent
}

func (r *room) Done() <-chan struct{} { return r.failed }
func (r *room) Close()                { r.note("voice closed") }

func (r *room) Speaking(m Member) ([][]byte, error) { return [][]byte{[]byte(m.Name)}, r.missing }
func (r *room) Asking(m Member) ([][]byte, error) {
	return [][]byte{[]byte("question about " + m.Name)}, r.missing
}

func (r *room) MayHear(proto.ClientID, string) error { return r.deaf }

func (r *room) Hear(_ proto.ClientID, _ string, sink func(uint16, uint32, []byte)) (func(), <-chan struct{}, error) {
	if r.noHear != nil {
		return nil, nil, r.noHear
	}
	r.note("hear")
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sink = sink
	return func() {
		r.note("deaf")
		r.mu.Lock()
		defer r.mu.Unlock()
		r.sink = nil
	}, r.over, nil
}

// says has the client's packet come; it is dropped while the session is deaf.
func (r *room) says(text string) {
	r.mu.Lock()
	sink := r.sink
	r.mu.Unlock()
	if sink != nil {
		sink(1, 960, []byte(text))
	}
}

// start has Anna begin, in the background.
func (r *room) start(ctx context.Context, accept bool) <-chan outcome {
	out := make(chan outcome, 1)
	go func() {
		t, err := r.floor.Start(ctx, Request{Client: "anna", ID: "t", Member: Member{Name: "Anna"}, Live: "s", Accept: accept, Ended: func(reason string) { r.note("told " + reason) }})
		out <- outcome{t, err}
	}()
	synctest.Wait()
	return out
}

type outcome struct {
	talk *Talk
	err  error
}

// begun waits for a talk that has to begin.
func (r *room) begun(out <-chan outcome) *Talk {
	r.t.Helper()
	o := <-out
	if o.err != nil {
		r.t.Fatal(o.err)
	}
	return o.talk
}

func (r *room) refused(o outcome, want proto.Code) {
	r.t.Helper()
	var refusal *proto.Refusal
	if !errors.As(o.err, &refusal) || refusal.Code != want {
		r.t.Fatalf("Start: %v, want %s", o.err, want)
	}
	if who, _ := r.floor.Talker(); who != "" {
		r.t.Error("who was refused still holds the floor")
	}
}

func (r *room) ended(t *Talk, want string) {
	r.t.Helper()
	select {
	case <-t.Done():
	case <-time.After(2 * idleTime):
		r.t.Fatal("it does not end")
	}
	if t.Reason() != want {
		r.t.Errorf("reason %q, want %q", t.Reason(), want)
	}
	if h := r.happened(); !slices.Equal(h[len(h)-3:], []string{"deaf", "voice closed", "told " + want}) {
		r.t.Errorf("the end: %q", h)
	}
	if who, _ := r.floor.Talker(); who != "" {
		r.t.Error("the floor is still taken")
	}
}
