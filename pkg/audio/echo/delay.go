package echo

import (
	"math"
	"math/cmplx"
	"slices"
)

// longest is how much of a sound Delay looks at, in samples at 16 kHz: 1.5 s.
const longest = 24000

// Delay finds by how many samples at 48 kHz near, the microphone's recording, is
// later than far, what was played from the recording's beginning on: 0 to 500 ms,
// in steps of three. Of far the first 1.5 s count.
//
// The room's response is estimated by dividing the spectra, since the correlation
// of a chime of pure tones has its peak anywhere near; the delay is the first
// thing in the response that is nearly as strong as the strongest. The confidence
// is the greatest normalised correlation: 1 for the same sound, below 0.15 for
// another.
//
// It takes some megabytes for some milliseconds: meant for a chime, not for a frame.
func Delay(far, near []int16) (samples int, confidence float64) {
	f, n := decimated(far, longest), decimated(near, longest+reach)
	if power(f) == 0 || power(n) == 0 {
		return 0, 0
	}
	products, response := correlate(f, n)
	strongest := 0.0
	for _, v := range response {
		strongest = max(strongest, math.Abs(v))
	}
	first := slices.IndexFunc(response, func(v float64) bool { return math.Abs(v) >= 0.6*strongest })
	return 3 * first, likeness(f, n, products)
}

// likeness returns the greatest of the products, by the power of what was played and of
// what was recorded meanwhile.
func likeness(far, near, products []float64) (most float64) {
	farPower := power(far)
	window := power(near[:min(len(near), len(far))])
	for lag, p := range products {
		if window > 1e-6*farPower { // below it there is only rounding
			most = max(most, p/math.Sqrt(farPower*window))
		}
		window -= near[lag] * near[lag]
		if end := lag + len(far); end < len(near) {
			window += near[end] * near[end]
		}
	}
	return min(1, most)
}

// decimated lowers the rate to a third, by the mean of three.
func decimated(samples []int16, most int) []float64 {
	out := make([]float64, min(len(samples)/3, most))
	for i := range out {
		s := samples[3*i:]
		out[i] = (float64(s[0]) + float64(s[1]) + float64(s[2])) / 3
	}
	return out
}

func power(s []float64) (sum float64) {
	for _, v := range s {
		sum += v * v
	}
	return sum
}

// regular is how far below a sound's mean power a frequency may lie to count when
// spectra are divided: noise is all that others hold.
const regular = 0.1

// correlate gives for each lag up to reach the sum of far[i]*near[i+lag], and the
// impulse response that makes near out of far.
func correlate(far, near []float64) (products, response []float64) {
	size := 1
	for size < len(far)+len(near) {
		size *= 2
	}
	f, n := spectrum(far, size), spectrum(near, size)
	floor := regular * power(far) // its mean over all frequencies, by Parseval
	for k := range f {
		p := real(f[k])*real(f[k]) + imag(f[k])*imag(f[k])
		// Conjugated, so that the transform goes back.
		n[k] = f[k] * cmplx.Conj(n[k])
		f[k] = n[k] / complex(p+floor, 0)
	}
	transform(n)
	transform(f)
	lags := min(reach, len(near))
	products, response = make([]float64, lags), make([]float64, lags)
	for i := range lags {
		products[i], response[i] = real(n[i])/float64(size), real(f[i])/float64(size)
	}
	return products, response
}

func spectrum(s []float64, size int) []complex128 {
	x := make([]complex128, size)
	for i, v := range s {
		x[i] = complex(v, 0)
	}
	transform(x)
	return x
}

// transform is the discrete Fourier transform in place (Cooley and Tukey); the
// length is a power of two.
func transform(x []complex128) {
	for i, j := 1, 0; i < len(x); i++ {
		bit := len(x) >> 1
		for ; j&bit != 0; bit >>= 1 {
			j ^= bit
		}
		if j ^= bit; i < j {
			x[i], x[j] = x[j], x[i]
		}
	}
	for n := 2; n <= len(x); n *= 2 {
		turn := cmplx.Rect(1, -2*math.Pi/float64(n))
		for part := range slices.Chunk(x, n) { // butterflies
			w, half := complex(1, 0), n/2
			for i := range half {
				a, b := part[i], w*part[i+half]
				part[i], part[i+half] = a+b, a-b
				w *= turn
			}
		}
	}
}
