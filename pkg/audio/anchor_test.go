package audio

import (
	"math"
	"testing"
	"time"
)

// TestAnchorIsTheLeastOfLate: single measurements are late by up to 20 ms.
func TestAnchorIsTheLeastOfLate(t *testing.T) {
	var a anchor
	for i := range 500 {
		a.note(time.Second + time.Duration(i*7%20)*time.Millisecond)
		if i >= 20 && a.at() != time.Second {
			t.Fatalf("after %d: %v, want 1s", i, a.at())
		}
	}
}

// TestAnchorFollowsDrift: a crystal that is slow by 100 ppm.
func TestAnchorFollowsDrift(t *testing.T) {
	var a anchor
	for i := range 50 * 3600 {
		a.note(time.Duration(i) * 2 * time.Microsecond)
		if late := time.Duration(i)*2*time.Microsecond - a.at(); late > 200*time.Microsecond {
			t.Fatalf("after %d frames it is %v behind", i, late)
		}
	}
}

func TestSamplesAndTime(t *testing.T) {
	for _, c := range []struct {
		t time.Duration
		n int64
	}{
		{0, 0}, {20 * time.Millisecond, 960}, {-time.Second, -48000}, {time.Second / 48, 1000},
		{365 * 24 * time.Hour, 365 * 24 * 3600 * 48000}, // 3 days times 48000 overflow
	} {
		if got := samplesIn(c.t); math.Abs(float64(got-c.n)) > 1 {
			t.Errorf("%v holds %d samples, want %d", c.t, got, c.n)
		}
		if got := lasting(c.n); (got - c.t).Abs() > time.Microsecond {
			t.Errorf("%d samples last %v, want %v", c.n, got, c.t)
		}
	}
}
