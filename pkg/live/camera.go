package live

import (
	"context"
	"time"

	"github.com/camd-project/camd/pkg/live/packets"
	"github.com/camd-project/camd/pkg/media"
	"github.com/camd-project/camd/pkg/proto"
)

const formatWait = 3 * time.Second // for the camera's first picture

// Camera is what a Server needs of the source of pictures. No method blocks.
type Camera interface {
	RequestKeyframe()   // at most one IDR for each request
	SetBitrate(bps int) // 0: as configured
	Format() (f media.VideoFormat, known bool)
}

// format waits until the camera knows its format.
func (s *Server) format(ctx context.Context) (media.VideoFormat, error) {
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	timeout := time.NewTimer(formatWait)
	defer timeout.Stop()
	for {
		if f, known := s.deps.Camera.Format(); known {
			return f, nil
		}
		select {
		case <-poll.C:
		case <-timeout.C:
			return media.VideoFormat{}, proto.Refuse(proto.CodeNoMedia)
		case <-ctx.Done():
			return media.VideoFormat{}, context.Cause(ctx)
		}
	}
}

// keyframe asks the camera for a key frame, at most twice a second for all viewers:
// a request in between is served by the one just made.
func (s *Server) keyframe() {
	s.mu.Lock()
	now := time.Now()
	due := now.Sub(s.requested) >= packets.KeyframeGap
	if due {
		s.requested = now
	}
	s.mu.Unlock()
	if due {
		s.deps.Camera.RequestKeyframe()
	}
}

// limitBitrate sets the lowest of the viewers' wishes.
func (s *Server) limitBitrate() {
	s.rate.Lock()
	defer s.rate.Unlock()
	s.mu.Lock()
	lowest := 0
	for _, x := range s.sessions {
		if x.tias > 0 && (lowest == 0 || x.tias < lowest) {
			lowest = x.tias
		}
	}
	s.mu.Unlock()
	if lowest != s.bitrate {
		s.bitrate = lowest
		s.deps.Camera.SetBitrate(lowest)
	}
}
