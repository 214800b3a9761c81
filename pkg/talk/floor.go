package talk

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/camd-project/camd/pkg/proto"
)

// Times of a talk. docs/protocol.md 8.2.
const (
	acceptTime = 20 * time.Second // for someone in the room to press the button
	idleTime   = time.Minute      // without a voice
	blockTime  = 10 * time.Minute // after a press that ended a talk
	notices    = 3                // of one talk, if something else is heard between notice and voice
	reach      = 30 * time.Second // after a talk, while a press still blocks the next
	lookEvery  = time.Second
)

// Voice is what the room hears of one member.
type Voice interface {
	Packet(seq uint16, timestamp uint32, payload []byte) // of RTP; never blocks
	Silent() time.Duration                               // since someone spoke
	Done() <-chan struct{}                               // closed when the speaker has failed under it
	Close()
}

// Speaker plays.
type Speaker interface {
	// Ready returns nil if the room would hear what is played: the card is there, and its
	// level is set.
	Ready() error
	// Announce plays 20 ms Opus packets, and returns when the last sample was heard.
	Announce(ctx context.Context, clip [][]byte) error
	// Prompt plays as Announce does, but announces nobody: no voice may follow it.
	Prompt(ctx context.Context, clip [][]byte) error
	// Voice starts a voice on the card on which the last announcement was heard. It
	// fails with ErrStale if something else was heard since, or if that is too long ago.
	Voice(ctx context.Context) (Voice, error)
}

// ErrStale means that who speaks must be announced again.
var ErrStale = errors.New("the notice is not what the room has just heard")

// Prompts returns what is played to the room.
type Prompts interface {
	Speaking(Member) ([][]byte, error) // chime, and who speaks
	Asking(Member) ([][]byte, error)   // that somebody wants to, and which button lets them
}

// Sessions are the live sessions. Hear passes the voice of one to sink until stop has
// returned; done is closed when the session has ended. MayHear returns the error with
// which Hear would refuse.
type Sessions interface {
	MayHear(client proto.ClientID, session string) error
	Hear(client proto.ClientID, session string, sink func(seq uint16, timestamp uint32, payload []byte)) (stop func(), done <-chan struct{}, err error)
}

// Member is who speaks, as it is announced: by its role if the name can't be spoken.
type Member struct {
	Name string
	Role proto.Role
}

// Request asks to speak. Its right was decided, and logged.
type Request struct {
	Client  proto.ClientID
	Account string // members whose questions are counted together
	ID      string // of the talk, among the client's sessions
	Member  Member
	Live    string              // the session through which the voice comes
	Accept  bool                // someone in the room must accept it
	Ended   func(reason string) // called when a talk that began has ended, before Done; not nil
}

// Floor decides who may speak in the room (the floor of RFC 4582): one member at a time.
// It is safe for concurrent use.
type Floor struct {
	log      *slog.Logger
	speaker  Speaker
	prompts  Prompts
	sessions Sessions

	mu      sync.Mutex
	current *Talk     // nil: nobody speaks, or is about to
	blocked time.Time // no talk may begin before
	ended   time.Time // the end of the last talk that was announced
	asks    asks
}

// New returns a floor that nobody holds.
func New(log *slog.Logger, speaker Speaker, prompts Prompts, sessions Sessions) *Floor {
	return &Floor{log: log.With("component", "talk"), speaker: speaker, prompts: prompts, sessions: sessions, asks: asks{}}
}

// Check returns, before anything is logged, why a talk could not begin now: a
// *proto.Refusal with CodeBlocked, CodeTalking, CodeNoChime or CodeNoSpeaker.
func (f *Floor) Check(m Member) error {
	f.mu.Lock()
	err := f.free()
	f.mu.Unlock()
	if err != nil {
		return err
	}
	if _, err := f.prompts.Speaking(m); err != nil {
		f.log.Warn("talk is refused: it can't be announced", "error", err)
		return proto.Refuse(proto.CodeNoChime)
	}
	if err := f.speaker.Ready(); err != nil {
		f.log.Warn("talk is refused: the speaker does not work", "error", err)
		return proto.Refuse(proto.CodeNoSpeaker)
	}
	return nil
}

