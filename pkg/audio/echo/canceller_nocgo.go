//go:build !cgo

package echo

import "time"

// Canceller stands in for the real one in a build without cgo; there is never one.
type Canceller struct{}

// New fails with ErrNotBuilt.
func New(time.Duration) (*Canceller, error) { return nil, ErrNotBuilt }

// SetDelay does nothing.
func (*Canceller) SetDelay(int) {}

// Cancel copies mic to out.
func (*Canceller) Cancel(out, mic, _ []int16) { copy(out, mic) }

// Close does nothing.
func (*Canceller) Close() {}
