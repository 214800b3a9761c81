package audiotest

import (
	"math"
	"testing"
)

func TestPurityKnowsTheTone(t *testing.T) {
	mixed := Sine(1000, 8000, 4800)
	for i, v := range Sine(3000, 8000, 4800) {
		mixed[i] += v
	}
	for _, c := range []struct {
		name    string
		samples []int16
		want    float64
	}{
		{"the tone", Sine(1000, 8000, 4800), 1},
		{"another tone", Sine(1500, 8000, 4800), 0},
		{"half of it", mixed, 0.5},
		{"silence", make([]int16, 4800), 0},
		{"nothing", nil, 0},
	} {
		if got := Purity(c.samples, 1000); math.Abs(got-c.want) > 0.01 {
			t.Errorf("%s: purity %.3f, want %.2f", c.name, got, c.want)
		}
	}
}

func TestLevelIsTheRootMeanSquare(t *testing.T) {
	if got, want := Level(Sine(1000, 10000, 4800)), 10000/math.Sqrt2; math.Abs(got-want) > 5 {
		t.Errorf("level of a sine of 10000 is %.0f, want %.0f", got, want)
	}
	if got := Level(nil); got != 0 {
		t.Errorf("level of nothing is %v", got)
	}
}
