package capture

import (
	"fmt"
	"image"
	"time"

	"github.com/camd-project/camd/pkg/capture/h264"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/media"
)

// lookEvery is how often a picture is converted while nobody wants any, so that unusable
// pictures are noticed before somebody wants to watch.
const lookEvery = 10 * time.Second

// encode encodes pictures to H.264 while the feed is wanted, and once more, smaller, while
// the second one is.
type encode struct {
	camera  *Camera
	tempo   tempo
	convert *h264.Converter
	main    encoding
	low     *lowEncoding // nil: there is none

	looked time.Duration // when a picture was last converted
	usable bool          // that picture could be converted
	other  image.Point   // the different size of the last picture
}

// newEncode tries the encoders once, so that their formats and faults are known before
// anybody watches.
func newEncode(c *Camera, sh shape) (*encode, error) {
	conv, err := h264.NewConverter(sh.raw)
	if err != nil {
		return nil, err
	}
	e := &encode{camera: c, tempo: tempo{claim: sh.rate, want: float64(c.cfg.Rate)}, convert: conv}
	e.main = newEncoding(&c.Output, e.tempo, c.cfg)
	if c.low != nil {
		e.low = newLowEncoding(c.low, sh.rate, c.cfg)
	}
	w, h := conv.Size()
	return e, e.resize(image.Pt(w, h))
}

// resize tries encoders for pictures of another size.
func (e *encode) resize(size image.Point) error {
	e.main.size = size
	if err := e.main.try(e.tempo.rate()); err != nil {
		return err
	}
	if e.low != nil {
		e.low.resize(size, e.looked)
	}
	return nil
}

func (e *encode) close() {
	e.main.close()
	if e.low != nil {
		e.low.close()
	}
}

func (e *encode) take(p picture) (good bool, err error) {
	if p.damaged {
		return false, nil
	}
	began := media.Now()
	wanted := e.camera.wanted()
	if !wanted {
		e.main.close()
		e.tempo.kept = meter{}
	}
	kept := e.tempo.keep(p.pts, p.lost) && wanted
	low := e.low != nil && e.low.keep(p)
	due := !e.usable || p.pts-e.looked >= lookEvery // after an unusable picture, every one is
	if !kept && !low && !e.camera.snapshotWanted() && !due {
		return true, nil
	}
	pic, err := e.picture(p)
	if err != nil {
		e.camera.log.Debug("picture dropped", "error", err)
		return false, err
	}
	if e.camera.snapshotWanted() {
		e.camera.answerRequests(func() snapshot { return snapshot{raw: copyPicture(pic)} })
	}
	if kept {
		e.tempo.sent(p.pts)
		if err := e.main.encode(pic, p.pts, e.tempo.rate()); err != nil {
			return false, err
		}
	}
	if low {
		e.low.take(pic, p.pts, media.Now()-began)
	}
	return true, nil
}

// errResized means that one picture had a different size.
var errResized = fmt.Errorf("picture of another size than those before: %w", h264.ErrDamaged)

// picture converts a picture. A JPEG has the size in its header, not the driver's. A change
// counts only if it comes twice, since it needs new encoders.
func (e *encode) picture(p picture) (*image.YCbCr, error) {
	first := e.looked == 0
	e.looked, e.usable = p.pts, false
	pic, err := e.convert.Convert(p.data)
	if err != nil {
		return nil, err
	}
	if size := pic.Rect.Size(); size != e.main.size {
		if !first && size != e.other {
			e.other = size
			return nil, errResized
		}
		if err := e.resize(size); err != nil {
			return nil, err
		}
	}
	e.other, e.usable = image.Point{}, true
	return pic, nil
}

// trouble returns what is wrong with the second stream: of the first one, the encoder makes
// keyframes.
func (e *encode) trouble() (health.State, string) {
	if e.low != nil && e.low.fault != nil {
		return health.Degraded, lowFault
	}
	return health.OK, ""
}
