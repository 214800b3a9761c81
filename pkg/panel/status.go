package panel

import (
	"context"
	"log/slog"
	"time"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/panel/led"
)

// Scene is the state of the device that the status LED shows.
type Scene struct {
	Online, Live, Talk, Pairing, Trouble, Privacy bool

	// While Pairing.
	Joined  bool // somebody is pairing
	Working bool // their settings are being tried
	Refused bool // they failed a moment ago
}

// pattern is one round of the status LED: for how long it is on, off, on and so on. No part
// is longer than a second, because the scene is read before each.
type pattern []time.Duration

const ms = time.Millisecond

// steady has no part that is off, dark none that is on.
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

// pattern returns the pattern of a scene. What people in the room must know comes first.
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

// same reports whether p and q are the same pattern.
func (p pattern) same(q pattern) bool { return len(p) > 0 && len(q) > 0 && &p[0] == &q[0] }

// Status drives the status LED. It is a supervise.Component.
type Status struct {
	name   string
	log    *slog.Logger
	health *health.Condition // nil: there is no LED
	led    ledDevice         // nil: there is none
	look   func() Scene

	// Only Run uses these.
	now   pattern
	at    int
	known bool // the LED was last set to on
	on    bool
}

// NewStatus checks the configuration. look returns the scene; it is called several times a
// second and returns at once.
func NewStatus(cfg Config, log *slog.Logger, board *health.Board, look func() Scene) (*Status, error) {
	if err := cfg.checkLEDs(); err != nil {
		return nil, err
	}
	s := &Status{name: cfg.StatusLED, log: log.With("component", "status light"), look: look}
	if s.name != "" && s.name != noLED {
		s.led, s.health = led.System.LED(s.name), board.Condition("status_led")
	}
	return s, nil
}

// String names the component.
func (s *Status) String() string { return "status light" }

// Run drives the LED until ctx ends; then the LED is off.
func (s *Status) Run(ctx context.Context, ready func()) error {
	ready()
	if s.led == nil {
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

// step begins the next part of the pattern and returns how long it lasts.
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

// set switches the LED if it is not so already, and returns how long to wait after a failure.
func (s *Status) set(on bool) (pause time.Duration) {
	if s.known && s.on == on {
		return 0
	}
	err := s.led.Set(on)
	s.known, s.on = err == nil, on
	if err == nil {
		s.health.Set(health.OK, "")
		return 0
	}
	s.log.Debug("status LED", "error", err)
	s.health.Set(health.Degraded, explainLED("status_led", s.name, err))
	return lookEvery
}
