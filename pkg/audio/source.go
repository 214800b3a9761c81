package audio

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/camd-project/camd/pkg/audio/alsa"
	"github.com/camd-project/camd/pkg/foreign"
)

// stream is an open, running microphone of 48 kHz mono. The errors are alsa's.
type stream interface {
	Read(samples []int16) (int, error) // waits; may give fewer samples than fit
	Delay() (int, error)               // samples captured, but not yet read
	Restart() error                    // after alsa.ErrXrun
	Close() error                      // from any goroutine; ends Read
}

// source finds and opens streams.
type source struct {
	find  func() (device string, err error) // looks, captures nothing
	open  func(device string) (stream, error)
	level func(device string) error // sets the gain
}

// unchanged returns the level function of a device without a level.
func unchanged(string) error { return nil }

func newSource(cfg Config) (source, error) {
	if cfg.Source == "tone" {
		return source{
			find:  func() (string, error) { return "tone", nil },
			open:  func(string) (stream, error) { return newTone(), nil },
			level: unchanged,
		}, nil
	}
	find, err := finder(microphone, alsa.Cards, cfg.Device)
	return source{
		find: find,
		open: func(device string) (stream, error) { return alsa.Open(device) },
		level: func(device string) error {
			return setLevel(microphone, device, alsa.In, cfg.MicrophoneElement, cfg.MicrophoneLevel)
		},
	}, err
}

// kind is how sentences name a device, and the path of such devices.
type kind struct{ name, paths string }

var (
	microphone  = kind{"microphone", "/dev/snd/pcmC*D*c"}
	loudspeaker = kind{"speaker", "/dev/snd/pcmC*D*p"}
)

// finder returns a function that finds the wanted device in list.
func finder(k kind, list func() ([]CardInfo, error), wanted string) (func() (string, error), error) {
	if wanted != "auto" {
		if _, _, err := alsa.ParseName(wanted); err != nil {
			return nil, err
		}
	}
	return func() (string, error) {
		cards, err := list()
		if err != nil {
			return "", err
		}
		return choose(k, cards, wanted)
	}, nil
}

// fault is an error that is a sentence for people.
type fault string

func (f fault) Error() string { return string(f) }

// choose returns the wanted device or, for auto, the first usable one.
func choose(k kind, cards []CardInfo, wanted string) (device string, err error) {
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
		why = append(why, fmt.Sprintf("%s (%s): %s", c.Device, foreign.Name(c.Card), reason(c.Err)))
	}
	switch {
	case len(why) > 0:
		return "", fault("No " + k.name + " can be used: " + strings.Join(why, "; ") + ".")
	case wanted != "auto":
		return "", fault("There is no " + k.name + " " + wanted + ". `camd check` lists what there is.")
	}
	return "", fault("There is no " + k.name + ": no device " + k.paths + ".")
}

// explain returns a sentence for the error of a device.
func explain(k kind, device string, err error) string {
	var f fault
	if errors.As(err, &f) {
		return string(f)
	}
	return "The " + k.name + " " + device + " fails: " + reason(err) + "."
}

func reason(err error) string {
	for _, known := range []error{alsa.ErrGone, alsa.ErrBusy, alsa.ErrSilent, alsa.ErrStuck, alsa.ErrXrun, alsa.ErrFormat} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	if errors.Is(err, fs.ErrPermission) {
		return "camd's user may not open it (group audio)"
	}
	return "it answers with an error, which camd's log names"
}
