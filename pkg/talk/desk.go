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
	reach      = 30 * time.Second // after a talk, in which a press still blocks the next
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
	// Ready tells whether the room would hear what is played: the card is there, and its
	// level is set.
	Ready() error
	// Announce plays 20 ms Opus packets, and returns when the last sample was heard.
	Announce(ctx context.Context, clip [][]byte) error
	// Voice lets a voice in. What was announced last was heard on the same card. It
	// fails with ErrStale if something else was heard since, or too long ago.
	Voice(ctx context.Context) (Voice, error)
}

// ErrStale says that the room has to be told anew who speaks.
var ErrStale = errors.New("the notice is not what the room has just heard")

// Prompts are the words that the room hears.
type Prompts interface {
	Speaking(Member) ([][]byte, error) // chime, and who speaks
	Asking(Member) ([][]byte, error)   // that somebody wants to, and which button lets them
}

// Sessions are the live sessions. MayHear tells what Hear would refuse. Hear hands the
// voice of one to sink, until stop has returned; done is closed when the session has
// ended.
type Sessions interface {
	MayHear(client proto.ClientID, session string) error
	Hear(client proto.ClientID, session string, sink func(seq uint16, timestamp uint32, payload []byte)) (stop func(), done <-chan struct{}, err error)
}

// Member is whom the room hears named; the role, where the name can't be spoken.
type Member struct {
	Name string
	Role proto.Role
}

// Request is a request whose right was decided, and logged.
type Request struct {
	Client  proto.ClientID
	Account string // whose questions count together
	ID      string // names the talk among the client's sessions
	Member  Member
	Live    string              // the session through which the voice comes
	Accept  bool                // someone in the room has to let it in
	Ended   func(reason string) // called when a talk that began has ended, before Done; not nil
}

// Desk is where talks begin and end.
type Desk struct {
	log      *slog.Logger
	speaker  Speaker
	prompts  Prompts
	sessions Sessions

	mu      sync.Mutex
	current *Talk     // nil: nobody speaks, or is about to
	blocked time.Time // until then
	ended   time.Time // when the last one did of which the room heard
	asks    asks
}

// New makes a desk at which nobody speaks.
func New(log *slog.Logger, speaker Speaker, prompts Prompts, sessions Sessions) *Desk {
	return &Desk{log: log.With("component", "talk"), speaker: speaker, prompts: prompts, sessions: sessions, asks: asks{}}
}

// Check tells, before anything is logged, what speaks against a talk now: a
// *proto.Refusal with CodeBlocked, CodeTalking, CodeNoChime or CodeNoSpeaker.
func (d *Desk) Check(m Member) error {
	d.mu.Lock()
	err := d.free()
	d.mu.Unlock()
	if err != nil {
		return err
	}
	if _, err := d.prompts.Speaking(m); err != nil {
		d.log.Warn("talk is refused: it can't be announced", "error", err)
		return proto.Refuse(proto.CodeNoChime)
	}
	if err := d.speaker.Ready(); err != nil {
		d.log.Warn("talk is refused: the speaker does not work", "error", err)
		return proto.Refuse(proto.CodeNoSpeaker)
	}
	return nil
}

// free tells why nobody may begin to speak. d.mu is held.
func (d *Desk) free() error {
	switch {
	case time.Now().Before(d.blocked):
		return proto.Refuse(proto.CodeBlocked)
	case d.current != nil:
		return proto.Refuse(proto.CodeTalking)
	}
	return nil
}

// Start lets a voice into the room, and returns when it is heard there: after the room
// has heard, whole, whose it is. ctx is the right to speak: with it the talk ends.
func (d *Desk) Start(ctx context.Context, r Request) (*Talk, error) {
	t, err := d.take(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := t.begin(d); err != nil {
		d.leave(t)
		t.cancel(err)
		close(t.done)
		return nil, t.refusal(err)
	}
	d.log.Info("the room hears a voice", "client", string(r.Client))
	go t.run(d)
	return t, nil
}

// take makes a talk the current one.
func (d *Desk) take(ctx context.Context, r Request) (*Talk, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.free(); err != nil {
		return nil, err
	}
	t := &Talk{request: r, done: make(chan struct{}), accepted: make(chan struct{})}
	t.ctx, t.cancel = context.WithCancelCause(ctx)
	d.current = t
	return t, nil
}

func (d *Desk) leave(t *Talk) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.current == t {
		d.current = nil
	}
	if t.announced {
		d.ended = time.Now()
	}
}

// Accept is a press in the room while it is asked: it lets the voice in. It tells
// whether anybody was waiting for it.
func (d *Desk) Accept() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.current == nil || !d.current.waiting {
		return false
	}
	d.current.waiting = false
	delete(d.asks, d.current.request.Account)
	close(d.current.accepted)
	return true
}

// Hush is a press in the room that ends the talk at once, and blocks the next for ten
// minutes. It tells whether there was one.
func (d *Desk) Hush() bool {
	d.mu.Lock()
	t := d.current
	if t != nil {
		d.blocked = time.Now().Add(blockTime)
	}
	d.mu.Unlock()
	if t == nil {
		return false
	}
	t.cancel(endReason(proto.EndPressed))
	return true
}

// Block is a press in the room just after a talk, and blocks the next as Hush would have:
// who speaks briefly, again and again, is not out of the button's reach. It tells whether
// there was one.
func (d *Desk) Block() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	if d.ended.IsZero() || now.Sub(d.ended) >= reach || now.Before(d.blocked) {
		return false
	}
	d.blocked = now.Add(blockTime)
	return true
}

// Bye ends a talk for the client who speaks; false if it speaks under no such name. When
// it returns somebody else may speak.
func (d *Desk) Bye(client proto.ClientID, id string) bool {
	d.mu.Lock()
	t := d.current
	d.mu.Unlock()
	if t == nil || t.request.Client != client || t.request.ID != id {
		return false
	}
	t.cancel(endReason(proto.EndBye))
	<-t.done
	return true
}

// Speaker is who speaks now, or is about to, and through which of its live sessions;
// empty for nobody.
func (d *Desk) Speaker() (client proto.ClientID, live string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.current == nil {
		return "", ""
	}
	return d.current.request.Client, d.current.request.Live
}

// endReason is the cause of a talk's end when nobody's right ended.
type endReason string

func (r endReason) Error() string { return string(r) }

// why puts the cause of an end into a word of proto.
func why(ctx context.Context) string {
	var own endReason
	var refusal *proto.Refusal
	switch cause := context.Cause(ctx); {
	case errors.As(cause, &own):
		return string(own)
	case errors.As(cause, &refusal):
		return string(refusal.Code)
	}
	return proto.EndRevoked
}
