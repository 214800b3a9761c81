package capture

import (
	"log/slog"
	"sync/atomic"

	"github.com/camd-project/camd/pkg/media"
)

// minBitrate is the least that SetBitrate can ask for: below, no picture is left.
const minBitrate = 50_000

// Output is one encoding of the camera's pictures. Its methods may be called from any
// goroutine and never block.
type Output struct {
	log     *slog.Logger
	out     *media.Feed[*media.AccessUnit]
	highest int // bit/s, as configured

	bitrate  atomic.Int64 // asked for by SetBitrate, 0: the configured one
	keyframe atomic.Bool  // asked for by RequestKeyframe, not yet taken up
	format   atomic.Pointer[media.VideoFormat]
}

// Feed returns the feed that it publishes to.
func (o *Output) Feed() *media.Feed[*media.AccessUnit] { return o.out }

// RequestKeyframe requests an IDR. Requests before it comes count as one.
func (o *Output) RequestKeyframe() { o.keyframe.Store(true) }

// SetBitrate sets the bitrate in bit/s, at most the configured one; 0 is the configured one.
// It stays when the camera is opened again.
func (o *Output) SetBitrate(bps int) { o.bitrate.Store(int64(bps)) }

// Bitrate returns the bitrate in bit/s that it has at most now.
func (o *Output) Bitrate() int { return o.target() }

// Format returns the encoding; ok is false until it is known. It stays known after the
// camera has failed.
func (o *Output) Format() (media.VideoFormat, bool) {
	if f := o.format.Load(); f != nil {
		return *f, true
	}
	return media.VideoFormat{}, false
}

// target returns the bitrate to encode at now.
func (o *Output) target() int {
	if b := int(o.bitrate.Load()); b > 0 {
		return min(max(b, minBitrate), o.highest)
	}
	return o.highest
}

// setFormat publishes a format if it has changed.
func (o *Output) setFormat(f media.VideoFormat) {
	if old := o.format.Load(); old != nil && *old == f {
		return
	}
	o.format.Store(&f)
	o.log.Info("video format", "width", f.Width, "height", f.Height, "rate", f.Rate,
		"profile_level_id", f.ProfileLevelID, "can_force_idr", f.CanForceIDR)
}

// wanted reports whether anyone wants its pictures now. Nobody wants those of a nil Output.
func (o *Output) wanted() bool { return o != nil && o.out.Wanted() }

// changes receives a value after wanted may have changed.
func (o *Output) changes() <-chan struct{} {
	if o == nil {
		return nil
	}
	return o.out.Changes()
}
