package studio

import (
	"errors"
	"math"
)

const (
	// loudness is the root mean square of a clip while something sounds: -19 dB of
	// full scale. ceiling bounds its peaks, and comes first.
	loudness = 0.11
	ceiling  = 0.85

	// What is this much below the loudest 5 ms counts as silence around a clip.
	silence = 0.01 // -40 dB
	window  = rate / 200

	before  = rate / 100 // silence that is left: 10 ms
	after   = rate / 40  // 25 ms
	fadeIn  = rate / 200
	fadeOut = rate / 50
	tail    = rate * 7 / 100 // digital silence behind every clip
)

var errSilent = errors.New("the sound is silent")

// master makes a clip of samples at 48 kHz: cut, at the level of all, beginning and
// ending in silence.
func master(samples []float64) ([]float64, error) {
	clip, err := trim(samples)
	if err != nil {
		return nil, err
	}
	gain := min(loudness/level(clip), ceiling/peak(clip))
	out := make([]float64, len(clip)+tail)
	for i, v := range clip {
		out[i] = v * gain * min(1, float64(i)/fadeIn, float64(len(clip)-1-i)/fadeOut)
	}
	return out, nil
}

// trim cuts off what is silent at both ends.
func trim(samples []float64) ([]float64, error) {
	levels := levels(samples)
	threshold := silence * peak(levels)
	if threshold < 1e-5 {
		return nil, errSilent
	}
	first, last := 0, len(levels)-1
	for levels[first] < threshold {
		first++
	}
	for levels[last] < threshold {
		last--
	}
	return samples[max(0, first*window-before):min(len(samples), (last+1)*window+after)], nil
}

// levels returns the root mean square of every whole window.
func levels(samples []float64) (levels []float64) {
	for ; len(samples) >= window; samples = samples[window:] {
		levels = append(levels, rms(samples[:window]))
	}
	return levels
}

// level returns the root mean square of the windows that are less than 26 dB below the
// loudest one, so that pauses between words don't count.
func level(samples []float64) float64 {
	levels := levels(samples)
	threshold := 0.05 * peak(levels)
	var sum, n float64
	for _, l := range levels {
		if l >= threshold {
			sum, n = sum+l*l, n+1
		}
	}
	return math.Sqrt(sum / n)
}

func rms(samples []float64) float64 {
	var sum float64
	for _, v := range samples {
		sum += v * v
	}
	return math.Sqrt(sum / float64(len(samples)))
}

func peak(samples []float64) (p float64) {
	for _, v := range samples {
		p = max(p, math.Abs(v))
	}
	return p
}
