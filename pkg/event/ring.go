package event

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/camd-project/camd/pkg/proto"
)

// Presses of the bell. Whoever holds on to it must fill neither the access log nor the
// members' phones: after allowance rings one a minute is told. docs/protocol.md 9.3.
const (
	sameRing  = 3 * time.Second
	allowance = 60
	refill    = time.Minute
)

// presses decides which presses are rings, and which rings are told.
type presses struct {
	mu    sync.Mutex
	last  time.Time // of the last ring
	spent float64   // of the allowance, as of last
}

// take tells whether a press is a ring of its own, and whether members are told of it.
func (p *presses) take(now time.Time) (rings, told bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	since := now.Sub(p.last)
	if !p.last.IsZero() && since < sameRing {
		return false, false
	}
	p.spent = max(p.spent-float64(since)/float64(refill), 0)
	p.last = now
	if p.spent > allowance-1 {
		return true, false
	}
	p.spent++
	return true, true
}

// Ring is a press of the bell. When it returns nil, the ring is in the access log and its
// notices are on their way, or it belongs to the ring before; the bell sounds in any case,
// and what needs the camera comes after.
func (e *Events) Ring(context.Context) error {
	rings, told := e.presses.take(time.Now())
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

// Ringing tells whether someone rang within the last two minutes.
func (e *Events) Ringing() bool {
	e.presses.mu.Lock()
	defer e.presses.mu.Unlock()
	return !e.presses.last.IsZero() && time.Since(e.presses.last) < ringHold
}

// chime sounds the bell, unless it sounds already.
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

// attach keeps the event, first without and then with its picture.
func (e *Events) attach(ctx context.Context, r ring) {
	if e.keeper == nil {
		return
	}
	ev := proto.Event{ID: r.entry, Kind: proto.EventRing, Time: r.at.UnixMilli()}
	e.keep(ev, nil)
	ctx, cancel := context.WithTimeout(ctx, pictureTime)
	defer cancel()
	p, err := e.picture(ctx)
	if err != nil {
		var refusal *proto.Refusal
		if !errors.As(err, &refusal) {
			e.log.Warn("no picture of a ring", "error", err)
		}
		return
	}
	ev.Picture, ev.Size = p.kind, len(p.data)
	e.keep(ev, p.data)
}

func (e *Events) keep(ev proto.Event, data []byte) {
	if err := e.keeper.keep(ev, data); err != nil {
		e.log.Error("an event can't be kept", "entry", ev.ID, "error", err)
	}
}

// picture is one picture.
type picture struct {
	kind string
	data []byte
}

// picture has the camera take one, within bounds.
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
