package panel

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/panel/evdev"
	"github.com/camd-project/camd/pkg/panel/led"
)

const (
	windowTime = 5 * time.Minute
	windowName = "owner" // of whoever pairs while nobody says another name
)

// Actions is what the buttons do. The panel's goroutine calls them one after the other, and
// handles no other press meanwhile.
type Actions struct {
	OpenWindow    func(d time.Duration, name string) error // for pairing
	TogglePrivacy func(context.Context) (on bool, err error)
	Evict, Reset  func(context.Context) error // at once: the panel has counted down

	// These return at once; what they begin goes on. A nil one does nothing. Those that
	// return a bool report whether there was something to do.
	Ring, Audit func(context.Context) error // a doorbell press; speak who the members are and who watches
	Accept      func() bool                 // let the member speak who asks to
	EndTalk     func() bool                 // end the talk
	Block       func() bool                 // block the next talk just after one
	StopPrompt  func() bool                 // stop what Audit began
	Say         func(clip string)           // speak a clip of the prompts' archive
}

// complete replaces each nil action by one that does nothing.
func (a Actions) complete() Actions {
	nothing := func(context.Context) error { return nil }
	nobody := func() bool { return false }
	if a.Ring == nil {
		a.Ring = nothing
	}
	if a.Audit == nil {
		a.Audit = nothing
	}
	if a.Accept == nil {
		a.Accept = nobody
	}
	if a.EndTalk == nil {
		a.EndTalk = nobody
	}
	if a.Block == nil {
		a.Block = nobody
	}
	if a.StopPrompt == nil {
		a.StopPrompt = nobody
	}
	if a.Say == nil {
		a.Say = func(string) {}
	}
	return a
}

// The clips of the prompts' archive that answer gestures.
const (
	sayPairing    = "phrase/pairing-open"
	sayPrivacyOn  = "phrase/privacy-on"
	sayPrivacyOff = "phrase/privacy-off"
	sayEvicting   = "phrase/evicting"
	sayResetting  = "phrase/resetting"
	sayStopped    = "phrase/stopped"
	sayDigit      = "digit/"
)

// Panel reads the buttons and calls the actions. It is a supervise.Component.
type Panel struct {
	log     *slog.Logger
	health  *health.Condition
	actions Actions
	driver  driver
	buttons map[string]spec

	// Only Run uses these.
	problems map[string]string // by button
	pending  *pending          // nil: there is no countdown
	spent    bool              // the current press stopped a countdown and means nothing else
	presses  series            // short presses of the pairing button
}

// Buttons, as the configuration names them.
const (
	pairingButton = "pairing_button"
	privacyButton = "privacy_button"
	bellButton    = "bell_button"
)

// New checks the configuration and opens nothing.
func New(cfg Config, log *slog.Logger, board *health.Board, actions Actions) (*Panel, error) {
	p := &Panel{
		log: log.With("component", "panel"), health: board.Condition("panel"), actions: actions.complete(), driver: kernel{},
		buttons: map[string]spec{}, problems: map[string]string{},
	}
	for name, text := range map[string]string{pairingButton: cfg.PairingButton, privacyButton: cfg.PrivacyButton, bellButton: cfg.BellButton} {
		s, err := parseSpec(text)
		if err != nil {
			return nil, err
		}
		if s.name != "" {
			p.buttons[name] = s
		}
	}
	return p, nil
}

// Probe lists the input devices, for people to choose from.
func Probe() ([]evdev.Device, error) { return evdev.Devices() }

// ProbeLEDs lists the LEDs, for people to choose from. It writes nothing.
func ProbeLEDs() ([]led.Info, error) { return led.System.List() }

// String names the component.
func (p *Panel) String() string { return "panel" }

// Run serves until ctx ends. A missing button is reported by health.
func (p *Panel) Run(ctx context.Context, ready func()) error {
	if len(p.buttons) == 0 {
		p.health.Set(health.OK, "No button is configured.")
	}
	reports := make(chan report)
	var wg sync.WaitGroup
	defer wg.Wait()
	for name, s := range p.buttons {
		b := button{name: name, spec: s, driver: p.driver, out: reports}
		wg.Go(func() { b.run(ctx) })
	}
	defer p.stop()
	ready()
	for {
		var second <-chan time.Time
		if p.pending != nil {
			second = p.pending.second.C
		}
		select {
		case <-ctx.Done():
			return nil
		case <-second:
			p.count(ctx)
		case r := <-reports:
			p.take(ctx, r)
		}
	}
}

// take handles a report of a button.
func (p *Panel) take(ctx context.Context, r report) {
	switch {
	case r.device:
		p.device(r)
	case r.button == pairingButton:
		p.pairing(ctx, r.edge)
	case r.button == bellButton:
		if r.edge.down && !p.answer() { // nobody at the door waits for the release
			p.done("ring", p.actions.Ring(ctx))
		}
	case r.edge.up && r.edge.held < shortHold:
		on, err := p.actions.TogglePrivacy(ctx)
		if p.done("switch privacy mode", err) {
			p.actions.Say(map[bool]string{true: sayPrivacyOn, false: sayPrivacyOff}[on])
		}
	}
}

// device updates health. A countdown ends if its button is gone, since nobody could stop it.
func (p *Panel) device(r report) {
	p.problems[r.button] = r.problem
	if r.problem == "" {
		delete(p.problems, r.button)
	}
	if len(p.problems) == 0 {
		p.health.Set(health.OK, "")
	} else {
		p.health.Set(health.Degraded, strings.Join(slices.Sorted(maps.Values(p.problems)), " "))
	}
	if r.button == pairingButton {
		p.cancel("the button's device has gone")
		p.spent, p.presses = false, nil
	}
}

// answer accepts a member who asks to speak, or ends a talk, and reports whether it did:
// then the press means nothing else.
func (p *Panel) answer() bool {
	switch {
	case p.actions.Accept():
		return p.done("let in who asked to speak", nil)
	case p.actions.EndTalk():
		return p.done("end the talk", nil)
	}
	return false
}

// pairing handles the pairing button.
func (p *Panel) pairing(ctx context.Context, e edge) {
	if e.down {
		p.spent = p.cancel("the button was pressed")
		return
	}
	if p.spent {
		p.spent = false
		return
	}
	if e.held < shortHold {
		switch {
		case p.answer() || p.actions.Block() || p.actions.StopPrompt():
			p.presses = nil
		case p.presses.add(e.at) == auditPresses:
			p.presses = nil
			p.done("tell who the members are and who watches", p.actions.Audit(ctx))
		}
		return
	}
	p.presses = nil
	switch meaning(e.held) {
	case pair:
		if p.done("open the pairing window", p.actions.OpenWindow(windowTime, windowName)) {
			p.actions.Say(sayPairing)
		}
	case evict:
		p.begin("evict every member", sayEvicting, p.actions.Evict)
	case reset:
		p.begin("reset the device", sayResetting, p.actions.Reset)
	}
}

// done logs the result of an action and reports whether it succeeded.
func (p *Panel) done(what string, err error) bool {
	if err != nil {
		p.log.Error("the button's action failed", "to", what, "error", err)
		return false
	}
	p.log.Info("done at the button", "what", what)
	return true
}
