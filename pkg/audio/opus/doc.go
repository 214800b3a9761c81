// Package opus encodes the microphone's sound as Opus packets (RFC 6716) with
// libopus 1.3.1, from the static archives that mediadevices brings for x64, arm64
// and armv7.
//
// It owns one libopus encoder per Encoder and refuses anything but 48 kHz mono in
// frames of 20 ms. Discontinuous transmission is off, and so is in-band FEC, until
// SetLoss says that packets are lost. Encode allocates nothing; mediadevices' own encoder, which is passed by, makes four
// allocations and 5 KB of garbage a frame. Close frees the encoder; nothing is
// left to a finalizer.
//
// A build without cgo has no encoder: New says so. Decoder, which plays what a
// remote peer sends, is pure Go and in every build.
package opus

import "errors"

const (
	// FrameSamples is the length of a frame: 20 ms at 48 kHz.
	FrameSamples = 960
	// Lookahead is the encoder's delay in samples (OPUS_GET_LOOKAHEAD): what a
	// file names as pre-skip (RFC 7845 section 4.2).
	Lookahead = 312
	// MaxPacket bounds a packet in bytes (RFC 6716 section 3.2.1).
	MaxPacket = 1275
)

// ErrNotBuilt is New's error in a build without cgo.
var ErrNotBuilt = errors.New("this build has no Opus encoder, because it was made without cgo")
