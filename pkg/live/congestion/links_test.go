package congestion

import (
	"testing"
	"time"
)

const (
	ms  = time.Millisecond
	sec = time.Second
)

// TestLinks runs streams over links in simulated time. An encoder with most unset makes
// whatever the estimate allows; its bounds are those of the estimate then.
func TestLinks(t *testing.T) {
	for name, c := range map[string]struct {
		story  story
		bounds []bound
		by     time.Duration // from the beginning, until the estimate is
		bps    float64
	}{
		"20 Mbit/s, queue of 150 ms": {story{link: link{rate: constant(20e6), queue: 150 * ms}},
			[]bound{{2 * sec, 20 * sec, 18e6, 40 * ms, 0}}, sec, 16e6},
		"5 Mbit/s, queue of 100 ms": {story{link: link{rate: constant(5e6), queue: 100 * ms}},
			[]bound{{2 * sec, 20 * sec, 4.5e6, 50 * ms, 0}}, sec, 4e6},
		"12 Mbit/s, queue of 50 ms": {story{link: link{rate: constant(12e6), queue: 50 * ms}},
			[]bound{{2 * sec, 20 * sec, 10.8e6, 40 * ms, 20}}, sec, 9.6e6},
		"4 Mbit/s, queue of 500 ms": {story{link: link{rate: constant(4e6), queue: 500 * ms}},
			[]bound{{2 * sec, 20 * sec, 3.6e6, 50 * ms, 0}}, sec, 3.2e6},
		"1.5 Mbit/s, queue of 50 ms": {story{link: link{rate: constant(1.5e6), queue: 50 * ms}},
			[]bound{{2 * sec, 20 * sec, 1.35e6, 45 * ms, 20}}, 2 * sec, 1.2e6},
		"12 Mbit/s, queue of 10 ms": {story{link: link{rate: constant(12e6), queue: 10 * ms}},
			[]bound{{3 * sec, 20 * sec, 9.6e6, 10 * ms, 700}}, 2 * sec, 9e6},
		"2 % random loss": {story{link: link{rate: constant(12e6), queue: 150 * ms, loss: 0.02}},
			[]bound{{3 * sec, 20 * sec, 0.98 * 0.85 * 12e6, 45 * ms, 0}}, 3 * sec, 9.6e6},
		"5 % random loss": {story{link: link{rate: constant(12e6), queue: 150 * ms, loss: 0.05}},
			[]bound{{3 * sec, 30 * sec, 0.95 * 0.85 * 12e6, 45 * ms, 0}}, 3 * sec, 9.6e6},
		"5 % of loss in bursts": {story{link: link{rate: constant(12e6), queue: 150 * ms, jitter: 10 * ms, loss: 0.05, burst: 4}},
			[]bound{{3 * sec, 20 * sec, 8.5e6, 60 * ms, 0}}, 8 * sec, 9.6e6},
		"10 % random loss": {story{link: link{rate: constant(12e6), queue: 150 * ms, loss: 0.1}},
			[]bound{{4 * sec, 20 * sec, 8e6, 45 * ms, 0}}, 5 * sec, 9e6},
		"radio that collects packets for 20 ms": {story{link: link{rate: constant(12e6), queue: 150 * ms, aggregate: 20 * ms}},
			[]bound{{5 * sec, 20 * sec, 9e6, 65 * ms, 0}}, 8 * sec, 9e6},
		"jitter of 20 ms": {story{link: link{rate: constant(12e6), queue: 150 * ms, jitter: 20 * ms}},
			[]bound{{2 * sec, 20 * sec, 9.6e6, 80 * ms, 0}}, 3 * sec, 9e6},
		"a report each 250 ms": {story{link: link{rate: constant(12e6), queue: 150 * ms}, reports: 250 * ms},
			[]bound{{3 * sec, 20 * sec, 10.2e6, 60 * ms, 0}}, 2 * sec, 9e6},
		"12, 2, 12 Mbit/s": {story{link: link{rate: between(12e6, 2e6, 8*sec, 16*sec), queue: 150 * ms}, length: 24 * sec},
			[]bound{{2 * sec, 8 * sec, 10.8e6, 45 * ms, 0}, {8 * sec, 10 * sec, 1.6e6, 150 * ms, 400},
				{10 * sec, 16 * sec, 1.7e6, 100 * ms, 0}, {18 * sec, 24 * sec, 10.2e6, 60 * ms, 0}}, sec, 9.6e6},
		"12, 2, 12 Mbit/s, queue of 500 ms": {story{link: link{rate: between(12e6, 2e6, 8*sec, 16*sec), queue: 500 * ms}, length: 24 * sec},
			[]bound{{8 * sec, 11 * sec, 1.7e6, 500 * ms, 400}, {11 * sec, 16 * sec, 1.7e6, 100 * ms, 0}, {18 * sec, 24 * sec, 10.2e6, 60 * ms, 0}}, sec, 9.6e6},
		"no reports for 5 s": {story{link: link{rate: constant(12e6), queue: 150 * ms}, mute: func(t time.Duration) bool { return t > 6*sec && t < 11*sec }},
			[]bound{{14 * sec, 20 * sec, 10e6, 50 * ms, 0}}, sec, 9.6e6},
		"key frames of 300 kB over 12 Mbit/s": {story{link: link{rate: constant(12e6), queue: 150 * ms}, most: constant(2.9e6), keyEvery: 4 * sec, keyBytes: 300_000},
			[]bound{{0, 20 * sec, 3e6, 60 * ms, 0}}, sec, 9e6},
		"key frames of 150 kB over 4 Mbit/s": {story{link: link{rate: constant(4e6), queue: 150 * ms}, most: constant(2.9e6), keyEvery: 4 * sec, keyBytes: 150_000},
			[]bound{{0, 20 * sec, 2.8e6, 100 * ms, 0}}, sec, 3.2e6},
		"key frames through a token bucket of 15 kB": {story{link: link{rate: constant(12e6), queue: 150 * ms, bucket: 15_000}, most: constant(2.9e6), keyEvery: 4 * sec, keyBytes: 300_000},
			[]bound{{0, 20 * sec, 3e6, 60 * ms, 0}}, sec, 9e6},
		"2.9 Mbit/s of 12, then of 2": {story{link: link{rate: between(12e6, 2e6, 9*sec, 17*sec), queue: 500 * ms}, most: constant(2.9e6), keyEvery: 4 * sec, keyBytes: 100_000, length: 24 * sec},
			[]bound{{0, 9 * sec, 2.7e6, 40 * ms, 0}, {9 * sec, 17 * sec, 1.7e6, 250 * ms, 0}, {18 * sec, 24 * sec, 2.7e6, 40 * ms, 0}}, sec, 9e6},
		"300 kbit/s, then 4 Mbit/s": {story{link: link{rate: constant(20e6), queue: 150 * ms}, most: between(300e3, 4e6, 10*sec, 20*sec)},
			[]bound{{0, 10 * sec, 280e3, 20 * ms, 0}, {10 * sec, 20 * sec, 3.6e6, 20 * ms, 0}}, 2 * sec, 4.2e6},
		"300 kbit/s, then 4 Mbit/s, without padding": {story{link: link{rate: constant(20e6), queue: 150 * ms}, most: between(300e3, 4e6, 10*sec, 20*sec), noPad: true},
			[]bound{{14 * sec, 20 * sec, 3.5e6, 20 * ms, 0}}, 15 * sec, 4e6},
		"beside a TCP flow": {story{link: link{rate: constant(12e6), queue: 150 * ms}, rival: &window{size: 4}, length: 30 * sec},
			[]bound{{5 * sec, 30 * sec, 3e6, 150 * ms, 1 << 20}}, 5 * sec, 3e6},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := c.story
			s.link.delay = 20 * ms
			s.length = max(s.length, 20*sec)
			if s.reports == 0 {
				s.reports = 50 * ms
			}
			if s.most == nil {
				s.most = constant(30e6)
			}
			s.run(t)
			for _, b := range c.bounds {
				s.check(t, b)
			}
			if d := s.reached(0, c.bps); d > c.by {
				t.Errorf("the estimate was %.1f Mbit/s after %v, want %v", c.bps/1e6, d, c.by)
			}
			if s.rival != nil {
				if bps := perSecond(s.rival.delivered, s.length); bps < 3e6 {
					t.Errorf("the other flow got %.2f Mbit/s", bps/1e6)
				}
			}
		})
	}
}

