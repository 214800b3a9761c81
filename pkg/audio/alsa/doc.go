// Package alsa captures and plays sound by the PCM character devices of Linux
// (/dev/snd/pcmC?D?{c,p}, see the kernel's include/uapi/sound/asound.h), and sets
// levels by the cards' control devices (/dev/snd/controlC?), without libasound, which
// cannot be linked into a static binary.
//
// It owns the open device and refuses whatever isn't 48 kHz, 16 bit and one or two
// channels: there is no resampler. Two channels are averaged into one, and one is
// played on both. It starts no goroutine; Close ends a Read, Write or Drain that waits.
package alsa

import (
	"errors"
	"fmt"
)

const (
	// Rate is the only sample rate, in Hz.
	Rate = 48000
	// Period is the wanted number of frames between two wake-ups: 20 ms. A card
	// that can't may use down to half of it or, failing that, what it likes.
	Period = 960
)

// Way is the direction of a device, as the names of the PCM devices end with it.
type Way string

// The two ways.
const (
	In  Way = "c" // capture
	Out Way = "p" // playback
)

var (
	// ErrXrun means that the card wrote over samples that nobody had read, that it
	// had nothing to play, or that the machine slept meanwhile. Restart goes on with
	// new ones.
	ErrXrun = errors.New("samples were lost")
	// ErrSilent means that the card delivered nothing for two seconds.
	ErrSilent = errors.New("it sends nothing")
	// ErrStuck means that the card played nothing for two seconds.
	ErrStuck = errors.New("it plays nothing")
	// ErrGone means that the card was unplugged, or was never there.
	ErrGone = errors.New("it is not plugged in")
	// ErrBusy means that another program has the card open.
	ErrBusy = errors.New("another program uses it")
	// ErrFormat means that the card doesn't know 16 bit at 48 kHz in one or two channels.
	ErrFormat = errors.New("it has no 16 bit mono or stereo at 48 kHz")
	// ErrLevel means that a card didn't keep the level or switch that was set.
	ErrLevel = errors.New("it does not keep the level that is set")
	// ErrNoElement means that a mixer has no element of that name. The error lists
	// those that there are.
	ErrNoElement = errors.New("its mixer has no element")
)

// CardInfo is one capture or playback device, for people to choose among.
type CardInfo struct {
	Device                   string // as Open and OpenPlayback take it: hw:1,0
	Card                     string // the card's name, or its number when that can't be read
	MinRate, MaxRate         int    // Hz
	MinChannels, MaxChannels int
	Usable                   bool  // Open or OpenPlayback can use it
	Err                      error // why nothing more is known: ErrBusy, permissions
}

// Name makes the name of a device: hw:1,0.
func Name(card, device int) string { return fmt.Sprintf("hw:%d,%d", card, device) }

// ParseName reads what Name makes, and refuses all else.
func ParseName(name string) (card, device int, err error) {
	if _, err := fmt.Sscanf(name, "hw:%d,%d", &card, &device); err != nil || card < 0 || device < 0 || Name(card, device) != name {
		return 0, 0, fmt.Errorf("%q is not the name of a sound device: it is hw:CARD,DEVICE, such as hw:1,0", name)
	}
	return card, device, nil
}

// Element is a part of a card's mixer, under the name that amixer calls it by.
type Element struct {
	Name           string // Speaker, PCM, Mic; Mic,1 for the second of that name
	Volume, Switch bool   // what can be set
}
