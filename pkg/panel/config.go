package panel

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/camd-project/camd/pkg/panel/led"
)

// Config is the table [panel] of the configuration file.
type Config struct {
	PairingButton string `toml:"pairing_button" doc:"Input device of the pairing button: NAME as camd check lists it, or NAME/KEYCODE for one key of several; empty for none. Held 3 s and released it opens pairing, held 10 s it evicts all members, held 20 s it resets the device; the last two count down first, and a press stops them. A short press lets in who asks to speak, or ends a talk; three within 1.5 s speak who the members are and who watches, and another press stops that."`
	PrivacyButton string `toml:"privacy_button" doc:"Input device of the privacy button, written the same way; a short press switches privacy mode on or off."`
	BellButton    string `toml:"bell_button" doc:"Input device of the bell button, written the same way; a press rings, accepts a request to speak, or ends a talk."`

	LiveLED   string `toml:"live_led" doc:"LED that is on while someone watches or listens: NAME as camd check lists it, or \"none\" if the board has none, which every status then says. camd writes it and reads it back before the first picture or sound leaves; without it nothing leaves. Empty: nobody has said yet."`
	StatusLED string `toml:"status_led" doc:"LED that shows the state of the device: steady online, blinking fast while someone speaks, slowly while pairing is open, with short pauses while someone watches, with short flashes in privacy mode, with double flashes when something is wrong. NAME, or empty for none."`
}

// noLED is configured where a board has no live LED.
const noLED = "none"

// DefaultConfig returns a device without buttons, and with nothing said about its LEDs.
func DefaultConfig() Config { return Config{} }

// maxKey is KEY_MAX of input-event-codes.h.
const maxKey = 0x2ff

var errConfig = errors.New("panel configuration")

// checkLEDs checks the names of the LEDs.
func (c Config) checkLEDs() error {
	for key, name := range map[string]string{"live_led": c.LiveLED, "status_led": c.StatusLED} {
		if name != "" && !led.ValidName(name) {
			return fmt.Errorf("%w: %s: %q can't be the name of an LED", errConfig, key, name)
		}
	}
	if c.LiveLED == c.StatusLED && c.LiveLED != "" && c.LiveLED != noLED {
		return fmt.Errorf("%w: %q can't be both live_led and status_led: a status that blinks would hide that someone watches", errConfig, c.LiveLED)
	}
	return nil
}

// spec identifies the key of a device that is a button.
type spec struct {
	name string // of the device; empty: there is no such button
	key  uint16
	any  bool // every key of the device
}

// parseSpec parses "NAME" or "NAME/KEYCODE". A name may contain slashes: what follows the
// last one is a code only if it is a number.
func parseSpec(s string) (spec, error) {
	i := strings.LastIndexByte(s, '/')
	if i < 0 || strings.Trim(s[i+1:], "0123456789") != "" || i+1 == len(s) {
		return spec{name: s, any: true}, nil
	}
	code, err := strconv.ParseUint(s[i+1:], 10, 16)
	if err != nil || code == 0 || code > maxKey || i == 0 {
		return spec{}, fmt.Errorf("%w: %q must be the name of an input device, or NAME/KEYCODE with a code from 1 to %d", errConfig, s, maxKey)
	}
	return spec{name: s[:i], key: uint16(code)}, nil
}
