package capture

import (
	"errors"
	"fmt"
	"image"

	"github.com/camd-project/camd/pkg/capture/h264"
	"github.com/camd-project/camd/pkg/media"
	"github.com/camd-project/camd/pkg/media/avc"
)

// encode makes H.264 of pictures while the feed is wanted. An encoder lives no
// longer than that: its buffers are large, and a new one begins with an IDR.
type encode struct {
	camera  *Camera
	rate    float64
	convert *h264.Converter
	pools   pools

	encoder *h264.Encoder // nil while nobody wants pictures
	bitrate int           // the encoder's
	key     bool          // an IDR was asked for and has not come yet
}

// newEncode tries the encoder once, so that its format and faults are known
// before anyone watches.
func newEncode(c *Camera, sh shape) (*encode, error) {
	conv, err := h264.NewConverter(sh.raw)
	if err != nil {
		return nil, err
	}
	e := &encode{camera: c, rate: sh.rate, convert: conv, pools: newPools()}
	if err := e.begin(); err != nil {
		return nil, err
	}
	w, h := conv.Size()
	data, err := e.encoder.Encode(image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio420), false)
	if err == nil {
		err = e.learn(data)
	}
	e.close()
	return e, err
}

func (e *encode) begin() error {
	w, h := e.convert.Size()
	e.bitrate = e.camera.target()
	var err error
	e.encoder, err = h264.New(h264.Config{
		Width: w, Height: h, Rate: e.rate, Bitrate: e.bitrate, Keyframe: e.camera.cfg.keyframe(e.rate),
	})
	return err
}

func (e *encode) close() {
	if e.encoder == nil {
		return
	}
	if err := e.encoder.Close(); err != nil {
		e.camera.log.Warn("encoder did not close cleanly", "error", err)
	}
	e.encoder = nil
}

func (e *encode) take(p picture) (good bool, err error) {
	if p.damaged {
		return false, nil
	}
	wanted := e.camera.out.Wanted()
	if !wanted {
		e.close()
	}
	if !wanted && !e.camera.asked() {
		return true, nil
	}
	pic, err := e.convert.Convert(p.data)
	if err != nil {
		e.camera.log.Debug("picture dropped", "error", err)
		return false, nil // Convert only fails for the one picture
	}
	if e.camera.asked() {
		e.camera.hand(func() shot { return shot{raw: copyPicture(pic)} })
	}
	if !wanted {
		return true, nil
	}
	if err := e.adjust(); err != nil {
		return false, err
	}
	e.key = e.camera.keyframe.Swap(false) || e.key
	data, err := e.encoder.Encode(pic, e.key)
	if err != nil {
		return false, err
	}
	return true, e.publish(data, p)
}

// adjust has an encoder with the bitrate that is asked for.
func (e *encode) adjust() error {
	if e.encoder == nil {
		return e.begin()
	}
	bps := e.camera.target()
	if bps == e.bitrate {
		return nil
	}
	e.bitrate = bps
	return e.encoder.SetBitrate(bps)
}

func (e *encode) publish(data []byte, p picture) error {
	unit, _ := avc.NextUnit(data)
	if !unit.Coded {
		return nil // the rate control left this picture out
	}
	if unit.Key {
		e.key = false
		if err := e.learn(data); err != nil {
			return err
		}
	}
	u := e.pools.get(unit.Key, p.pts)
	u.Data = data // already a copy of our own
	e.camera.out.Publish(u)
	u.Release()
	return nil
}

var errNoSPS = errors.New("encoder made no parameter set")

// learn tells the format of what the encoder makes.
func (e *encode) learn(data []byte) error {
	unit, _ := avc.NextUnit(data)
	if unit.SPS == nil {
		return errNoSPS
	}
	s, err := avc.ParseSPS(unit.SPS)
	if err != nil {
		return fmt.Errorf("read the encoder's H.264: %w", err)
	}
	e.camera.setFormat(media.VideoFormat{
		Width: s.Width, Height: s.Height, Rate: e.rate, ProfileLevelID: s.ProfileLevelID, CanForceIDR: true,
	})
	return nil
}
