package talk

import (
	"context"
	"errors"
	"time"

	"github.com/camd-project/camd/pkg/proto"
)

// Talk is one member's turn to speak, from the announcement on.
type Talk struct {
	request Request

	ctx      context.Context // ends with the right, or is ended by the floor
	cancel   context.CancelCauseFunc
	accepted chan struct{} // closed by Accept
	waiting  bool          // for Accept; guarded by Floor.mu

	announced bool // the room may have heard the announcement

	voice Voice
	stop  func()          // stops the packets of the session
	over  <-chan struct{} // the session has ended

	done   chan struct{}
	reason string // set before done is closed
}

// Done is closed when nothing of the voice is played any more.
func (t *Talk) Done() <-chan struct{} { return t.done }

// Reason returns why the talk ended. It may be called after Done is closed.
func (t *Talk) Reason() string { return t.reason }

// begin keeps the order that everybody relies on: the room accepts, it hears who speaks,
// and only then is there a voice that takes packets.
func (t *Talk) begin(f *Floor) error {
	r := t.request
	if err := t.ctx.Err(); err != nil {
		return err // its client has taken it back
	}
	if err := f.sessions.MayHear(r.Client, r.Live); err != nil {
		return err // before the room hears of it
	}
	if r.Accept {
		if err := t.ask(f); err != nil {
			return err
		}
	}
	clip, err := f.prompts.Speaking(r.Member)
	if err != nil {
		return proto.Refuse(proto.CodeNoChime)
	}
	t.announced = true
	for range notices {
		if err = t.admit(f, clip); !errors.Is(err, ErrStale) {
			break
		}
	}
	if err != nil {
		return err
	}
	t.stop, t.over, err = f.sessions.Hear(r.Client, r.Live, t.voice.Packet)
	if err != nil {
		t.voice.Close()
	}
	return err
}

// admit announces who speaks, and then starts the voice.
func (t *Talk) admit(f *Floor, clip [][]byte) (err error) {
	if err := f.speaker.Announce(t.ctx, clip); err != nil {
		return err
	}
	if err := t.ctx.Err(); err != nil {
		return err
	}
	t.voice, err = f.speaker.Voice(t.ctx)
	return err
}

// ask plays the question and waits until someone in the room accepts.
func (t *Talk) ask(f *Floor) error {
	clip, err := f.prompts.Asking(t.request.Member)
	if err != nil {
		return proto.Refuse(proto.CodeNoChime)
	}
	f.mu.Lock()
	may := f.asks.take(t.request.Account, time.Now())
	f.mu.Unlock()
	if !may {
		return proto.Refuse(proto.CodeNotAccepted)
	}
	if err := f.speaker.Prompt(t.ctx, clip); err != nil {
		return err
	}
	f.mu.Lock()
	t.waiting = true
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		t.waiting = false
		f.mu.Unlock()
	}()
	select {
	case <-t.accepted:
		return nil
	case <-t.ctx.Done():
		return t.ctx.Err()
	case <-time.After(acceptTime):
		return proto.Refuse(proto.CodeNotAccepted)
	}
}

// run waits for what ends the talk, and ends it: first packets stop, then playing.
func (t *Talk) run(f *Floor) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for t.ctx.Err() == nil {
		select {
		case <-t.ctx.Done():
		case <-t.over:
			t.cancel(endReason(proto.EndSession))
		case <-t.voice.Done():
			t.cancel(endReason(proto.EndSpeaker))
		case <-look.C:
			if t.voice.Silent() >= idleTime {
				t.cancel(endReason(proto.EndIdle))
			}
		}
	}
	t.stop()
	t.voice.Close()
	t.reason = why(t.ctx)
	f.log.Info("the room hears the voice no more", "reason", t.reason)
	f.leave(t)
	t.request.Ended(t.reason)
	close(t.done)
}

// refusal returns the answer to a member whose talk did not begin. The access log says it to
// the household, so it must be what happened.
func (t *Talk) refusal(err error) error {
	var own endReason
	var refusal *proto.Refusal
	switch cause := context.Cause(t.ctx); {
	case errors.As(err, &refusal):
		return refusal
	case errors.As(cause, &refusal): // its right ended meanwhile
		return refusal
	case errors.As(cause, &own) && own == proto.EndBye:
		return proto.Refuse(proto.CodeCancelled)
	case errors.As(cause, &own):
		return proto.Refuse(proto.CodeBlocked)
	case errors.Is(err, ErrStale), errors.Is(cause, context.Canceled): // the bell was rung again and again; camd stops
		return proto.Refuse(proto.CodeBusy)
	}
	return proto.Refuse(proto.CodeNoSpeaker)
}
