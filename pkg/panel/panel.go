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
)

const (
	windowTime = 5 * time.Minute
	windowName = "owner" // of whoever pairs while nobody says another name
	countdown  = 10      // seconds
)

// Actions is what the buttons do. They are called one after the other, on the
// panel's goroutine.
type Actions struct {
	OpenWindow    func(d time.Duration, name string) error // for pairing
	TogglePrivacy func(context.Context) error
	Evict, Reset  func(context.Context) error // at once: the panel has counted down
}

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
}

// The buttons, by their keys in the configuration.
const (
	pairingButton = "pairing_button"
	privacyButton = "privacy_button"
)

// pending is what is being counted down to.
type pending struct {
	what   string
	do     func(context.Context) error
	left   int // seconds
	second *time.Ticker
}

// New checks the configuration. Run opens what there is to open.
func New(cfg Config, log *slog.Logger, board *health.Board, actions Actions) (*Panel, error) {
	p := &Panel{
		log: log.With("component", "panel"), health: board.Condition("panel"), actions: actions, driver: kernel{},
		buttons: map[string]spec{}, problems: map[string]string{},
	}
	for name, text := range map[string]string{pairingButton: cfg.PairingButton, privacyButton: cfg.PrivacyButton} {
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
		p.pairing(r.edge)
	case r.edge.up && r.edge.held < shortHold:
		p.done("switch privacy mode", p.actions.TogglePrivacy(ctx))
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
		p.spent = false
	}
}

// pairing acts on the pairing button.
func (p *Panel) pairing(e edge) {
	if e.down {
		p.spent = p.cancel("the button was pressed")
		return
	}
	if p.spent {
		p.spent = false
		return
	}
	switch meaning(e.held) {
	case pair:
		p.done("open the pairing window", p.actions.OpenWindow(windowTime, windowName))
	case evict:
		p.begin("evict every member", p.actions.Evict)
	case reset:
		p.begin("reset the device", p.actions.Reset)
	}
}

// begin counts down to what can't be undone.
func (p *Panel) begin(what string, do func(context.Context) error) {
	p.pending = &pending{what: what, do: do, left: countdown, second: time.NewTicker(time.Second)}
	p.tellTime()
}

func (p *Panel) tellTime() {
	p.log.Warn("counting down: a press of the pairing button stops it", "to", p.pending.what, "seconds", p.pending.left)
}

// count is called each second of a countdown.
func (p *Panel) count(ctx context.Context) {
	if p.pending.left--; p.pending.left > 0 {
		p.tellTime()
		return
	}
	now := p.pending
	p.stop()
	p.done(now.what, now.do(ctx))
}

// cancel ends a countdown, if there is one.
func (p *Panel) cancel(why string) (was bool) {
	if p.pending == nil {
		return false
	}
	p.log.Warn("countdown stopped", "to", p.pending.what, "because", why)
	p.stop()
	return true
}

func (p *Panel) stop() {
	if p.pending != nil {
		p.pending.second.Stop()
		p.pending = nil
	}
}

// done logs how an action went.
func (p *Panel) done(what string, err error) {
	if err != nil {
		p.log.Error("the button's action failed", "to", what, "error", err)
		return
	}
	p.log.Info("done at the button", "what", what)
}
