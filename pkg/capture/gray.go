package capture

import (
	"context"
	"errors"
	"image"

	"github.com/camd-project/camd/pkg/proto"
)

// ErrCoded means that the camera gives only H.264, which camd does not decode.
var ErrCoded = errors.New("the camera gives its pictures as H.264 alone")

// errReopen ends a stream that must be opened in another format.
var errReopen = errors.New("the pictures are wanted in another format")

// Gray returns a copy of the luma of the camera's present picture. An error is ErrCoded, a
// *proto.Refusal, or the cause of ctx's end.
func (c *Camera) Gray(ctx context.Context) (*image.Gray, error) {
	if c.choice.isH264.Load() {
		return nil, ErrCoded
	}
	s, err := c.requestSnapshot(ctx)
	if err != nil {
		return nil, err
	}
	if s.raw == nil {
		return nil, ErrCoded
	}
	if closed, _ := c.shutter.Closed(); closed { // began meanwhile
		return nil, proto.Refuse(proto.CodePrivacy)
	}
	return &image.Gray{Pix: s.raw.Y, Stride: s.raw.YStride, Rect: s.raw.Rect}, nil
}

// AvoidH264 makes a camera that can give raw pictures or motion JPEG give those, so that Gray
// works, until AvoidH264(false). If that is a change the camera is opened again, which viewers
// see as a short gap. A camera that gives only H.264, or is configured for it, goes on with
// that.
func (c *Camera) AvoidH264(on bool) {
	if c.cfg.Format == FormatH264 {
		return
	}
	if c.choice.avoidH264.Swap(on) == on {
		return
	}
	if end := c.choice.closeStream.Load(); end != nil && c.choice.mustReopen() {
		(*end)(errReopen)
	}
}

// mustReopen reports whether the stream does not have the wanted format and could have it.
func (f *formatChoice) mustReopen() bool {
	if f.avoidH264.Load() {
		return f.isH264.Load() && !f.avoidedAtOpen.Load()
	}
	return f.replacesH264.Load()
}

// opened notes how a stream was opened, and reports whether that is still wanted. It stores
// first and then reads what is wanted, and AvoidH264 does the opposite, so that no change is
// missed.
func (f *formatChoice) opened(sh shape) bool {
	f.avoidedAtOpen.Store(sh.avoidedH264)
	f.replacesH264.Store(sh.avoidedH264 && !sh.coded)
	f.isH264.Store(sh.coded)
	return !f.mustReopen()
}
