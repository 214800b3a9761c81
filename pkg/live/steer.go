package live

import "time"

// Constants of the steering of the encoder.
const (
	// videoShare is the part of an estimate that pictures may use: headers, what is sent
	// again and larger pictures need the rest.
	videoShare = 0.9
	// soundRate is what sound takes from an estimate, in bit/s, headers included.
	soundRate = 70_000
	// raise is the part by which the bitrate may grow in a second. What a path carries is
	// measured by probes before the estimate rises, so there is no reason to be slower: only
	// the picture should not change at one blow.
	raise = 0.5
	// noticeable is the smallest part by which the bitrate falls, or rises if it does not
	// reach what the viewers can be sent.
	noticeable = 0.03
	// estimateAge is how old a session must be before an estimate above pathStart counts:
	// until then the first probes of the path are under way.
	estimateAge = 3 * time.Second
	floorShare  = 5 // without a configured floor, the floor is the bitrate divided by this
)

// steering chooses the bitrate of the camera's encoder.
type steering struct {
	full  int // bit/s, as configured; 0: not known
	floor int // bit/s; no viewer is followed below it

	set int       // bit/s; 0: as configured
	at  time.Time // when it was last changed
}

func newSteering(c Config, full int) steering {
	floor := c.MinBitrateKbps * 1000
	if floor == 0 {
		floor = full / floorShare
	}
	return steering{full: full, floor: floor}
}

// next returns the bitrate to set, in bit/s; 0: as configured. wishes has for each viewer
// the bit/s that it can be sent at most; 0: no bound. The lowest counts, and one below the
// floor counts as the floor. The bitrate falls at once and rises slowly.
func (s *steering) next(now time.Time, wishes []int) int {
	target := s.full
	for _, w := range wishes {
		if w = max(w, min(w, 1)*s.floor); w > 0 && (target == 0 || w < target) {
			target = w
		}
	}
	current := s.set
	if current == 0 {
		current = s.full
	}
	switch {
	case len(wishes) == 0 || target == 0:
		s.set = 0
	case current == 0 || float64(target) < float64(current)*(1-noticeable):
		s.set, s.at = target, now
	case target > current:
		seconds := min(now.Sub(s.at).Seconds(), 1)
		risen := min(int(float64(current)*(1+raise*seconds)), target)
		if risen == target || float64(risen) > float64(current)*(1+noticeable) {
			s.set, s.at = risen, now
		}
	}
	if s.set == s.full {
		s.set = 0
	}
	return s.set
}
