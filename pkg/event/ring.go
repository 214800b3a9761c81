package event

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/camd-project/camd/pkg/proto"
)

// Presses of the doorbell. Someone who keeps pressing must fill neither the access log nor
// the members' phones: after ringBurst rings members are told of one a minute.
// docs/protocol.md 9.3.
const (
	sameRing  = 3 * time.Second
	ringBurst = 60
	ringEvery = time.Minute
)

// ringLimiter decides which presses are rings, and which rings are told.
type ringLimiter struct {
	told *rate.Limiter

	mu   sync.Mutex
	last time.Time // of the last ring
}

// take reports whether a press is a ring of its own, and whether members are told of it.
func (l *ringLimiter) take(now time.Time) (rings, told bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.last.IsZero() && now.Sub(l.last) < sameRing {
		return false, false
	}
	l.last = now
	return true, l.told.AllowN(now, 1)
}

// Ring handles a press of the doorbell. When it returns nil, the ring is in the access log
// and its notices are on their way, or the press belongs to the ring before. Members are
// notified before anything waits for the chime or the camera.
func (e *Events) Ring(context.Context) error {
	rings, told := e.limiter.take(time.Now())
	if !rings {
		return nil
	}
	r := ring{at: time.Now()}
	var err error
	if told {
		r.entry, err = e.deps.Household.Ring()
	} else {
		e.log.Warn("the bell rings too often: members are not told of this ring")
	}
	select {
	case e.rings <- r:
	default: // Run has not begun, or has ended
		e.log.Warn("ring dropped")
	}
	if err != nil {
		return fmt.Errorf("tell members of a ring: %w", err)
	}
	return nil
}

// Ringing reports whether someone rang within the last two minutes.
func (e *Events) Ringing() bool {
	e.limiter.mu.Lock()
	defer e.limiter.mu.Unlock()
	return !e.limiter.last.IsZero() && time.Since(e.limiter.last) < warmTime
}

// chime plays the chime, unless it is being played.
func (e *Events) chime(ctx context.Context) {
	if e.deps.Chime == nil || !e.sounding.CompareAndSwap(false, true) {
		return
	}
	defer e.sounding.Store(false)
	ctx, cancel := context.WithTimeout(ctx, chimeTime)
	defer cancel()
	if err := e.deps.Chime.Chime(ctx); err != nil {
		e.log.Warn("the bell does not sound", "error", err)
	}
}

// attach stores the event, first without and then with its picture.
func (e *Events) attach(ctx context.Context, r ring) {
	if e.keeper == nil {
		return
	}
	ev := proto.Event{ID: r.entry, Kind: proto.EventRing, Time: r.at.UnixMilli()}
	e.keep(ev, nil)
	ctx, cancel := context.WithTimeout(ctx, pictureTime)
	defer cancel()
	p, err := e.ringPicture(ctx)
	if err != nil {
		if !refusedBy(err, proto.CodePrivacy) {
			e.log.Warn("no picture of a ring", "error", err)
		}
		return
	}
	ev.Picture, ev.Size = p.kind, len(p.data)
	e.keep(ev, p.data)
}

// ringPicture takes the picture of a ring. A camera that gives none is asked again until
// ctx ends: it may be starting, or busy.
func (e *Events) ringPicture(ctx context.Context) (picture, error) {
	for {
		p, err := e.picture(ctx)
		if !refusedBy(err, proto.CodeNoMedia) {
			return p, err
		}
		select {
		case <-time.After(pictureRest):
		case <-ctx.Done():
			return picture{}, err
		}
	}
}

func refusedBy(err error, code proto.Code) bool {
	var refusal *proto.Refusal
	return errors.As(err, &refusal) && refusal.Code == code
}

func (e *Events) keep(ev proto.Event, data []byte) {
	if err := e.keeper.keep(ev, data); err != nil {
		e.log.Error("an event can't be kept", "entry", ev.ID, "error", err)
	}
}

// picture is a picture of the camera.
type picture struct {
	kind string
	data []byte
}

// picture takes a picture and checks its size.
func (e *Events) picture(ctx context.Context) (picture, error) {
	data, kind, err := e.deps.Camera.Picture(ctx)
	if err != nil {
		return picture{}, err
	}
	if len(data) == 0 || len(data) > proto.MaxPicture {
		return picture{}, fmt.Errorf("a picture of %d bytes", len(data))
	}
	return picture{kind, data}, nil
}
