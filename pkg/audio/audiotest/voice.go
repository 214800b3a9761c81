package audiotest

import (
	"math"
	"math/rand/v2"
)

// Voice makes n samples like speech at 48 kHz: syllables of 120 to 300 ms with
// pauses, voiced ones by pulses of a wandering pitch (90 to 220 Hz) and some
// unvoiced by noise, through three resonances that change from one to the next.
// The same seed gives the same samples; they peak at about 12000.
func Voice(seed uint64, n int) []int16 {
	random := rand.New(rand.NewPCG(seed, 1))
	s := make([]float64, n)
	for at := random.IntN(4800); at < n; {
		length := 5760 + random.IntN(8640)
		syllable(random, s[at:min(n, at+length)])
		at += length + random.IntN(7200)
	}
	return scaled(s, 12000)
}

func syllable(random *rand.Rand, out []float64) {
	unvoiced := random.IntN(5) == 0
	var formants [3]resonance
	for i, low := range []float64{300, 900, 2200} {
		formants[i] = newResonance(low+random.Float64()*low*0.9, 60+40*float64(i))
	}
	pitch, glide := 90+130*random.Float64(), 1+0.3*(random.Float64()-0.5)
	phase := 0.0
	for i := range out {
		part := float64(i) / float64(len(out))
		phase += pitch * math.Pow(glide, part) / 48000
		x := 0.0
		if unvoiced {
			x = 0.1 * random.NormFloat64()
		} else if phase >= 1 {
			phase--
			x = 10
		}
		x += 0.01 * random.NormFloat64()
		for j := range formants {
			out[i] += formants[j].next(x) / float64(j+1)
		}
		out[i] *= math.Pow(math.Sin(math.Pi*part), 0.5)
	}
}

// resonance is a two-pole filter.
type resonance struct{ a1, a2, gain, y1, y2 float64 }

func newResonance(hz, width float64) resonance {
	r := math.Exp(-math.Pi * width / 48000)
	a1, a2 := 2*r*math.Cos(2*math.Pi*hz/48000), -r*r
	return resonance{a1: a1, a2: a2, gain: 1 - r}
}

func (r *resonance) next(x float64) float64 {
	y := r.gain*x + r.a1*r.y1 + r.a2*r.y2
	r.y1, r.y2 = y, r.y1
	return y
}

func scaled(s []float64, peak float64) []int16 {
	most := 1e-9
	for _, v := range s {
		most = max(most, math.Abs(v))
	}
	out := make([]int16, len(s))
	for i, v := range s {
		out[i] = int16(v / most * peak)
	}
	return out
}
