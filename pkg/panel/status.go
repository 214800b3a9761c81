package panel

import (
	"context"
	"log/slog"
	"time"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/panel/led"
)

// Scene is what goes on at the device, for the status LED.
type Scene struct {
	Online, Live, Talk, Pairing, Trouble, Privacy bool

	// While Pairing.
	Joined  bool // somebody pairs
	Working bool // what they set is tried
	Refused bool // it did not work, a moment ago
}

// pattern is one round of what the status LED does: on, off, on and so on. No part is
// longer than a second, because what goes on is looked at before each.
type pattern []time.Duration

const ms = time.Millisecond

// The patterns. steady has no part that is off, dark none that is on.
var (
	dark    = pattern{0, time.Second}
	steady  = pattern{time.Second, 0}
	talk    = pattern{125 * ms, 125 * ms}
	live    = pattern{900 * ms, 100 * ms}
	pairing = pattern{time.Second, time.Second}
	joined  = pattern{500 * ms, 500 * ms}
	working = pattern{250 * ms, 250 * ms}
	privacy = pattern{50 * ms, time.Second, 0, time.Second, 0, 950 * ms}
	trouble = pattern{100 * ms, 150 * ms, 100 * ms, 900 * ms}
)

// pattern chooses one: what people in the room must know comes first.
func (s Scene) pattern() pattern {
	switch {
	case s.Talk:
		return talk
	case s.Live:
		return live
	case s.Refused:
		return trouble
	case s.Working:
		return working
	case s.Joined:
		return joined
	case s.Pairing:
		return pairing
	case s.Privacy:
		return privacy
	case s.Trouble:
		return trouble
	case s.Online:
		return steady
	}
	return dark
}

// same tells whether two patterns are one.
func (p pattern) same(q pattern) bool { return len(p) > 0 && len(q) > 0 && &p[0] == &q[0] }

// Status drives the status LED. It is a supervise.Component.
type Status struct {
	name   string
	log    *slog.Logger
	health *health.Condition // nil: there is no LED
	lamp   lamp              // nil: there is none
	look   func() Scene

	// Run's own.
	now   pattern
	at    int
	known bool // on is what the LED was last set to
	on    bool
}

// NewStatus checks the configuration. look tells what goes on; it is called several
// times a second and returns at once.
func NewStatus(cfg Config, log *slog.Logger, board *health.Board, look func() Scene) (*Status, error) {
	if err := cfg.leds(); err != nil {
		return nil, err
	}
	s := &Status{name: cfg.StatusLED, log: log.With("component", "status light"), look: look}
	if s.name != "" && s.name != noLED {
		s.lamp, s.health = led.System.LED(s.name), board.Condition("status_led")
	}
	return s, nil
}

// String names the component.
func (s *Status) String() string { return "status light" }

// Run shows what goes on until ctx ends; then the LED is dark.
func (s *Status) Run(ctx context.Context, ready func()) error {
	ready()
	if s.lamp == nil {
		<-ctx.Done()
		return nil
	}
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			s.set(false)
			return nil
		case <-next.C:
			next.Reset(s.step())
		}
	}
}

// step does the next part of the pattern and tells how long it lasts.
func (s *Status) step() time.Duration {
	if p := s.look().pattern(); !p.same(s.now) {
		s.now, s.at = p, 0
	}
	for s.now[s.at] == 0 {
		s.at = (s.at + 1) % len(s.now)
	}
	on, lasts := s.at%2 == 0, s.now[s.at]
	s.at = (s.at + 1) % len(s.now)
	return max(lasts, s.set(on))
}

// set switches the LED if that changes it, and tells how long not to try again.
func (s *Status) set(on bool) (pause time.Duration) {
	if s.known && s.on == on {
		return 0
	}
	err := s.lamp.Set(on)
	s.known, s.on = err == nil, on
	if err == nil {
		s.health.Set(health.OK, "")
		return 0
	}
	s.log.Debug("status LED", "error", err)
	s.health.Set(health.Degraded, explainLED("status_led", s.name, err))
	return lookEvery
}
