package capture

import (
	"errors"
	"fmt"
	"image"
	"math"
	"time"

	"github.com/camd-project/camd/pkg/capture/h264"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/media"
	"github.com/camd-project/camd/pkg/media/avc"
)

// lookEvery is how often a picture is converted while nobody wants any, so that unusable
// pictures are noticed before somebody wants to watch.
const lookEvery = 10 * time.Second

// encode encodes pictures to H.264 while the feed is wanted. The encoder exists only as
// long: its buffers are large, and a new one begins with an IDR.
type encode struct {
	camera  *Camera
	tempo   tempo
	convert *h264.Converter
	pools   pools

	looked time.Duration // when a picture was last converted
	usable bool          // that picture could be converted
	size   image.Point   // of the pictures
	other  image.Point   // the different size of the last picture

	encoder *h264.Encoder // nil while nobody wants pictures
	made    float64       // the rate that the encoder was made for
	bitrate int           // the encoder's, at that rate
	target  int           // the wanted bitrate, at the real rate
	key     bool          // an IDR was requested and has not come yet
	keyed   time.Duration // when the last IDR came
}

// newEncode tries the encoder once, so that its format and faults are known before anybody
// watches.
func newEncode(c *Camera, sh shape) (*encode, error) {
	conv, err := h264.NewConverter(sh.raw)
	if err != nil {
		return nil, err
	}
	e := &encode{camera: c, tempo: tempo{claim: sh.rate, want: float64(c.cfg.Rate)}, convert: conv, pools: newPools()}
	e.size.X, e.size.Y = conv.Size()
	return e, e.try()
}

func (e *encode) try() error {
	e.close()
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

func (e *encode) begin() error {
	e.made, e.target = e.pace(), e.camera.target()
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
func (e *encode) pace() float64 { return min(max(e.tempo.rate(), minMade), maxMade) }

// scaled returns the bitrate to set so that the target is met at the real rate, because the
// encoder counts pictures and not seconds. A factor above remake would also change the level
// in the stream.
func (e *encode) scaled() int {
	return int(float64(e.target) * min(max(e.made/e.tempo.rate(), 1/remake), remake))
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
		e.tempo.kept = meter{}
	}
	kept := e.tempo.keep(p.pts, p.lost) && wanted
	due := !e.usable || p.pts-e.looked >= lookEvery // after an unusable picture, every one is
	if !kept && !e.camera.snapshotWanted() && !due {
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
	if !kept {
		return true, nil
	}
	e.tempo.sent(p.pts)
	if err := e.adjust(); err != nil {
		return false, err
	}
	next := p.pts + time.Duration(float64(time.Second)/e.tempo.rate())
	late := next > e.keyed+time.Duration(e.camera.cfg.KeyframeSeconds)*time.Second
	e.key = e.camera.keyframe.Swap(false) || e.key || late
	data, err := e.encoder.Encode(pic, e.key)
	if err != nil {
		return false, err
	}
	return true, e.publish(data, p)
}

// errResized means that one picture had a different size.
var errResized = fmt.Errorf("picture of another size than those before: %w", h264.ErrDamaged)

// picture converts a picture. A JPEG has the size in its header, not the driver's. A change
// counts only if it comes twice, since it needs a new encoder.
func (e *encode) picture(p picture) (*image.YCbCr, error) {
	first := e.looked == 0
	e.looked, e.usable = p.pts, false
	pic, err := e.convert.Convert(p.data)
	if err != nil {
		return nil, err
	}
	if size := pic.Rect.Size(); size != e.size {
		if !first && size != e.other {
			e.other = size
			return nil, errResized
		}
		e.size = size
		if err := e.try(); err != nil {
			return nil, err
		}
	}
	e.other, e.usable = image.Point{}, true
	return pic, nil
}

// adjust makes an encoder if necessary, and sets its bitrate.
func (e *encode) adjust() error {
	pace := e.pace()
	outpaced := e.tempo.kept.n >= meterMemory && (pace > e.made*remake || pace < e.made/remake)
	if e.encoder == nil || outpaced {
		e.close()
		return e.begin()
	}
	changed := e.target != e.camera.target()
	e.target = e.camera.target()
	bps := e.scaled()
	if off := math.Abs(float64(bps - e.bitrate)); !changed && off <= bitrateSlack*float64(e.bitrate) {
		return nil
	}
	e.bitrate = bps
	return e.encoder.SetBitrate(bps)
}

// bitrateSlack is by how much the bitrate may be wrong before it is set again.
const bitrateSlack = 0.05

func (e *encode) publish(data []byte, p picture) error {
	unit, _ := avc.NextUnit(data)
	if !unit.Coded {
		return nil // the rate control left this picture out
	}
	if unit.Key {
		e.key, e.keyed = false, p.pts
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

// learn publishes the format of the encoder's stream.
func (e *encode) learn(data []byte) error {
	sps := avc.SetsIn(data).SPS(data)
	if sps == nil {
		return errNoSPS
	}
	s, err := avc.ParseSPS(sps)
	if err != nil {
		return fmt.Errorf("read the encoder's H.264: %w", err)
	}
	e.camera.setFormat(media.VideoFormat{
		Width: s.Width, Height: s.Height, Rate: min(e.tempo.claim, e.tempo.want), ProfileLevelID: s.ProfileLevelID, CanForceIDR: true,
	})
	return nil
}

// trouble returns none: the encoder makes keyframes.
func (e *encode) trouble() (health.State, string) { return health.OK, "" }
