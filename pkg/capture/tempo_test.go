package capture

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// times returns those of pictures at rates that follow each other, each for some seconds,
// with jitter as a part of the interval.
func times(jitter float64, spells ...[2]float64) (l []time.Duration) {
	r := rand.New(rand.NewPCG(3, 4))
	at := 10.0
	for _, s := range spells {
		rate, end := s[0], at+s[1]
		for ; at < end; at += 1 / rate {
			l = append(l, time.Duration((at+jitter*(r.Float64()-0.5)/rate)*float64(time.Second)))
		}
	}
	return l
}

func TestTempoKeepsTheWantedRateEvenly(t *testing.T) {
	for name, c := range map[string]struct {
		claim, real, jitter float64
		want                float64 // kept per second
		gap                 float64 // the longest between two, in intervals of 15 a second
	}{
		"as it says":        {15, 15, 0.3, 15, 1.4},
		"a little fast":     {15, 15.2, 0.2, 15.2, 1.3},
		"29.97":             {29.97, 29.97, 0.2, 15, 1.6},
		"twice as fast":     {15, 30, 0.3, 15, 1.3},
		"four times":        {15, 60, 0.3, 15, 1.4},
		"not a whole part":  {15, 20, 0.1, 15, 1.7},
		"slower":            {15, 5, 0.3, 5, 4},
		"says the truth":    {30, 30, 0, 15, 1.1},
		"says that it's 60": {60, 10, 0.3, 10, 2},
	} {
		t.Run(name, func(t *testing.T) {
			p := tempo{claim: c.claim, want: 15}
			kept, last, longest := 0, time.Duration(0), time.Duration(0)
			for _, at := range times(c.jitter, [2]float64{c.real, 60}) {
				if !p.keep(at, 0) {
					continue
				}
				p.sent(at)
				if kept++; kept > 1 {
					longest = max(longest, at-last)
				}
				last = at
			}
			if got := float64(kept) / 60; math.Abs(got-c.want) > 0.03*c.want {
				t.Errorf("%.2f a second are kept, want %g", got, c.want)
			}
			if got := longest.Seconds() * 15; got > c.gap {
				t.Errorf("the longest gap is %.2f intervals, want at most %g", got, c.gap)
			}
			if got := p.rate(); math.Abs(got-c.want) > 0.1*c.want {
				t.Errorf("measured %.2f, want about %g", got, c.want)
			}
		})
	}
}

func TestMeter(t *testing.T) {
	for name, c := range map[string]struct {
		times []time.Duration
		lost  func(i int) int
		want  float64
	}{
		"nothing":             {nil, nil, 0},
		"one picture":         {times(0, [2]float64{1, 1}), nil, 0},
		"steady":              {times(0.3, [2]float64{15, 10}), nil, 15},
		"it became slow":      {times(0.1, [2]float64{30, 10}, [2]float64{5, 10}), nil, 5},
		"it became fast":      {times(0.1, [2]float64{5, 10}, [2]float64{30, 3}), nil, 30},
		"a gap":               {append(times(0, [2]float64{15, 10}), time.Hour), nil, 13.3},
		"half of them lost":   {times(0.1, [2]float64{10, 10}), func(int) int { return 1 }, 20},
		"the same time":       {append(times(0, [2]float64{10, 10}), 19900*time.Millisecond), nil, 10},
		"time that goes back": {append(times(0, [2]float64{10, 10}), time.Second), nil, 10},
	} {
		var m meter
		for i, at := range c.times {
			lost := 0
			if c.lost != nil {
				lost = c.lost(i)
			}
			m.add(at, lost)
		}
		if got := m.rate(); math.Abs(got-c.want) > 0.12*c.want {
			t.Errorf("%s: %.2f, want about %g", name, got, c.want)
		}
	}
}
