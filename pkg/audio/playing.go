package audio

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/camd-project/camd/pkg/audio/alsa"
	"github.com/camd-project/camd/pkg/audio/dynamics"
	"github.com/camd-project/camd/pkg/audio/opus"
	"github.com/camd-project/camd/pkg/media"
)

const (
	linger  = 2 * time.Second       // how long after an announcement a voice may begin, and the card stays open
	ahead   = 2 * opus.FrameSamples // samples that wait in the card when the next frame of a voice is due
	ceiling = -3                    // dBFS: of the limiter, for announcements and voices
	audible = -50                   // dBFS: the least level of a frame that counts as sound
)

// playing is the state while the card is open. Only the goroutine of Speaker.Run uses it.
type playing struct {
	s       *Speaker
	ctx     context.Context // Run's
	out     player
	decoder *opus.Decoder // of announcements
	timer   *time.Timer
	frame   [opus.FrameSamples]int16

	primed bool      // the card has some samples, or plays
	heard  time.Time // the end of an announcement that no voice has followed yet
	until  time.Time // how long the card stays open without a voice
	voice  *Voice
	broken error // with which the card failed
}

// serve serves requests and plays the voice, until nothing plays any more, the card fails
// or ctx ends.
func (p *playing) serve(first request) {
	p.carry(first)
	for {
		p.timer.Reset(p.pause())
		if p.broken != nil || p.ctx.Err() != nil {
			return
		}
		var ended <-chan struct{}
		if p.voice != nil {
			ended = p.voice.ctx.Done() // its holder closes it
		}
		select {
		case <-p.ctx.Done():
		case <-ended:
			p.release(true)
		case r := <-p.s.requests:
			p.carry(r)
		case <-p.timer.C:
			if p.voice == nil {
				return
			}
			p.speak()
		}
	}
}

func (p *playing) carry(r request) {
	v, err := r.do(p)
	if p.broken != nil {
		err = p.why()
	}
	p.until = time.Now().Add(linger)
	r.answer <- answer{v, err}
}

// why returns the error for those who wait when the card is closed.
func (p *playing) why() error {
	if p.ctx.Err() != nil {
		return errStopped
	}
	return fault(explain(loudspeaker, p.s.device, p.broken))
}

// pause returns how long there is nothing to do.
func (p *playing) pause() time.Duration {
	if p.voice == nil {
		return time.Until(p.until)
	}
	delay, err := p.out.Delay()
	if errors.Is(err, alsa.ErrXrun) {
		delay, err = 0, p.again()
	}
	p.fail(err)
	return time.Duration(delay-ahead) * time.Second / rate
}

// again continues after an underrun.
func (p *playing) again() error {
	p.s.lost.count()
	return p.restart()
}

// restart drops the samples in the card.
func (p *playing) restart() error {
	p.primed = false
	p.s.deps.Far.end()
	return p.out.Restart()
}

// fail keeps the error of the card, which is closed then.
func (p *playing) fail(err error) {
	if p.broken == nil {
		p.broken = err
	}
}

// write writes the frame to the card, and tells the far end when it is heard.
func (p *playing) write() error {
	if _, err := p.out.Write(p.frame[:]); err != nil {
		return err
	}
	if p.s.deps.Tap != nil {
		p.s.deps.Tap(p.frame[:])
	}
	p.s.deps.Far.put(p.frame[:])
	// An underrun that shows here is handled before the next frame.
	if delay, err := p.out.Delay(); err == nil {
		p.s.deps.Far.place(media.Now() + lasting(int64(delay)))
	}
	return nil
}

// announce plays clips whole. What a voice has left in the card is forgotten first,
// and what comes of it meanwhile.
func (p *playing) announce(ctx context.Context, clips [][]byte) error {
	p.heard = time.Time{}
	if p.voice != nil {
		p.voice.hush(true)
		if err := p.restart(); err != nil {
			p.fail(err)
			return err
		}
	}
	err := p.sound(ctx, clips)
	if errors.Is(err, alsa.ErrXrun) {
		if err = p.again(); err == nil {
			err = p.sound(ctx, clips)
		}
	}
	switch {
	case err == nil:
		p.heard = time.Now()
	case errors.Is(err, ErrClip) || ctx.Err() != nil:
		p.fail(p.restart()) // nothing of the rest is heard
	default:
		p.fail(err)
	}
	if p.voice != nil {
		p.voice.hush(false)
	}
	return err
}

// sound plays clips, and returns nil when the last sample was heard. The limiter delays
// the end of the sound; a frame of silence brings it out.
func (p *playing) sound(ctx context.Context, clips [][]byte) error {
	p.decoder.Reset()
	limiter := dynamics.NewLimiter(ceiling)
	sound := false
	p.s.deps.Far.begin(p.s.device, true)
	for i, packet := range clips {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if p.voice != nil && p.voice.ctx.Err() != nil {
			p.release(false)
		}
		if n, err := p.decoder.Decode(p.frame[:], packet); err != nil || n != len(p.frame) {
			return fmt.Errorf("%w: packet %d has %d samples: %v", ErrClip, i, n, err) //nolint:errorlint // err may be nil
		}
		sound = sound || dynamics.Level(p.frame[:]) > audible
		limiter.Process(p.frame[:])
		if err := p.write(); err != nil {
			return err
		}
	}
	if !sound {
		return fmt.Errorf("%w: it is silent", ErrClip)
	}
	clear(p.frame[:])
	limiter.Process(p.frame[:])
	if err := p.write(); err != nil {
		return err
	}
	p.primed = false
	defer p.s.deps.Far.end()
	return p.out.Drain(ctx)
}

// admit starts a voice if the room has just heard its announcement.
func (p *playing) admit(ctx context.Context) (*Voice, error) {
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case p.voice != nil:
		return nil, ErrTaken
	case p.heard.IsZero() || time.Since(p.heard) > linger:
		return nil, ErrUnannounced
	}
	p.heard = time.Time{}
	p.voice = newVoice(ctx, p.s.deps.Jitter)
	return p.voice, nil
}

// speak plays the voice's next frame.
func (p *playing) speak() {
	if p.voice.ctx.Err() != nil {
		p.release(true)
		return
	}
	clear(p.frame[:])
	if (*p.voice.jitter.Load()).Get(p.frame[:]) {
		p.voice.spoke.Store(int64(media.Now()))
	}
	p.voice.limiter.Process(p.frame[:])
	err := p.put()
	for range patience {
		if !errors.Is(err, alsa.ErrXrun) {
			break
		}
		if err = p.again(); err == nil {
			err = p.put()
		}
	}
	p.fail(err)
}

// quiet is written to an empty card before the frame of a voice. If frames of the voice were
// written instead, the jitter buffer would run empty.
var quiet [ahead]int16

// put writes a frame of a voice to the card.
func (p *playing) put() error {
	if !p.primed {
		if _, err := p.out.Write(quiet[:]); err != nil {
			return err
		}
		p.primed = true
		p.s.deps.Far.begin(p.s.device, false)
		p.s.deps.Far.put(quiet[:])
	}
	return p.write()
}

// release ends the voice because its holder closed it. With forget, the samples that the
// card still has are not heard.
func (p *playing) release(forget bool) {
	if forget {
		p.fail(p.restart())
		p.heard = time.Time{} // of an announcement over this voice: it lets no other in
	}
	p.until = time.Now()
	p.voice.finish(nil, p.s.log)
	p.voice = nil
}
