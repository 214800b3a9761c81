//go:build !linux

package alsa

import (
	"context"
	"errors"
)

var errOther = errors.New("sound is captured and played on Linux only")

// device stands in for the real one where there is no ALSA; there is never one.
type device struct{}

// Restart fails.
func (*device) Restart() error { return errOther }

// Delay fails.
func (*device) Delay() (int, error) { return 0, errOther }

// Close does nothing.
func (*device) Close() error { return nil }

// PCM stands in for the real one.
type PCM struct{ device }

// Open fails.
func Open(name string) (*PCM, error) {
	if _, _, err := ParseName(name); err != nil {
		return nil, err
	}
	return nil, errOther
}

// Read fails.
func (*PCM) Read([]int16) (int, error) { return 0, errOther }

// Playback stands in for the real one.
type Playback struct{ device }

// OpenPlayback fails.
func OpenPlayback(name string) (*Playback, error) {
	if _, _, err := ParseName(name); err != nil {
		return nil, err
	}
	return nil, errOther
}

// Write fails.
func (*Playback) Write([]int16) (int, error) { return 0, errOther }

// Drain fails.
func (*Playback) Drain(context.Context) error { return errOther }

// Cards lists nothing.
func Cards() ([]CardInfo, error) { return nil, errOther }

// Outputs lists nothing.
func Outputs() ([]CardInfo, error) { return nil, errOther }

// Mixer stands in for the real one.
type Mixer struct{}

// OpenMixer fails.
func OpenMixer(int, Way) (*Mixer, error) { return nil, errOther }

// Elements lists nothing.
func (*Mixer) Elements() []Element { return nil }

// SetVolume fails.
func (*Mixer) SetVolume(string, int) error { return errOther }

// Switch fails.
func (*Mixer) Switch(string, bool) error { return errOther }

// Close does nothing.
func (*Mixer) Close() error { return nil }
