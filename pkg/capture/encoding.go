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
	rate    float64       // of the pictures, as measured last
	made    float64       // the rate that the encoder was made for
	bitrate int           // the encoder's, at that rate
	target  int           // the wanted bitrate, at the real rate
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
	e.rate = rate
	if err := e.begin(); err != nil {
		return err
	}
	defer e.close()
	data, err := e.encoder.Encode(image.NewYCbCr(image.Rectangle{Max: e.size}, image.YCbCrSubsampleRatio420), false)
	if err != nil {
		return err
	}
	return e.learn(data)
}

func (e *encoding) begin() error {
	e.made, e.target = e.pace(), e.output.target()
	e.bitrate = e.scaled()
	var err error
	e.encoder, err = h264.New(h264.Config{Width: e.size.X, Height: e.size.Y, Rate: e.made, Bitrate: e.bitrate})
	return err
}

// The rates that openh264 can be made for, and the factor by which the real rate may differ
// before a new encoder is made, which costs an IDR.
const (
	minMade, maxMade = 1, 60
	remake           = 1.3
)

// pace returns the rate to make an encoder for.
func (e *encoding) pace() float64 { return min(max(e.rate, minMade), maxMade) }

// scaled returns the bitrate to set so that the target is met at the real rate, because the
// encoder counts pictures and not seconds. A factor above remake would also change the level
// in the stream.
func (e *encoding) scaled() int {
	return int(float64(e.target) * min(max(e.made/e.rate, 1/remake), remake))
}

func (e *encoding) close() {
	if e.encoder == nil {
		return
	}
	if err := e.encoder.Close(); err != nil {
		e.output.log.Warn("encoder did not close cleanly", "error", err)
	}
	e.encoder = nil
}

// encode encodes a picture and publishes it. The pictures come at rate; settled says that it
// was measured for long enough to make another encoder for it.
func (e *encoding) encode(pic *image.YCbCr, pts time.Duration, rate float64, settled bool) error {
	e.rate = rate
	if err := e.adjust(settled); err != nil {
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

// adjust makes an encoder if necessary, and sets its bitrate.
func (e *encoding) adjust(settled bool) error {
	pace := e.pace()
	outpaced := settled && (pace > e.made*remake || pace < e.made/remake)
	if e.encoder == nil || outpaced {
		e.close()
		return e.begin()
	}
	changed := e.target != e.output.target()
	e.target = e.output.target()
	bps := e.scaled()
	if off := math.Abs(float64(bps - e.bitrate)); !changed && off <= bitrateSlack*float64(e.bitrate) {
		return nil
	}
	e.bitrate = bps
	return e.encoder.SetBitrate(bps)
}

// bitrateSlack is by how much the bitrate may be wrong before it is set again.
const bitrateSlack = 0.05

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
	u.Data = data // already a copy of our own
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
