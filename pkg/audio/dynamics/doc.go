// Package dynamics changes and judges the loudness of 48 kHz mono sound: Limiter
// keeps a ceiling, Ducker attenuates the microphone while the far end is audible,
// Activity tells speech from background.
//
// It owns only the state of those three, refuses nothing, allocates nothing after
// New, and has nothing to end. Levels are in dBFS: decibels over a sine's peak of
// 32768, or over a root mean square of 32768 where a frame is measured.
package dynamics

import "math"

const (
	rate        = 48000
	millisecond = rate / 1000 // in samples
)

// Silence is the Level of digital silence, and the lowest there is.
const Silence = -96.0

// Level returns the root mean square of samples in dBFS: 0 for a square wave at full
// scale, -3 for such a sine, Silence for nothing.
func Level(samples []int16) float64 {
	var sum int64
	for _, s := range samples {
		sum += int64(s) * int64(s)
	}
	if sum == 0 {
		return Silence
	}
	return max(Silence, 10*math.Log10(float64(sum)/float64(len(samples))/(32768*32768)))
}

// amplitude returns the factor of a level in dB.
func amplitude(db float64) float64 { return math.Pow(10, db/20) }
