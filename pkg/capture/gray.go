package capture

import (
	"context"
	"errors"
	"image"

	"github.com/camd-project/camd/pkg/proto"
)

// ErrCoded means that the camera gives its pictures as H.264 alone, which camd does not
// decode.
var ErrCoded = errors.New("the camera gives its pictures as H.264 alone")

// errOtherWay ends a stream that is to be opened in another format.
var errOtherWay = errors.New("the pictures are wanted in another format")

// Gray returns the luma of the camera's picture of this moment, in a copy: what the
// encoder is given. An error is ErrCoded, a *proto.Refusal, or the cause of ctx's end.
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

// Plain has a camera that also gives raw pictures or motion JPEG give those, so that Gray
// works, until it is called with false. Where that is a change the camera is opened again, which
// who is watching sees as a short gap. One that gives H.264 alone goes on with that, and so
// does one whose configuration asks for H.264.
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

// wrong reports whether the stream is not what is wanted and could be.
func (w *way) wrong() bool {
	if w.plain.Load() {
		return w.coded.Load() && !w.tried.Load()
	}
	return w.detour.Load()
}

// begin notes how a stream was opened. It reports whether that is still as wanted: who
// changes what is wanted looks at what is noted, and this the other way round.
func (w *way) begin(sh shape) bool {
	w.tried.Store(sh.plainTried)
	w.detour.Store(sh.plainTried && !sh.coded)
	w.coded.Store(sh.coded)
	return !w.wrong()
}
