package talk

import (
	"context"
	"errors"
	"time"

	"github.com/camd-project/camd/pkg/proto"
)

// Talk is one member's speaking, from the announcement on.
type Talk struct {
	request Request

	ctx      context.Context // ends with the right, or by the desk
	cancel   context.CancelCauseFunc
	accepted chan struct{} // closed by a press
	waiting  bool          // for one; guarded by Desk.mu

	announced bool // the room may have heard of it

	voice Voice
	stop  func()          // no packet of the session comes any more
	over  <-chan struct{} // the session has ended

	done   chan struct{}
	reason string // set before done is closed
}

// Done is closed when nothing of the voice is played any more.
func (t *Talk) Done() <-chan struct{} { return t.done }

// Reason is why the talk ended; it holds after Done.
func (t *Talk) Reason() string { return t.reason }

// begin is the order on which everything rests: somebody lets it in, the room hears who
// it is, and only then is there a voice to hand packets to.
func (t *Talk) begin(d *Desk) error {
	r := t.request
	if err := d.sessions.MayHear(r.Client, r.Live); err != nil {
		return err // before the room hears of it
	}
	if r.Accept {
		if err := t.ask(d); err != nil {
			return err
		}
	}
	clip, err := d.prompts.Speaking(r.Member)
	if err != nil {
		return proto.Refuse(proto.CodeNoChime)
	}
	t.announced = true
	for range notices {
		if err = t.admit(d, clip); !errors.Is(err, ErrStale) {
			break
		}
	}
	if err != nil {
		return err
	}
	t.stop, t.over, err = d.sessions.Hear(r.Client, r.Live, t.voice.Packet)
	if err != nil {
		t.voice.Close()
	}
	return err
}

// admit has the room hear who it is, and then lets the voice in.
func (t *Talk) admit(d *Desk, clip [][]byte) (err error) {
	if err := d.speaker.Announce(t.ctx, clip); err != nil {
		return err
	}
	if err := t.ctx.Err(); err != nil {
		return err
	}
	t.voice, err = d.speaker.Voice(t.ctx)
	return err
}

// ask waits for a press in the room.
func (t *Talk) ask(d *Desk) error {
	clip, err := d.prompts.Asking(t.request.Member)
	if err != nil {
		return proto.Refuse(proto.CodeNoChime)
	}
	d.mu.Lock()
	may := d.asks.take(t.request.Account, time.Now())
	d.mu.Unlock()
	if !may {
		return proto.Refuse(proto.CodeNotAccepted)
	}
	if err := d.speaker.Announce(t.ctx, clip); err != nil {
		return err
	}
	d.mu.Lock()
	t.waiting = true
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		t.waiting = false
		d.mu.Unlock()
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

// run waits for whatever ends the talk, and ends it: first no packet comes any more,
// then nothing is played.
func (t *Talk) run(d *Desk) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for t.ctx.Err() == nil {
		select {
		case <-t.ctx.Done():
		case <-t.over:
			t.cancel(endReason(proto.EndBye))
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
	d.log.Info("the room hears the voice no more", "reason", t.reason)
	d.leave(t)
	t.request.Ended(t.reason)
	close(t.done)
}

// refusal is what the member is answered whose talk did not begin.
func (t *Talk) refusal(err error) error {
	var own endReason
	var refusal *proto.Refusal
	switch cause := context.Cause(t.ctx); {
	case errors.As(err, &refusal):
		return refusal
	case errors.As(cause, &refusal): // its right ended meanwhile
		return refusal
	case errors.As(cause, &own) && own == proto.EndBye:
		return proto.Refuse(proto.CodeNoSession)
	case errors.As(cause, &own):
		return proto.Refuse(proto.CodeBlocked)
	}
	return proto.Refuse(proto.CodeNoSpeaker)
}
