package live

import (
	"math"
	"slices"
)

// followed is a part of what the viewer with the fastest path can be sent. The camera's
// encoder follows no viewer that can be sent less than this part, if there is a second
// stream for that viewer.
const followed = 0.75

// worthFollowing returns the wishes that the camera's encoder follows. wishes has for each
// viewer of the first stream the bit/s that it can be sent at most; 0: no bound. full is the
// bit/s that the encoder is configured for; 0: not known. A viewer that can be sent much
// less than another would spoil the picture for all, and gets the second stream instead. A
// viewer that is the only one is followed.
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
