// Package h264 makes H.264 of what cameras give uncompressed or as motion JPEG:
// it converts pictures to planar 4:2:0 and encodes them with openh264 2.1.1, from the
// static archives that mediadevices brings for x64, arm64 and armv7. The folder openh264
// has the headers that belong to them.
//
// A Converter and an Encoder each belong to one goroutine and keep their buffers from
// picture to picture. Neither the conversion of raw pictures nor the encoder allocates
// for a picture; image/jpeg makes a picture of each JPEG. An Encoder ends with Close.
//
// openh264 needs cgo. Built without, New says ErrNoEncoder.
package h264

import (
	"errors"
	"fmt"
)

// Errors of this package.
var (
	ErrNoEncoder = errors.New("built without an H.264 encoder")
	ErrDamaged   = errors.New("picture is incomplete or damaged")
	ErrShort     = fmt.Errorf("shorter than its format: %w", ErrDamaged)
	ErrKind      = fmt.Errorf("JPEG of another kind than baseline or progressive: %w", ErrDamaged)
	ErrSize      = errors.New("picture size must be even and at least 16x16")
)

// minSide is the smallest side that openh264 takes.
const minSide = 16

// Config describes an encoding.
type Config struct {
	Width, Height int     // luma samples, even
	Rate          float64 // frames per second, 1 to 60
	Bitrate       int     // bit/s, at that rate
}
