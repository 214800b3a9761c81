package studio

import "math"

// lobes is how many zero crossings of the sinc are kept at either side, and beta
// shapes the Kaiser window over them: 80 dB of attenuation beyond a band of a
// sixteenth of the rate.
const (
	lobes = 32
	beta  = 8
)

// resample changes the rate by a windowed sinc, one set of taps a phase. It keeps
// the length in time and delays nothing.
func resample(in []float64, from, to int) []float64 {
	if from == to {
		return in
	}
	g := gcd(from, to)
	up, down := to/g, from/g
	phases := make([][]float64, up)
	cutoff := min(1, float64(to)/float64(from)) * 0.96
	reach := int(math.Ceil(lobes / cutoff))
	out := make([]float64, len(in)*up/down)
	for i := range out {
		at, phase := i*down/up, i*down%up
		if phases[phase] == nil {
			phases[phase] = taps(float64(phase)/float64(up), cutoff, reach)
		}
		for k, tap := range phases[phase] {
			if j := at + k - reach; j >= 0 && j < len(in) {
				out[i] += tap * in[j]
			}
		}
	}
	return out
}

// taps weigh the samples from reach before to reach behind a moment that lies
// fraction of a sample after one of them. Their sum is 1.
func taps(fraction, cutoff float64, reach int) []float64 {
	taps, sum := make([]float64, 2*reach+1), 0.0
	for k := range taps {
		x := float64(k-reach) - fraction
		taps[k] = sinc(x*cutoff) * kaiser(x/float64(reach+1))
		sum += taps[k]
	}
	for k := range taps {
		taps[k] /= sum
	}
	return taps
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

// kaiser returns the window's height at x, from -1 to 1.
func kaiser(x float64) float64 { return bessel(beta*math.Sqrt(max(0, 1-x*x))) / bessel(beta) }

// bessel returns the modified Bessel function of the first kind, of order 0.
func bessel(x float64) float64 {
	sum, term := 1.0, 1.0
	for n := 1.0; term > sum*1e-16; n++ {
		term *= x * x / 4 / (n * n)
		sum += term
	}
	return sum
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
