//go:build !cgo

package h264

import "image"

// Encoder can't be had without cgo.
type Encoder struct{}

// New fails with ErrNoEncoder.
func New(Config) (*Encoder, error) { return nil, ErrNoEncoder }

// Encode fails with ErrNoEncoder.
func (*Encoder) Encode(*image.YCbCr, bool) ([]byte, error) { return nil, ErrNoEncoder }

// SetBitrate fails with ErrNoEncoder.
func (*Encoder) SetBitrate(int) error { return ErrNoEncoder }

// SetRate fails with ErrNoEncoder.
func (*Encoder) SetRate(float64) error { return ErrNoEncoder }

// Close does nothing.
func (*Encoder) Close() {}
