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

// Actions is what the buttons do. They are called one after the other, on the
// panel's goroutine, which acts on no other press meanwhile.
type Actions struct {
	OpenWindow    func(d time.Duration, name string) error // for pairing
	TogglePrivacy func(context.Context) (on bool, err error)
	Evict, Reset  func(context.Context) error // at once: the panel has counted down

	// These return at once; what they begin goes on. One that is nil does nothing.
	Ring, Audit func(context.Context) error // the bell; who the members are and who watches, spoken
	Accept      func() bool                 // whether someone asked to speak, and now may
	EndTalk     func() bool                 // whether someone spoke, and now may not
	Block       func() bool                 // whether someone spoke a moment ago, and now may not again
	StopPrompt  func() bool                 // whether what Audit began was still spoken, and now is not
	Say         func(clip string)           // speaks one of the prompts' archive
}

// complete puts something that does nothing where there is nil.
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

// What is said at gestures: names of clips of the prompts' archive.
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

	// Run's own.
	problems map[string]string // of each button that has one
	pending  *pending          // nil: nothing is being counted down to
	spent    bool              // the press that is under way ended a countdown, and means nothing else
	presses  series            // short ones of the pairing button
}

// The buttons, by their keys in the configuration.
const (
	pairingButton = "pairing_button"
	privacyButton = "privacy_button"
	bellButton    = "bell_button"
)

// New checks the configuration. Run opens what there is to open.
func New(cfg Config, log *slog.Logger, board *health.Board, actions Actions) (*Panel, error) {
	p := &Panel{
		log: log.With("component", "panel"), health: board.Condition("panel"), actions: actions.complete(), driver: kernel{},
		buttons: map[string]spec{}, problems: map[string]string{},
	}
	for name, text := range cfg.buttons() {
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

// Probe lists the input devices, for people to choose among.
func Probe() ([]evdev.Device, error) { return evdev.Devices() }

// ProbeLEDs lists the LEDs, for people to choose among. It writes nothing.
func ProbeLEDs() ([]led.Info, error) { return led.System.List() }

// String names the component.
func (p *Panel) String() string { return "panel" }

// Run serves until ctx ends. Buttons that aren't there are a condition of health.
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

// take acts on what a button reports.
func (p *Panel) take(ctx context.Context, r report) {
	switch {
	case r.device:
		p.device(r)
	case r.button == pairingButton:
		p.pairing(ctx, r.edge)
	case r.button == bellButton:
		p.bell(ctx, r.edge)
	case r.edge.up && r.edge.held < shortHold:
		p.privacy(ctx)
	}
}

// device keeps health. Without its button a countdown can't be stopped, so it ends.
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

// privacy switches privacy mode.
func (p *Panel) privacy(ctx context.Context) {
	on, err := p.actions.TogglePrivacy(ctx)
	if p.done("switch privacy mode", err) {
		p.actions.Say(map[bool]string{true: sayPrivacyOn, false: sayPrivacyOff}[on])
	}
}

// bell acts on the bell button: at the press, since nobody waits for a release.
func (p *Panel) bell(ctx context.Context, e edge) {
	if e.down && !p.answer() {
		p.done("ring", p.actions.Ring(ctx))
	}
}

// answer lets in who asks to speak, or else ends a talk; a press that did so means
// nothing else.
func (p *Panel) answer() bool {
	switch {
	case p.actions.Accept():
		return p.done("let in who asked to speak", nil)
	case p.actions.EndTalk():
		return p.done("end the talk", nil)
	}
	return false
}

// pairing acts on the pairing button.
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
		p.short(ctx, e)
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

// short acts on a short press of the pairing button.
func (p *Panel) short(ctx context.Context, e edge) {
	if p.answer() || p.actions.Block() || p.actions.StopPrompt() {
		p.presses = nil
		return
	}
	if p.presses.add(e.at) == auditPresses {
		p.presses = nil
		p.done("tell who the members are and who watches", p.actions.Audit(ctx))
	}
}

// done logs how an action went, and tells whether it did.
func (p *Panel) done(what string, err error) bool {
	if err != nil {
		p.log.Error("the button's action failed", "to", what, "error", err)
		return false
	}
	p.log.Info("done at the button", "what", what)
	return true
}
