//go:build !linux

package alsa

import "errors"

var errOther = errors.New("sound is captured on Linux only")

// PCM stands in for the real one where there is no ALSA; there is never one.
type PCM struct{}

// Open fails.
func Open(name string) (*PCM, error) {
	if _, _, err := ParseName(name); err != nil {
		return nil, err
	}
	return nil, errOther
}

// Restart fails.
func (*PCM) Restart() error { return errOther }

// Read fails.
func (*PCM) Read([]int16) (int, error) { return 0, errOther }

// Delay fails.
func (*PCM) Delay() (int, error) { return 0, errOther }

// Close does nothing.
func (*PCM) Close() error { return nil }

// Cards lists nothing.
func Cards() ([]CardInfo, error) { return nil, errOther }
