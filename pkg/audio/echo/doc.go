// Package echo removes the loudspeaker's sound from the microphone's, with libspeexdsp: an
// adaptive filter of the room, suppression of the remaining echo and noise, and resampling
// between 48 kHz outside and 16 kHz inside.
//
// A Canceller owns its libspeexdsp states, which Close frees, and takes only frames of 20 ms. It
// works only if microphone and loudspeaker have one clock, that is on one card, and if the delay
// between them is set: Delay finds it with a chime. A build without cgo has no Canceller: New
// returns ErrNotBuilt, and the caller ducks instead (package dynamics).
package echo

import "errors"

const (
	// FrameSamples is the length of a frame: 20 ms at 48 kHz.
	FrameSamples = 960
	// Latency is how many samples at 48 kHz the result is later than the
	// microphone: by the filters of the resampling and of the suppression.
	Latency = 1149

	// reach is how far Delay looks and SetDelay goes: 500 ms at 16 kHz.
	reach = 8000
	// causal is how much sooner than measured the far end is handed to the filter,
	// which can't look ahead: 4 ms at 16 kHz.
	causal = 64
)

// ErrNotBuilt is New's error in a build without cgo.
var ErrNotBuilt = errors.New("this build cannot cancel echo, because it was made without cgo")
