//go:build !linux

package v4l2

// Paths lists no nodes.
func Paths() ([]string, error) { return nil, ErrUnsupported }

// Identify fails.
func Identify(string) (Device, error) { return Device{}, ErrUnsupported }

// Describe fails.
func Describe(string, int, int) (Device, error) { return Device{}, ErrUnsupported }

// Stream can't be had.
type Stream struct{}

// Prepare fails.
func Prepare(string, Mode, bool) (*Stream, error) { return nil, ErrUnsupported }

// Start fails.
func (*Stream) Start() error { return ErrUnsupported }

// Grab fails.
func (*Stream) Grab() (Frame, error) { return Frame{}, ErrUnsupported }

// Interrupt does nothing.
func (*Stream) Interrupt() {}

// Close does nothing.
func (*Stream) Close() error { return nil }

// Has knows no control.
func (*Stream) Has(Control) bool { return false }

// Set fails.
func (*Stream) Set(Control, int) error { return ErrUnsupported }

// Got knows nothing.
func (*Stream) Got() (Mode, int) { return Mode{}, 0 }
