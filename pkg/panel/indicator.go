package panel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/panel/led"
)

// What every status says of a board that shows nothing when someone watches.
const (
	sayNoLED  = "This camera has no live LED: nothing at the device shows when someone watches."
	sayUnsaid = "No live LED is configured: nothing at the device shows when someone watches. Set live_led in the configuration, to \"none\" if the board has none."
)

// lamp is a led.LED, or a test's.
type lamp interface {
	Set(on bool) error
	Is(on bool) error
}

// Indicator is the live LED: what people in the room see when someone watches or
// listens. It is a supervise.Component, but works whether it runs or not: Run only
// looks after the LED while nobody needs it.
type Indicator struct {
	name   string
	log    *slog.Logger
	health *health.Condition
	lamp   lamp // nil: the board has none

	order sync.Mutex // over the writes, so that the last wish is the last that is written
	held  int        // by so many sessions
	dark  bool       // it did not shine when it last should have, though it could be written
}

// NewIndicator checks the configuration and opens nothing.
func NewIndicator(cfg Config, log *slog.Logger, board *health.Board) (*Indicator, error) {
	if err := cfg.leds(); err != nil {
		return nil, err
	}
	i := &Indicator{name: cfg.LiveLED, log: log.With("component", "live light"), health: board.Condition("live_led")}
	switch cfg.LiveLED {
	case noLED:
		i.health.Set(health.OK, sayNoLED)
	case "":
		i.health.Set(health.Degraded, sayUnsaid)
	default:
		i.lamp = led.System.LED(cfg.LiveLED)
	}
	return i, nil
}

// String names the component.
func (i *Indicator) String() string { return "live light" }

// Run keeps the LED off while no session needs it, and tells health whether it could.
func (i *Indicator) Run(ctx context.Context, ready func()) error {
	i.rest()
	ready()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			i.rest()
		}
	}
}

// rest switches an LED off that shines for nobody. It is how a missing one is noticed
// before someone wants to watch.
func (i *Indicator) rest() {
	i.order.Lock()
	defer i.order.Unlock()
	if i.lamp == nil || i.held > 0 {
		return
	}
	err := i.lamp.Is(false)
	if errors.Is(err, led.ErrOther) {
		err = i.lamp.Set(false)
	}
	if err == nil && i.dark {
		return // that it can be dark says nothing about that
	}
	i.tell(err)
}

// On switches the LED on for one more session. It fails unless the kernel says that it
// is on, and then counts nothing. A board without an LED is always on.
func (i *Indicator) On() error {
	i.order.Lock()
	defer i.order.Unlock()
	if i.lamp == nil {
		return nil
	}
	err := i.lamp.Set(true)
	i.tell(err)
	i.dark = errors.Is(err, led.ErrOther)
	if err == nil {
		i.held++
	} else if i.held == 0 {
		_ = i.lamp.Set(false) // it is broken already
	}
	return err
}

// Off undoes one On; the last one switches the LED off.
func (i *Indicator) Off() {
	i.order.Lock()
	defer i.order.Unlock()
	if i.lamp == nil || i.held == 0 {
		return
	}
	if i.held--; i.held == 0 {
		i.tell(i.lamp.Set(false))
	}
}

// Lit fails if sessions need the LED and the kernel does not say that it is on.
func (i *Indicator) Lit() error {
	i.order.Lock()
	defer i.order.Unlock()
	if i.lamp == nil || i.held == 0 {
		return nil
	}
	err := i.lamp.Is(true)
	i.tell(err)
	return err
}

func (i *Indicator) tell(err error) {
	if err == nil {
		i.health.Set(health.OK, "")
		return
	}
	i.log.Debug("live LED", "error", err)
	i.health.Set(health.Failed, explainLED("live_led", i.name, err)+" Nobody can watch until it works.")
}

// explainLED says why an LED can't be used.
func explainLED(key, name string, err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("No LED is called %q: correct %s in the configuration, or plug it in.", name, key)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("camd may not write the LED %q of %s: give its user the right to, by a rule of udev.", name, key)
	case errors.Is(err, led.ErrOther):
		return fmt.Sprintf("The LED %q of %s does not stay as camd sets it: something else drives it.", name, key)
	}
	return fmt.Sprintf("The LED %q of %s fails; it is tried again every few seconds.", name, key)
}
