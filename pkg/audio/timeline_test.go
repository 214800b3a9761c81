package audio

import (
	"testing"
	"time"
)

// play stamps frames that are captured at a rate and measured with jitter, and
// returns the greatest error, the number of steps that weren't 20 ms, and whether
// the order was kept.
func play(frames, ppm int, jitter func(i int) time.Duration) (worst time.Duration, steps int, ordered bool) {
	var tl timeline
	var last time.Duration
	ordered = true
	for i := range frames {
		truth := time.Hour + time.Duration(i)*frameLen
		truth += time.Duration(i) * frameLen / 1_000_000 * time.Duration(ppm)
		pts := tl.stamp(truth + jitter(i))
		if d := pts - last; i > 0 && d != frameLen {
			steps++
			ordered = ordered && d > 0
		}
		if i > 2*window {
			worst = max(worst, (pts - truth).Abs())
		}
		last = pts
	}
	return worst, steps, ordered
}

func TestTimelineFollowsTheCard(t *testing.T) {
	none := func(int) time.Duration { return 0 }
	const tenMinutes = 30000
	for _, c := range []struct {
		name     string
		ppm      int
		jitter   func(i int) time.Duration
		worst    time.Duration
		maxSteps int
	}{
		{"exact card", 0, none, 0, 0},
		{"fast card", -100, none, 6 * time.Millisecond, 13},
		{"slow card", 100, none, 6 * time.Millisecond, 13},
		{"coarse position", 0, func(i int) time.Duration { return time.Duration(i*7%20) * time.Millisecond }, 5 * time.Millisecond, 1},
		{"late first look", 0, func(i int) time.Duration { return time.Duration(max(0, 1-i)) * 40 * time.Millisecond }, 11 * time.Millisecond, 3},
		{"lost samples", 0, func(i int) time.Duration { return time.Duration(i/20000) * 300 * time.Millisecond }, 300 * time.Millisecond, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			worst, steps, ordered := play(tenMinutes, c.ppm, c.jitter)
			if worst > c.worst || steps > c.maxSteps || !ordered {
				t.Errorf("off by %v at most (want %v), %d steps (want %d), in order: %v",
					worst, c.worst, steps, c.maxSteps, ordered)
			}
		})
	}
}
