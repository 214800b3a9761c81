package panel

import (
	"slices"
	"time"

	"github.com/camd-project/camd/pkg/panel/evdev"
)

// How long a button is held for each gesture.
const (
	shortHold = time.Second // below
	pairHold  = 3 * time.Second
	evictHold = 10 * time.Second
	resetHold = 20 * time.Second
)

// auditPresses short presses are one gesture if the last begins within seriesTime after
// the first.
const (
	seriesTime   = 1500 * time.Millisecond
	auditPresses = 3
)

// gesture is the meaning of a press of the pairing button.
type gesture int

const (
	nothing gesture = iota // but any press ends a countdown
	pair
	evict
	reset
)

// meaning returns the gesture of a long press. It is decided when the button is released,
// so that one that is stuck, or that something leans on, does nothing.
func meaning(held time.Duration) gesture {
	switch {
	case held >= resetHold:
		return reset
	case held >= evictHold:
		return evict
	case held >= pairHold:
		return pair
	}
	return nothing
}

// edge is a press or a release of a button.
type edge struct {
	down bool          // pressed
	up   bool          // released, after held
	at   time.Duration // of the press, by the kernel's clock
	held time.Duration
}

// series holds when the last short presses of a button began.
type series []time.Duration

// add counts a short press and returns how many there are in a row.
func (s *series) add(at time.Duration) int {
	*s = slices.DeleteFunc(*s, func(before time.Duration) bool { return at-before > seriesTime || before > at })
	*s = append(*s, at)
	return len(*s)
}

// press follows one button's key through the events of its device.
type press struct {
	spec  spec
	down  bool
	key   uint16
	since time.Duration
}

// take returns the edge of an event, or none: of a press whose beginning or release was
// lost, and of a second key of the same button while one is down.
func (p *press) take(e evdev.Event) edge {
	switch {
	case e.Lost:
		p.down = false
	case !p.spec.any && e.Key != p.spec.key:
	case e.Down && (!p.down || e.Key == p.key):
		p.down, p.key, p.since = true, e.Key, e.At
		return edge{down: true, at: e.At}
	case !e.Down && p.down && e.Key == p.key:
		p.down = false
		return edge{up: true, at: p.since, held: e.At - p.since}
	}
	return edge{}
}
