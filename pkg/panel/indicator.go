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

// What every status says where no LED shows that someone watches.
const (
	sayNoLED  = "This camera has no live LED: nothing at the device shows when someone watches."
	sayUnsaid = "No live LED is configured: nothing at the device shows when someone watches. Set live_led in the configuration, to \"none\" if the board has none."
)

// ledDevice is a led.LED, or a fake one in tests.
type ledDevice interface {
	Set(on bool) error
	Is(on bool) error
}

// Indicator is the live indicator: an LED that is on while someone watches or listens.
// It is a supervise.Component, but works whether it runs or not: Run only checks the LED
// while nobody needs it. It is safe for concurrent use.
type Indicator struct {
	name   string
	log    *slog.Logger
	health *health.Condition
	led    ledDevice // nil: the board has none

	mu    sync.Mutex // held while the LED is written, so that writes keep their order
	users int        // sessions that need the LED
	dark  bool       // it did not light up when it last should have, though it could be written
}

// NewIndicator checks the configuration and opens nothing.
func NewIndicator(cfg Config, log *slog.Logger, board *health.Board) (*Indicator, error) {
	if err := cfg.checkLEDs(); err != nil {
		return nil, err
	}
	i := &Indicator{name: cfg.LiveLED, log: log.With("component", "live LED"), health: board.Condition("live_led")}
	switch cfg.LiveLED {
	case noLED:
		i.health.Set(health.OK, sayNoLED)
	case "":
		i.health.Set(health.Degraded, sayUnsaid)
	default:
		i.led = led.System.LED(cfg.LiveLED)
	}
	return i, nil
}

// String names the component.
func (i *Indicator) String() string { return "live LED" }

// Run keeps the LED off while no session needs it, and reports faults to health.
func (i *Indicator) Run(ctx context.Context, ready func()) error {
	i.keepOff()
	ready()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			i.keepOff()
		}
	}
}

// keepOff switches the LED off if it is on though no session needs it. So a missing LED is
// noticed before someone wants to watch.
func (i *Indicator) keepOff() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.led == nil || i.users > 0 {
		return
	}
	err := i.led.Is(false)
	if errors.Is(err, led.ErrOther) {
		err = i.led.Set(false)
	}
	if err == nil && i.dark {
		return // that it can be off does not show that it can be on
	}
	i.report(err)
}

// On switches the LED on for one more session. It fails, and counts nothing, unless the
// kernel says that the LED is on. A board without an LED never fails.
func (i *Indicator) On() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.led == nil {
		return nil
	}
	err := i.led.Set(true)
	i.report(err)
	i.dark = errors.Is(err, led.ErrOther)
	if err == nil {
		i.users++
	} else if i.users == 0 {
		_ = i.led.Set(false) // it is broken already
	}
	return err
}

// Off undoes one On. The last one switches the LED off.
func (i *Indicator) Off() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.led == nil || i.users == 0 {
		return
	}
	if i.users--; i.users == 0 {
		i.report(i.led.Set(false))
	}
}

// Lit returns an error if sessions need the LED and the kernel does not say that it is on.
func (i *Indicator) Lit() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.led == nil || i.users == 0 {
		return nil
	}
	err := i.led.Is(true)
	i.report(err)
	return err
}

func (i *Indicator) report(err error) {
	if err == nil {
		i.health.Set(health.OK, "")
		return
	}
	i.log.Debug("live LED", "error", err)
	i.health.Set(health.Failed, explainLED("live_led", i.name, err)+" Nobody can watch until it works.")
}

// explainLED returns the sentence why an LED can't be used.
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