// TestFirstPictureIsTheFirstProbe joins with a key frame: no later than a second it has
// passed each link, and nothing of it was dropped.
func TestFirstPictureIsTheFirstProbe(t *testing.T) {
	for _, c := range []struct {
		bps   float64
		queue time.Duration
		bytes int
		by    time.Duration
	}{
		{20e6, 150 * ms, 300_000, 600 * ms},
		{12e6, 150 * ms, 143_000, 500 * ms},
		{12e6, 150 * ms, 300_000, 600 * ms},
		{4e6, 100 * ms, 143_000, 600 * ms},
		{1.5e6, 300 * ms, 50_000, 600 * ms},
	} {
		s := story{link: link{rate: constant(c.bps), queue: c.queue, delay: 20 * ms}, most: constant(2.9e6),
			keyEvery: 10 * sec, keyBytes: c.bytes, reports: 50 * ms, length: 2 * sec}
		s.run(t)
		t.Logf("%d bytes over %.1f Mbit/s: %v", c.bytes, c.bps/1e6, s.first)
		if s.first > c.by || s.link.drops > 0 {
			t.Errorf("%d bytes over %.1f Mbit/s: arrived after %v, want %v; %d packets were dropped", c.bytes, c.bps/1e6, s.first, c.by, s.link.drops)
		}
	}
}

// TestProbesEnd sends little over paths of which some are just below the highest rate that
// is probed: probes end there, too.
func TestProbesEnd(t *testing.T) {
	for _, bps := range []float64{10e6, 40e6, 45e6, 50e6, 58e6, 60e6, 100e6} {
		s := story{link: link{rate: constant(bps), queue: 150 * ms, delay: 10 * ms}, most: constant(1.4e6), reports: 50 * ms, length: 20 * sec}
		s.control = New(Config{Start: 1_500_000, Min: 100_000, Max: 60_000_000})
		s.run(t)
		if got := perSecond(s.arrived, s.length); got > 2*1.4e6 {
			t.Errorf("over %.0f Mbit/s 1.4 become %.1f Mbit/s", bps/1e6, got/1e6)
		}
	}
}

// TestPaddingIsForWhatIsNeeded sends 1.4 Mbit/s over paths that carry much more. Key frames
// find out that they do; padding is sent only until the estimate is twice as much.
func TestPaddingIsForWhatIsNeeded(t *testing.T) {
	const need = 1_400_000
	for _, bps := range []float64{5e6, 20e6, 100e6} {
		s := story{link: link{rate: constant(bps), queue: 150 * ms, delay: 10 * ms}, most: constant(need), need: need,
			keyEvery: 4 * sec, keyBytes: 60_000, reports: 50 * ms, length: 20 * sec}
		s.control = New(Config{Start: 1_500_000, Min: 100_000, Max: 60_000_000})
		s.run(t)
		if e := s.control.Estimate(); s.padding > 50_000 || float64(e) < 1.5*need {
			t.Errorf("over %.0f Mbit/s: %d bytes of padding, estimate %d", bps/1e6, s.padding, e)
		}
	}
}
