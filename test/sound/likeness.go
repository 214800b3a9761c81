package sound

import "math"

// coarse is of how many samples one decides where it is worth looking at all. It has no
// divisor in common with the periods of a chime's tones.
const coarse = 97

// Similarity is the normalised correlation of two signals, a's length: 1 for the same
// at any level, 0 for silence.
func Similarity(a, b []int16) float64 { return similarity(a, b, 1) }

func similarity(a, b []int16, step int) float64 {
	var ab, aa, bb float64
	for i := 0; i < len(a); i += step {
		x, y := float64(a[i]), float64(b[i])
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}

// Holds tells how alike the best place in samples is to the whole of what, and where
// that ends.
func Holds(samples, what []int16) (alike float64, end int) {
	for at := 0; at+len(what) <= len(samples); at++ {
		here := samples[at : at+len(what)]
		if similarity(here, what, coarse) < 0.4 {
			continue
		}
		if s := similarity(here, what, 1); s > alike {
			alike, end = s, at+len(what)
		}
	}
	return alike, end
}
