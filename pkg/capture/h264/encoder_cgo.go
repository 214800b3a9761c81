//go:build cgo

package h264

import (
	"errors"
	"fmt"
	"image"

	"github.com/pion/mediadevices/pkg/codec"
	"github.com/pion/mediadevices/pkg/codec/openh264"
	"github.com/pion/mediadevices/pkg/frame"
	"github.com/pion/mediadevices/pkg/io/video"
	"github.com/pion/mediadevices/pkg/prop"
)

// Encoder is one running openh264. Its methods must not run at the same time: the
// library beneath takes no lock around its controls.
type Encoder struct {
	cfg     Config
	engine  codec.ReadCloser
	control controller
	picture *image.YCbCr // what the engine reads next
}

type controller interface {
	codec.KeyFrameController
	codec.BitRateController
}

var errControl = errors.New("encoder lacks its controls")

// New starts an encoder: constrained baseline, one slice for each picture, one
// thread, no B-frames. Its first picture is an IDR with parameter sets. More of them it
// makes when asked, and where a picture has little to do with the last one.
func New(cfg Config) (*Encoder, error) {
	if cfg.Width < minSide || cfg.Height < minSide || cfg.Width%2 != 0 || cfg.Height%2 != 0 {
		return nil, fmt.Errorf("encode %dx%d: %w", cfg.Width, cfg.Height, ErrSize)
	}
	hush()
	e := &Encoder{cfg: cfg}
	p := openh264.Params{
		BaseParams:        codec.BaseParams{BitRate: cfg.Bitrate},
		UsageType:         openh264.CameraVideoRealTime,
		RCMode:            openh264.RCBitrateMode,
		EnableFrameSkip:   true, // the only way in which it keeps a low bitrate
		IntraPeriod:       0,    // it would count pictures
		MultipleThreadIdc: 1,
		SliceNum:          1,
		SliceMode:         openh264.SMSingleSlice,
	}
	media := prop.Media{Video: prop.Video{
		Width: cfg.Width, Height: cfg.Height, FrameRate: float32(cfg.Rate), FrameFormat: frame.FormatI420,
	}}
	var err error
	next := func() (image.Image, func(), error) { return e.picture, func() {}, nil }
	if e.engine, err = p.BuildVideoEncoder(video.ReaderFunc(next), media); err != nil {
		return nil, fmt.Errorf("start openh264: %w", err)
	}
	var ok bool
	if e.control, ok = e.engine.Controller().(controller); !ok {
		return nil, errors.Join(errControl, e.engine.Close())
	}
	return e, nil
}

// Encode encodes a 4:2:0 picture of the configured size; key asks for an IDR. It
// returns an access unit in Annex B form, or nothing if the rate control skipped
// the picture; a skipped key must be asked for again.
func (e *Encoder) Encode(picture *image.YCbCr, key bool) ([]byte, error) {
	if s := picture.Rect.Size(); s.X != e.cfg.Width || s.Y != e.cfg.Height || picture.SubsampleRatio != image.YCbCrSubsampleRatio420 {
		return nil, fmt.Errorf("encode %v picture as %dx%d: %w", s, e.cfg.Width, e.cfg.Height, ErrSize)
	}
	if key {
		if err := e.control.ForceKeyFrame(); err != nil {
			return nil, fmt.Errorf("force keyframe: %w", err)
		}
	}
	e.picture = picture
	b, _, err := e.engine.Read() // its release function does nothing: b is a copy
	e.picture = nil
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return b, nil
}

// SetBitrate changes the bitrate, in bit/s, from the next picture on.
func (e *Encoder) SetBitrate(bps int) error {
	if err := e.control.SetBitRate(bps); err != nil {
		return fmt.Errorf("set bitrate: %w", err)
	}
	return nil
}

// Close frees the encoder.
func (e *Encoder) Close() error { return e.engine.Close() }
