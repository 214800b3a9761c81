//go:build !linux

package evdev

// Devices lists nothing.
func Devices() ([]Device, error) { return nil, ErrUnsupported }

// Keys stands in for the real one where there are no input devices; there is never one.
type Keys struct{}

// Open fails.
func Open(string) (*Keys, error) { return nil, ErrUnsupported }

// Read fails.
func (*Keys) Read() ([]Event, error) { return nil, ErrUnsupported }

// Close does nothing.
func (*Keys) Close() error { return nil }
