package capture

import (
	"errors"
	"fmt"
	"image"
	"math"
	"time"

	"github.com/camd-project/camd/pkg/capture/h264"
	"github.com/camd-project/camd/pkg/media"
	"github.com/camd-project/camd/pkg/media/avc"
)

// encoding encodes pictures of one size for an Output. The encoder exists only while pictures
// are wanted: its buffers are large, and a new one begins with an IDR.
type encoding struct {
	output *Output
	pools  pools
	size   image.Point
	named  float64       // pictures per second, as the format says
	every  time.Duration // longest time between two IDRs

	encoder *h264.Encoder // nil while nobody wants pictures
	rate    float64       // the encoder's, of pictures a second
	bitrate int           // the encoder's
	key     bool          // an IDR was requested and has not come yet
	keyed   time.Duration // when the last IDR came
}

// newEncoding returns an encoding for pictures that come as t says.
func newEncoding(o *Output, t tempo, cfg Config) encoding {
	return encoding{output: o, pools: newPools(), named: min(t.claim, t.want), every: time.Duration(cfg.KeyframeSeconds) * time.Second}
}

// try encodes one picture, so that format and faults are known before anybody watches.
func (e *encoding) try(rate float64) error {
	e.close()
	if err := e.begin(rate); err != nil {
		return err
	}
	defer e.close()
	data, err := e.encoder.Encode(image.NewYCbCr(image.Rectangle{Max: e.size}, image.YCbCrSubsampleRatio420), false)
	if err != nil {
		return err
	}
	return e.learn(data)
}

func (e *encoding) begin(rate float64) error {
	e.rate, e.bitrate = e.settings(rate)
	var err error
	e.encoder, err = h264.New(h264.Config{Width: e.size.X, Height: e.size.Y, Rate: e.rate, Bitrate: e.bitrate})
	return err
}

// The rates that openh264 takes.
const slowest, fastest = 1, 60

// settings returns the rate and the bitrate to set for pictures that come at rate, so that
// the target is met. The encoder counts pictures and not seconds.
func (e *encoding) settings(rate float64) (set float64, bps int) {
	set = min(max(rate, slowest), fastest)
	return set, int(float64(e.output.target()) * min(set/rate, 1))
}

func (e *encoding) close() {
	if e.encoder != nil {
		e.encoder.Close()
		e.encoder = nil
	}
}

// encode encodes a picture and publishes it. The pictures come at rate.
func (e *encoding) encode(pic *image.YCbCr, pts time.Duration, rate float64) error {
	if err := e.adjust(rate); err != nil {
		return err
	}
	late := pts+time.Duration(float64(time.Second)/rate) > e.keyed+e.every
	e.key = e.output.keyframe.Swap(false) || e.key || late
	data, err := e.encoder.Encode(pic, e.key)
	if err != nil {
		return err
	}
	return e.publish(data, pts)
}

// rateDrift is by how much the rate may be wrong before it is set again.
const rateDrift = 0.05

// adjust makes an encoder if necessary, and sets its rate and bitrate. Neither costs an IDR.
func (e *encoding) adjust(rate float64) error {
	if e.encoder == nil {
		return e.begin(rate)
	}
	set, bps := e.settings(rate)
	if math.Abs(set-e.rate) > rateDrift*e.rate {
		e.rate = set
		if err := e.encoder.SetRate(set); err != nil {
			return err
		}
	}
	if bps == e.bitrate {
		return nil
	}
	e.bitrate = bps
	return e.encoder.SetBitrate(bps)
}

func (e *encoding) publish(data []byte, pts time.Duration) error {
	unit, _ := avc.NextUnit(data)
	if !unit.Coded {
		return nil // the rate control left this picture out
	}
	if unit.Key {
		e.key, e.keyed = false, pts
		if err := e.learn(data); err != nil {
			return err
		}
	}
	u := e.pools.get(unit.Key, pts)
	u.Data = append(u.Data[:0], data...)
	e.output.out.Publish(u)
	u.Release()
	return nil
}

var errNoSPS = errors.New("encoder made no parameter set")

// learn publishes the format of the encoder's stream.
func (e *encoding) learn(data []byte) error {
	sps := avc.SetsIn(data).SPS(data)
	if sps == nil {
		return errNoSPS
	}
	s, err := avc.ParseSPS(sps)
	if err != nil {
		return fmt.Errorf("read the encoder's H.264: %w", err)
	}
	e.output.setFormat(media.VideoFormat{
		Width: s.Width, Height: s.Height, Rate: e.named, ProfileLevelID: s.ProfileLevelID, CanForceIDR: true,
	})
	return nil
}
