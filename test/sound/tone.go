package sound

import "math"

// Rate is the samples of a second.
const Rate = 48000

// ToneHz is the frequency of the tone that speaks for a person: nothing else that camd
// plays sounds like it.
const ToneHz = 3000

// Tone fills frame with the loud tone, which has gone on for n samples.
func Tone(frame []int16, n int) {
	for i := range frame {
		frame[i] = int16(20000 * math.Sin(2*math.Pi*ToneHz*float64(n+i)/Rate))
	}
}

// window is the 10 ms in which the tone is looked for.
const window = Rate / 100

// FirstTone is where the tone begins in what was played, in samples; the length if it
// is not there.
func FirstTone(samples []int16) int {
	for at := 0; at+window <= len(samples); at += window / 2 {
		if isTone(samples[at : at+window]) {
			return at
		}
	}
	return len(samples)
}

// LastTone is where the tone ends in what was played, in samples; 0 if it is not there.
func LastTone(samples []int16) int {
	for at := len(samples) - window; at >= 0; at -= window / 2 {
		if isTone(samples[at : at+window]) {
			return at + window
		}
	}
	return 0
}

// isTone tells whether the tone has most of the energy, by Goertzel's algorithm.
func isTone(w []int16) bool {
	k := 2 * math.Cos(2*math.Pi*ToneHz/Rate)
	var s1, s2, energy float64
	for _, v := range w {
		x := float64(v)
		energy += x * x
		s1, s2 = x+k*s1-s2, s1
	}
	power := (s1*s1 + s2*s2 - k*s1*s2) * 2 / float64(len(w))
	return energy > 1e6 && power > energy/2
}
