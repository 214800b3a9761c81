package jitter

import (
	"math"
	"slices"
)

// Pitch is searched from 400 down to 67 Hz.
const (
	minPeriod = 120
	maxPeriod = 720
	compared  = 960 // samples by which two periods are compared

	fade  = 60 * millisecond // of what is repeated
	merge = 5 * millisecond  // from what is repeated back to what is decoded
	mend  = 1 * millisecond  // over which a step at the beginning is evened out
)

// concealer continues the sound by its last pitch period (as ITU-T G.711 appendix
// I does), fading out, and leads back to the sound that returns.
type concealer struct {
	past [maxPeriod + compared]int16 // the last samples made

	cycle  [maxPeriod]float32
	period int // of cycle; 0: not concealing
	at     int // in cycle
	gone   int // samples since it began
	step   float32
	silent bool // the cycle is
}

// remember appends to the past.
func (c *concealer) remember(samples []int16) {
	if extra := len(samples) - len(c.past); extra > 0 {
		samples = samples[extra:]
	}
	copy(c.past[:], c.past[len(samples):])
	copy(c.past[len(c.past)-len(samples):], samples)
}

// begin makes the cycle out of the past. Its end is blended into what came before
// its beginning, so that it can be repeated without a step.
func (c *concealer) begin() {
	period, _ := pitch(c.past[:])
	last := c.past[len(c.past)-period:]
	before := c.past[len(c.past)-2*period:]
	overlap := period / 4
	for i, s := range last {
		c.cycle[i] = float32(s)
		if j := i - (period - overlap); j >= 0 {
			w := float32(j+1) / float32(overlap)
			c.cycle[i] += w * (float32(before[i]) - float32(s))
		}
	}
	c.period, c.at, c.gone = period, 0, 0
	c.step = float32(last[period-1]) - c.cycle[0]
	c.silent = !slices.ContainsFunc(last, func(s int16) bool { return s != 0 })
}

// fill conceals, and reports whether that can still be heard.
func (c *concealer) fill(out []int16) (audible bool) {
	if c.period == 0 {
		c.begin()
	}
	audible = c.gone < fade && !c.silent
	for i := range out {
		out[i] = c.next()
	}
	return audible
}

func (c *concealer) next() int16 {
	if c.gone >= fade {
		return 0
	}
	v := c.cycle[c.at]
	if c.gone < mend {
		v += c.step * (1 - float32(c.gone)/mend)
	}
	v *= 1 - float32(c.gone)/fade
	c.gone++
	if c.at++; c.at == c.period {
		c.at = 0
	}
	return clip(v)
}

// merge leads from what is concealed to the decoded samples, and ends.
func (c *concealer) merge(decoded []int16) {
	if c.period == 0 {
		return
	}
	for i := range min(merge, len(decoded)) {
		w := float32(i+1) / (merge + 1)
		decoded[i] = clip(w*float32(decoded[i]) + (1-w)*float32(c.next()))
	}
	c.period = 0
}

func clip(v float32) int16 { return int16(min(max(v, math.MinInt16), math.MaxInt16)) }

// coarse is the factor by which pitch lowers the rate for its first search: to 8 kHz.
const coarse = 6

// pitch returns the period with which the end of at least maxPeriod+compared samples
// repeats best, and how well: 1 is exactly, 0 not at all. It searches at the lower rate, and
// then around what it found.
func pitch(samples []int16) (period int, likeness float64) {
	samples = samples[len(samples)-maxPeriod-compared:]
	var low [(maxPeriod + compared) / coarse]float32
	for i := range low {
		var sum int32
		for _, s := range samples[i*coarse : (i+1)*coarse] {
			sum += int32(s)
		}
		low[i] = float32(sum) / coarse
	}
	best := float32(-1)
	period = minPeriod
	for lag := minPeriod / coarse; lag <= maxPeriod/coarse; lag++ {
		if l := like(low[len(low)-compared/coarse:], low[len(low)-compared/coarse-lag:]); l > best {
			best, period = l, lag*coarse
		}
	}
	end := samples[len(samples)-compared:]
	about := period
	best = -1
	for lag := max(minPeriod, about-coarse); lag <= min(maxPeriod, about+coarse); lag++ {
		if l := like(end, samples[len(samples)-compared-lag:]); l > best {
			best, period = l, lag
		}
	}
	return period, float64(best)
}

// like returns the normalised correlation of a with the beginning of b, by every other
// sample.
func like[T int16 | float32](a, b []T) float32 {
	var ab, aa, bb float32
	b = b[:len(a)]
	for i := 0; i < len(a); i += 2 {
		x, y := float32(a[i]), float32(b[i])
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / float32(math.Sqrt(float64(aa)*float64(bb)))
}
