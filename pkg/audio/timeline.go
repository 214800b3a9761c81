package audio

import (
	"time"

	"github.com/camd-project/camd/pkg/audio/opus"
)

const (
	rate     = 48000
	frameLen = opus.FrameSamples * time.Second / rate // 20 ms
)

// timeline computes when samples were captured. It counts samples, so that one frame
// follows the other by exactly 20 ms, and only now and then moves to where the
// capture clock says they are: a card's crystal differs from the machine's by up to
// some 100 ppm. Moving at each frame would give RTP timestamps that jump by single
// samples, which receivers conceal audibly.
type timeline struct {
	running bool
	next    time.Duration // of the first sample of the next frame

	lag    time.Duration // least difference between measured and counted in this window
	frames int           // in this window
}

const (
	window    = 50                    // frames: one second
	tolerance = 5 * time.Millisecond  // a twentieth of what people notice between lips and voice
	stepBack  = 15 * time.Millisecond // less than a frame, so that the order stays
)

// stamp returns the PTS of a frame. measured is when the capture clock says that its
// first sample was captured. It can be late, because the card reports its position in
// coarse steps or this thread had to wait, but not early: hence the least of a window.
func (t *timeline) stamp(measured time.Duration) time.Duration {
	if !t.running {
		*t = timeline{running: true, next: measured}
	}
	if lag := measured - t.next; t.frames == 0 || lag < t.lag {
		t.lag = lag
	}
	if t.frames++; t.frames == window {
		if t.lag.Abs() > tolerance {
			t.next += max(t.lag, -stepBack)
		}
		t.frames = 0
	}
	pts := t.next
	t.next += frameLen
	return pts
}
