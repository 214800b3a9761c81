package audio

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/camd-project/camd/pkg/audio/alsa"
)

// stream is an open, running microphone of 48 kHz mono. The errors are alsa's.
type stream interface {
	Read(samples []int16) (int, error) // waits; may give fewer samples than fit
	Delay() (int, error)               // samples captured, but not yet read
	Restart() error                    // after alsa.ErrXrun
	Close() error                      // from any goroutine; ends Read
}

// source is where streams come from.
type source struct {
	find func() (device string, err error) // looks, captures nothing
	open func(device string) (stream, error)
}

func newSource(cfg Config) (source, error) {
	if cfg.Source == "tone" {
		return source{
			find: func() (string, error) { return "tone", nil },
			open: func(string) (stream, error) { return newTone(), nil },
		}, nil
	}
	if cfg.Device != "auto" {
		if _, _, err := alsa.ParseName(cfg.Device); err != nil {
			return source{}, err
		}
	}
	find := func() (string, error) {
		cards, err := alsa.Cards()
		if err != nil {
			return "", err
		}
		return choose(cards, cfg.Device)
	}
	return source{find, func(device string) (stream, error) { return alsa.Open(device) }}, nil
}

// fault is an error in a sentence for people.
type fault string

func (f fault) Error() string { return string(f) }

// choose takes the wanted one of the capture devices or, for auto, the first usable.
func choose(cards []CardInfo, wanted string) (device string, err error) {
	var why []string
	for _, c := range cards {
		switch {
		case wanted != "auto" && wanted != c.Device:
			continue
		case c.Usable:
			return c.Device, nil
		case c.Err == nil:
			c.Err = alsa.ErrFormat
		}
		why = append(why, fmt.Sprintf("%s (%s): %s", c.Device, c.Card, reason(c.Err)))
	}
	switch {
	case len(why) > 0:
		return "", fault("No microphone can be used: " + strings.Join(why, "; ") + ".")
	case wanted != "auto":
		return "", fault("There is no microphone " + wanted + ". `camd check` lists what there is.")
	}
	return "", fault("There is no microphone: no device /dev/snd/pcmC*D*c.")
}

// explain makes a sentence of what a device's session ended with.
func explain(device string, err error) string {
	var f fault
	if errors.As(err, &f) {
		return string(f)
	}
	return "The microphone " + device + " fails: " + reason(err) + "."
}

func reason(err error) string {
	for _, known := range []error{alsa.ErrGone, alsa.ErrBusy, alsa.ErrSilent, alsa.ErrXrun, alsa.ErrFormat} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	if errors.Is(err, fs.ErrPermission) {
		return "camd's user may not open it (group audio)"
	}
	return "it answers with an error, which camd's log names"
}
