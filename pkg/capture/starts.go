package capture

import (
	"fmt"
	"slices"
	"time"

	"github.com/camd-project/camd/pkg/health"
)

// startPatience is how far apart the pictures may be at which a decoder can start, and how
// long it may take to be complete from a recovery point, before health reports it.
const startPatience = 10 * time.Second

// gap measures how far apart pictures of a kind are.
type gap struct {
	last time.Duration
	long bool // the present gap, or the last one, is too long
}

// at adds the time of a picture, which counts if it is of the kind.
func (g *gap) at(now time.Duration, counts bool) {
	if counts || g.last == 0 {
		g.long, g.last = g.last != 0 && now-g.last > startPatience, now
		return
	}
	g.long = g.long || now-g.last > startPatience
}

// starts watches how far apart the pictures are at which viewers can begin. If the camera
// makes a keyframe when asked, only an unanswered request is a fault.
type starts struct {
	any, idr gap
	asked    bool // a keyframe was requested and has not come
}

// saw adds a picture, which is a start, an IDR or neither. onRequest means that the camera
// makes IDRs when asked.
func (s *starts) saw(now time.Duration, start, idr, onRequest bool) {
	if idr {
		s.asked = false
	}
	if onRequest && !s.asked && !start {
		s.any.rest(now)
		s.idr.rest(now)
		return
	}
	s.any.at(now, start)
	s.idr.at(now, idr)
}

// rest skips time in which nothing is expected.
func (g *gap) rest(now time.Duration) { g.last = now }

// trouble returns what viewers miss.
func (p *passThrough) trouble() (health.State, string) {
	switch {
	case p.starts.any.long && !p.started:
		return health.Failed, explain(errNoKey)
	case p.starts.any.long:
		return health.Degraded, "The camera's keyframes are more than 10 seconds apart, so viewers who join see nothing for long or are sent away: set its keyframe interval to a few seconds, or set format to raw or mjpeg."
	case p.starts.idr.long:
		return health.Degraded, "The camera renews its picture bit by bit instead of by keyframes, without which browsers show nothing: switch its intra refresh off, or set format to raw or mjpeg."
	case len(p.sps) > 1 && !slices.Contains(shown, p.sps[1]):
		return health.Degraded, fmt.Sprintf("The camera's H.264 has a profile that browsers can't show (profile_idc %d): set its profile to Baseline, Main or High, or set format to raw or mjpeg.", p.sps[1])
	}
	return health.OK, ""
}

// shown are the profile_idc of Baseline, Main, Extended and High (H.264 clause A.2):
// those with eight bits and 4:2:0.
var shown = []byte{66, 77, 88, 100}

// recovers reports whether a recovery point is good enough to begin at.
func (p *passThrough) recovers(within uint32) bool {
	return float64(within) <= startPatience.Seconds()*p.shape.rate
}
