package live

import (
	"context"
	"sync"
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
	Bitrate() int       // what it is set to, in bit/s
	Format() (f media.VideoFormat, known bool)
}

// cameraControl is what the sessions ask the camera for. It is safe for concurrent use.
type cameraControl struct {
	Camera

	mu        sync.Mutex
	requested time.Time // last request for a key frame
	waits     bool      // another one waits for its time
}

// format waits until the camera knows its format.
func (c *cameraControl) format(ctx context.Context) (media.VideoFormat, error) {
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	timeout := time.NewTimer(formatWait)
	defer timeout.Stop()
	for {
		if f, known := c.Format(); known {
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

// keyframe asks the camera for a key frame, at most twice a second for all viewers. A request
// in between waits: what was just made may be what this viewer has lost.
func (c *cameraControl) keyframe() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waits {
		return
	}
	if wait := packets.KeyframeGap - time.Since(c.requested); wait > 0 {
		c.waits = true
		time.AfterFunc(wait, c.request)
		return
	}
	c.requested = time.Now()
	c.RequestKeyframe()
}

// request asks for the key frame that waits.
func (c *cameraControl) request() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waits, c.requested = false, time.Now()
	c.RequestKeyframe()
}
