package capture

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/camd-project/camd/pkg/media"
	"github.com/camd-project/camd/pkg/media/avc"
)

// Numbers of pooled access units: enough for a packet buffer that holds all since the last
// IDR. Keyframes have a pool of their own; otherwise every buffer would grow to a keyframe's
// size in time.
const (
	pooledKeys   = 8
	pooledOthers = 256
)

// keyPatience is how long a camera may send pictures before its first IDR. Some cameras have
// an IDR interval of many seconds.
const keyPatience = 30 * time.Second

type pools struct{ keys, others *media.Pool[media.AccessUnit] }

func newPools() pools {
	return pools{media.NewPool[media.AccessUnit](pooledKeys), media.NewPool[media.AccessUnit](pooledOthers)}
}

func (p pools) get(key bool, pts time.Duration) *media.AccessUnit {
	pool := p.others
	if key {
		pool = p.keys
	}
	u := pool.Get()
	u.Key, u.PTS = key, pts
	return u
}

// passThrough publishes H.264 as it comes, copied once. It cuts buffers into access units
// if the camera does not, and puts parameter sets before every IDR and recovery point, so
// that a decoder can start there.
type passThrough struct {
	camera  *Camera
	shape   shape
	coder   coder // nil: the encoder can't be controlled
	pools   pools
	bitrate int // last set

	sets      avc.Sets          // all that have come
	sps       []byte            // of the format
	started   bool              // a start with its parameter sets was published
	began     time.Duration     // when the first picture came
	refreshed time.Duration     // when refresh last requested an IDR
	last      *media.AccessUnit // the last IDR published, retained; nil: none yet
	starts    starts

	before  time.Duration // when the last buffer came
	loose   bool          // buffers don't begin with pictures
	split   avc.Splitter
	pending time.Duration // when what is in split began
}

func newPassThrough(c *Camera, s stream) *passThrough {
	p := &passThrough{camera: c, shape: s.shape(), pools: newPools(), bitrate: c.cfg.bitrate()}
	p.coder, _ = s.(coder)
	if c.low != nil {
		c.low.format.Store(nil) // the pictures are not decoded to be encoded once more
	}
	return p
}

func (p *passThrough) close() { p.remember(nil) }

func (p *passThrough) take(pic picture) (good bool, err error) {
	if pic.damaged || pic.lost > 0 {
		p.refresh(pic.pts) // what follows refers to what is missing
	}
	if pic.damaged {
		return false, nil
	}
	if !p.loose && !wholePictures(pic.data) {
		p.loose = true // the last buffer was taken for a whole one: what it taught is void
		p.started, p.sps, p.sets = false, nil, avc.Sets{}
	}
	if p.loose {
		err = p.takeLoose(pic)
	} else {
		err = p.takeWhole(pic)
	}
	p.answerRequests(pic.pts)
	p.control()
	if err == nil && p.began == 0 {
		p.began = pic.pts
	}
	if err == nil && !p.started && pic.pts-p.began > keyPatience {
		err = errNoKey // nobody will ever see a picture
	}
	if errors.Is(err, errGarbled) {
		return false, nil // perhaps only this picture is
	}
	return err == nil, err
}

// errGarbled means that H.264 can't be parsed.
var errGarbled = errors.New("garbled H.264")

// wholePictures reports whether a buffer begins where an access unit may.
func wholePictures(b []byte) bool {
	head := b[:min(len(b), 8)] // a start code, a NAL header, and first_mb_in_slice
	u, _ := avc.NextUnit(head)
	return len(u.Data) == len(head) && !u.Partial
}

// takeWhole publishes the pictures of a buffer. If there are several, their times are spread
// over the time since the buffer before, because the driver's rate may be wrong.
func (p *passThrough) takeWhole(pic picture) error {
	u, rest := avc.NextUnit(pic.data)
	later := 0 // pictures after u
	for more := rest; more != nil; {
		var v avc.Unit
		if v, more = avc.NextUnit(more); v.Coded {
			later++
		}
	}
	n := time.Duration(later + 1)
	if p.before == 0 {
		p.before = pic.pts - n*time.Duration(float64(time.Second)/p.shape.rate)
	}
	step := (pic.pts - p.before) / n
	p.before = pic.pts
	for u.Data != nil {
		if err := p.unit(u, pic.pts-time.Duration(later)*step); err != nil {
			return err
		}
		if u, rest = avc.NextUnit(rest); u.Coded {
			later--
		}
	}
	return nil
}

