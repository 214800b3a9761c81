package panel

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Config is the table [panel] of the configuration file.
type Config struct {
	PairingButton string `toml:"pairing_button" doc:"Input device of the pairing button: NAME as camd check lists it, or NAME/KEYCODE for one key of several; empty for none. Held 3 s and released it opens pairing, held 10 s it evicts all members, held 20 s it resets the device; the last two count down first, and a press stops them."`
	PrivacyButton string `toml:"privacy_button" doc:"Input device of the privacy button, written the same way; a short press switches privacy mode on or off."`
}

// DefaultConfig is a device without buttons.
func DefaultConfig() Config { return Config{} }

// maxKey is KEY_MAX of input-event-codes.h.
const maxKey = 0x2ff

var errConfig = errors.New("panel configuration")

// spec is which key of which device a button is.
type spec struct {
	name string // of the device; empty: there is no such button
	key  uint16
	any  bool // every key of the device
}

// parseSpec reads "NAME" or "NAME/KEYCODE". A name may hold slashes itself: what
// follows the last one is a code only if it is a number.
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

func (s spec) means(key uint16) bool { return s.any || s.key == key }
