//go:build !cgo

package opus

// Encoder stands in for the real one in a build without cgo; there is never one.
type Encoder struct{}

// New fails with ErrNotBuilt.
func New(int) (*Encoder, error) { return nil, ErrNotBuilt }

// Encode fails with ErrNotBuilt.
func (*Encoder) Encode(dst []byte, _ []int16) ([]byte, error) { return dst, ErrNotBuilt }

// SetLoss fails with ErrNotBuilt.
func (*Encoder) SetLoss(int) error { return ErrNotBuilt }

// Close does nothing.
func (*Encoder) Close() {}