// takeLoose publishes a picture only when the next one begins, which delays it by a buffer.
// A picture has the time of the buffer in which it began. That a camera needs this is seen
// only at its second buffer, so its first picture is lost.
func (p *passThrough) takeLoose(pic picture) error {
	if err := p.split.Write(pic.data); err != nil {
		return errors.Join(errGarbled, err)
	}
	for u, ok := p.split.Next(); ok; u, ok = p.split.Next() {
		if err := p.unit(u, p.pending); err != nil {
			return err
		}
		p.pending = pic.pts
	}
	return nil
}

// unit publishes one access unit.
func (p *passThrough) unit(u avc.Unit, pts time.Duration) error {
	if u.B {
		return fmt.Errorf("read the camera's H.264: %w", errBFrames)
	}
	if u.Sets {
		p.sets.Learn(u.Data)
	}
	if !u.Coded || u.Partial {
		return nil
	}
	start := u.Key || u.Recovers && p.recovers(u.Within)
	if start {
		sps := p.sets.SPS(u.Data)
		start, p.started = sps != nil, sps != nil
		if err := p.describe(sps); err != nil {
			return err
		}
	}
	p.starts.saw(pts, start, start && u.Key, p.shape.forceIDR && p.coder != nil)
	if !p.started {
		p.refresh(pts) // nothing can be decoded yet
		return nil
	}
	p.publish(u, start, pts)
	return nil
}

// refresh requests an IDR because one is needed, but not too often from a camera that loses
// pictures all the time.
func (p *passThrough) refresh(now time.Duration) {
	if p.refreshed == 0 || now-p.refreshed >= refreshEvery {
		p.refreshed = now
		p.camera.RequestKeyframe()
	}
}

const refreshEvery = time.Second

func (p *passThrough) publish(u avc.Unit, start bool, pts time.Duration) {
	out := p.pools.get(u.Key, pts)
	out.Key, out.Gradual = start, start && !u.Key
	data := u.Data
	if start {
		if out.Data = p.sets.Lead(out.Data, data); len(out.Data) > 0 {
			if nal, rest := avc.Next(data); avc.TypeOf(nal) == avc.AUD && rest != nil {
				data = rest // an access unit delimiter may only be first
			}
		}
	}
	out.Data = append(out.Data, data...)
	p.camera.out.Publish(out)
	if u.Key {
		out.Retain()
		p.remember(out)
		p.sendLastIDR()
	}
	out.Release()
}

// remember keeps the last IDR for Picture.
func (p *passThrough) remember(u *media.AccessUnit) {
	if p.last != nil {
		p.last.Release()
	}
	p.last = u
}

// sendLastIDR answers requests for a picture with the last IDR.
func (p *passThrough) sendLastIDR() {
	if p.camera.snapshotWanted() {
		p.camera.answerRequests(func() snapshot { return snapshot{unit: bytes.Clone(p.last.Data)} })
	}
}

// answerRequests answers requests for a picture: with the next IDR, if the camera makes one when
// asked, or with the last one.
func (p *passThrough) answerRequests(now time.Duration) {
	switch {
	case !p.camera.snapshotWanted():
	case p.shape.forceIDR && p.coder != nil:
		p.refresh(now)
	case p.last != nil && now-p.last.PTS <= startPatience: // else it shows the past
		p.sendLastIDR()
	}
}

// describe publishes the format in a keyframe's SPS, if there is one.
func (p *passThrough) describe(sps []byte) error {
	if sps == nil || bytes.Equal(sps, p.sps) {
		return nil
	}
	s, err := avc.ParseSPS(sps)
	if err != nil {
		p.started = false
		return errors.Join(errGarbled, err)
	}
	p.sps = sps
	p.camera.setFormat(media.VideoFormat{
		Width: s.Width, Height: s.Height, Rate: p.shape.rate,
		ProfileLevelID: s.ProfileLevelID, CanForceIDR: p.shape.forceIDR,
	})
	return nil
}

// control passes requests to the camera's encoder.
func (p *passThrough) control() {
	bps, key := p.camera.target(), p.camera.keyframe.Swap(false)
	if p.coder == nil {
		return // what comes, comes
	}
	if bps != p.bitrate {
		p.bitrate = bps
		p.done("set bitrate", p.coder.setBitrate(bps))
	}
	if key {
		p.starts.asked = true
		p.done("force keyframe", p.coder.forceKeyframe())
	}
}

func (p *passThrough) done(what string, err error) {
	if err != nil {
		p.camera.log.Debug("encoder control failed", "control", what, "error", err)
	}
}
