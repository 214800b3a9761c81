package live

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// TestBurstsOfLossDoNotFreezeThePicture loses packets in bursts, also of those that are sent
// again: nearly all come in the end, so that no picture waits for a key frame. Plain pion, and
// so a viewer that is blind, asks for each packet ten times, which costs the most.
func TestBurstsOfLossDoNotFreezeThePicture(t *testing.T) {
	const length = 15 * time.Second
	for name, blind := range map[string]bool{"a viewer that sees what has come again": false, "one that doesn't": true} {
		t.Run(name, func(t *testing.T) {
			var lost uint64
			for seed := range uint64(2) {
				synctest.Test(t, func(t *testing.T) {
					f := newFarViewer(t, &uplink{rate: 12e6, queue: 150 * time.Millisecond, delay: 20 * time.Millisecond, jitter: 10 * time.Millisecond,
						loss: 0.05, burst: 4, random: rand.New(rand.NewPCG(seed, 6))}) //nolint:gosec // a test
					f.blind = blind
					f.watch(2_900_000, length)
					longest, all := f.frozen()
					s := f.track.Stats()
					lost += s.Lost
					t.Logf("%d pictures; frozen for %v, the longest time %v; %d packets never came, %d came again", s.Frames, all, longest, s.Lost, f.v.counters.resent.Load())
					if all > length/6 {
						t.Errorf("it was frozen for %v of %v", all, length)
					}
				})
			}
			if lost > 4 {
				t.Errorf("%d packets never came", lost)
			}
		})
	}
}
