//go:build cgo

package h264

// #include "bridge.h"
import "C"

import (
	"fmt"
	"image"
	"slices"
	"unsafe"

	// Links the archive. Its Go code is not called.
	_ "github.com/pion/mediadevices/pkg/codec/openh264"
)

// Encoder is one running openh264. Its methods must not run at the same time.
type Encoder struct {
	cfg    Config // with the bitrate and the rate that were set last
	finest int    // of c
	c      *C.camd_encoder
	unit   []byte // the last access unit; its memory is used again
}

// New starts an encoder: constrained baseline, one slice for each picture, one
// thread, no B-frames. Its first picture is an IDR with parameter sets. It makes another
// only when asked: a change of scene is coded as a picture like others.
func New(cfg Config) (*Encoder, error) {
	if cfg.Width < minSide || cfg.Height < minSide || cfg.Width%2 != 0 || cfg.Height%2 != 0 {
		return nil, fmt.Errorf("encode %dx%d: %w", cfg.Width, cfg.Height, ErrSize)
	}
	e := &Encoder{cfg: cfg}
	if err := e.begin(); err != nil {
		return nil, err
	}
	return e, nil
}

// begin starts openh264, in place of the one that runs, if any.
func (e *Encoder) begin() error {
	finest := finestQP(e.cfg)
	var c *C.camd_encoder
	code := C.camd_encoder_new(&c, C.int(e.cfg.Width), C.int(e.cfg.Height), C.float(e.cfg.Rate),
		limited(e.cfg.Bitrate), C.int(finest))
	if code != 0 {
		return fmt.Errorf("start openh264: code %d", code)
	}
	e.Close()
	e.c, e.finest = c, finest
	return nil
}

// mostBitrate is what openh264 takes while it describes its stream as of level 3.1, which is
// the least that bridge.c has it do, in bit/s.
const mostBitrate = 16_800_000

func limited(bps int) C.int { return C.int(min(bps, mostBitrate)) }

// Encode encodes a 4:2:0 picture of the configured size; key asks for an IDR, which is
// never skipped. It returns an access unit in Annex B form, which is valid until the next
// call, or nothing if the rate control skipped the picture. After an error only Close may
// be called.
func (e *Encoder) Encode(picture *image.YCbCr, key bool) ([]byte, error) {
	if s := picture.Rect.Size(); s.X != e.cfg.Width || s.Y != e.cfg.Height || picture.SubsampleRatio != image.YCbCrSubsampleRatio420 {
		return nil, fmt.Errorf("encode %v picture as %dx%d: %w", s, e.cfg.Width, e.cfg.Height, ErrSize)
	}
	if key && e.finest != finestQP(e.cfg) { // openh264 can't change it, and a new one begins with an IDR
		if err := e.begin(); err != nil {
			return nil, err
		}
	}
	n := C.camd_encoder_encode(e.c, first(picture.Y), first(picture.Cb), first(picture.Cr),
		C.int(picture.YStride), C.int(picture.CStride), C.bool(key))
	if n < 0 {
		return nil, fmt.Errorf("encode: openh264 code %d", -n)
	}
	if n == 0 {
		return nil, nil
	}
	e.unit = slices.Grow(e.unit[:0], int(n))[:n]
	C.camd_encoder_take(e.c, first(e.unit))
	return e.unit, nil
}

func first(b []byte) *C.uint8_t { return (*C.uint8_t)(unsafe.SliceData(b)) }

// SetBitrate changes the bitrate, in bit/s, from the next picture on. Above mostBitrate it
// stays at that.
func (e *Encoder) SetBitrate(bps int) error {
	if code := C.camd_encoder_set_bitrate(e.c, limited(bps)); code != 0 {
		return fmt.Errorf("set bitrate: openh264 code %d", code)
	}
	e.cfg.Bitrate = bps
	return nil
}

// SetRate changes the frames per second, from the next picture on.
func (e *Encoder) SetRate(rate float64) error {
	if code := C.camd_encoder_set_rate(e.c, C.float(rate)); code != 0 {
		return fmt.Errorf("set frame rate: openh264 code %d", code)
	}
	e.cfg.Rate = rate
	return nil
}

// Close frees the encoder. It may be called again; other methods may not.
func (e *Encoder) Close() {
	if e.c != nil {
		C.camd_encoder_free(e.c)
		e.c = nil
	}
}
