package live

import (
	"math"
	"slices"

	"github.com/camd-project/camd/pkg/proto"
)

// followed is the part of the most that a viewer can be sent below which another viewer is
// not followed by the camera's encoder, if it can have the second stream instead.
const followed = 0.75

// worthFollowing returns the wishes that the camera's encoder follows. wishes has for each
// viewer of the first stream what it can be sent at most, in bit/s, 0: no bound; full is what
// the encoder is configured for, 0: not known. Who can be sent much less than another viewer
// would lower the picture for all; it gets the second stream. A viewer alone is followed.
func worthFollowing(wishes []int, full int) []int {
	best := 0
	for _, w := range wishes {
		if w == 0 {
			w = math.MaxInt
		}
		best = max(best, w)
	}
	if full > 0 {
		best = min(best, full)
	}
	return slices.DeleteFunc(slices.Clone(wishes), func(w int) bool { return w != 0 && float64(w) < followed*float64(best) })
}

// onLow reports whether a session is sent the second stream.
func (s *Session) onLow() bool {
	is := s.Stream()
	return is != nil && is.Stream == proto.StreamLow
}
