// Package alsa captures sound from the PCM character devices of Linux
// (/dev/snd/pcmC?D?c, see the kernel's include/uapi/sound/asound.h), without
// libasound, which cannot be linked into a static binary.
//
// It owns the open device and refuses whatever isn't 48 kHz, 16 bit and one or two
// channels: there is no resampler. Two channels are averaged into one. It starts no
// goroutine; Close ends a Read that waits.
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

var (
	// ErrXrun tells that the card wrote over samples that nobody had read, or that
	// the machine slept meanwhile. Restart goes on with new ones.
	ErrXrun = errors.New("samples were lost")
	// ErrSilent tells that the card delivered nothing for two seconds.
	ErrSilent = errors.New("it sends nothing")
	// ErrGone tells that the card was unplugged, or was never there.
	ErrGone = errors.New("it is not plugged in")
	// ErrBusy tells that another program has the card open.
	ErrBusy = errors.New("another program uses it")
	// ErrFormat tells that the card can't capture 16 bit at 48 kHz in one or two channels.
	ErrFormat = errors.New("it cannot capture 16 bit mono or stereo at 48 kHz")
)

// CardInfo is one capture device, for people to choose among.
type CardInfo struct {
	Device                   string // as Open takes it: hw:1,0
	Card                     string // the card's name, or its number when that can't be read
	MinRate, MaxRate         int    // Hz
	MinChannels, MaxChannels int
	Usable                   bool  // Open can use it
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