// free returns an error if nobody may begin to speak now. f.mu is held.
func (f *Floor) free() error {
	switch {
	case time.Now().Before(f.blocked):
		return proto.Refuse(proto.CodeBlocked)
	case f.current != nil:
		return proto.Refuse(proto.CodeTalking)
	}
	return nil
}

// Start begins a talk. It returns when the voice can be heard, after the whole
// announcement of who speaks. The talk ends with ctx, which is the right to speak; the
// cause is a *proto.Refusal, unless camd stops.
func (f *Floor) Start(ctx context.Context, r Request) (*Talk, error) {
	t, err := f.take(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := t.begin(f); err != nil {
		f.leave(t)
		t.cancel(err)
		close(t.done)
		return nil, t.refusal(err)
	}
	f.log.Info("the room hears a voice", "client", string(r.Client))
	go t.run(f)
	return t, nil
}

// take makes a new talk the current one.
func (f *Floor) take(ctx context.Context, r Request) (*Talk, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.free(); err != nil {
		return nil, err
	}
	t := &Talk{request: r, done: make(chan struct{}), accepted: make(chan struct{})}
	t.ctx, t.cancel = context.WithCancelCause(ctx)
	f.current = t
	return t, nil
}

func (f *Floor) leave(t *Talk) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.current == t {
		f.current = nil
	}
	if t.announced {
		f.ended = time.Now()
	}
}

// Accept lets the member speak who asked the room. It reports whether anybody was
// waiting for that.
func (f *Floor) Accept() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.current == nil || !f.current.waiting {
		return false
	}
	f.current.waiting = false
	delete(f.asks, f.current.request.Account)
	close(f.current.accepted)
	return true
}

// EndTalk ends the talk at once and blocks the next for ten minutes. It reports whether
// there was one.
func (f *Floor) EndTalk() bool {
	f.mu.Lock()
	t := f.current
	if t != nil {
		f.blocked = time.Now().Add(blockTime)
	}
	f.mu.Unlock()
	if t == nil {
		return false
	}
	t.cancel(endReason(proto.EndPressed))
	return true
}

// Block blocks the next talk as EndTalk does, if one has just ended, and reports whether
// it did: otherwise nobody could press in time against short talks, one after the other.
func (f *Floor) Block() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if f.ended.IsZero() || now.Sub(f.ended) >= reach || now.Before(f.blocked) {
		return false
	}
	f.blocked = now.Add(blockTime)
	return true
}

// Bye ends the talk with this id of the client, and reports whether there was one. When it
// returns somebody else may speak.
func (f *Floor) Bye(client proto.ClientID, id string) bool {
	f.mu.Lock()
	t := f.current
	f.mu.Unlock()
	if t == nil || t.request.Client != client || t.request.ID != id {
		return false
	}
	t.cancel(endReason(proto.EndBye))
	<-t.done
	return true
}

// Talker returns who speaks now, or is about to, and through which live session; both
// are empty if nobody does.
func (f *Floor) Talker() (client proto.ClientID, live string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.current == nil {
		return "", ""
	}
	return f.current.request.Client, f.current.request.Live
}

// endReason is the cause of a talk's end if its right did not end.
type endReason string

func (r endReason) Error() string { return string(r) }

// why returns the reason of an end as proto names it.
func why(ctx context.Context) string {
	var own endReason
	var refusal *proto.Refusal
	switch cause := context.Cause(ctx); {
	case errors.As(cause, &own):
		return string(own)
	case errors.As(cause, &refusal):
		return string(refusal.Code)
	case errors.Is(cause, context.Canceled):
		return proto.EndShutdown
	}
	return proto.EndRevoked
}
