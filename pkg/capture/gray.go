package capture

import (
	"context"
	"errors"
	"image"

	"github.com/camd-project/camd/pkg/proto"
)

// ErrCoded means that the camera gives only H.264, which camd does not decode.
var ErrCoded = errors.New("the camera gives its pictures as H.264 alone")

// errOtherWay ends a stream that must be opened in another format.
var errOtherWay = errors.New("the pictures are wanted in another format")

// Gray returns a copy of the luma of the camera's present picture. An error is ErrCoded, a
// *proto.Refusal, or the cause of ctx's end.
func (c *Camera) Gray(ctx context.Context) (*image.Gray, error) {
	if c.way.coded.Load() {
		return nil, ErrCoded
	}
	s, err := c.shoot(ctx)
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

// Plain makes a camera that can give raw pictures or motion JPEG give those, so that Gray
// works, until Plain(false). If that is a change the camera is opened again, which viewers
// see as a short gap. A camera that gives only H.264, or is configured for it, goes on with
// that.
func (c *Camera) Plain(on bool) {
	if c.cfg.Format == FormatH264 {
		return
	}
	if c.way.plain.Swap(on) == on {
		return
	}
	if end := c.way.end.Load(); end != nil && c.way.wrong() {
		(*end)(errOtherWay)
	}
}

// wrong reports whether the stream does not have the wanted format and could have it.
func (w *way) wrong() bool {
	if w.plain.Load() {
		return w.coded.Load() && !w.tried.Load()
	}
	return w.detour.Load()
}

// begin notes how a stream was opened, and reports whether that is still wanted. It stores
// first and then reads what is wanted, and Plain does the opposite, so that no change is
// missed.
func (w *way) begin(sh shape) bool {
	w.tried.Store(sh.plainTried)
	w.detour.Store(sh.plainTried && !sh.coded)
	w.coded.Store(sh.coded)
	return !w.wrong()
}
