//go:build cgo

package opus

/*
// The functions of opus.h (libopus 1.x, a stable ABI) that are used here. The
// header itself lies in mediadevices' folder, where cgo cannot be pointed to.
#include <stdint.h>

typedef struct OpusEncoder OpusEncoder;
OpusEncoder *opus_encoder_create(int32_t rate, int channels, int application, int *error);
int32_t opus_encode(OpusEncoder *e, const int16_t *pcm, int samples, unsigned char *data, int32_t max);
int opus_encoder_ctl(OpusEncoder *e, int request, ...);
void opus_encoder_destroy(OpusEncoder *e);
const char *opus_strerror(int error);

// cgo cannot call a variadic function.
static int camd_opus_set(OpusEncoder *e, int request, int32_t value) {
	return opus_encoder_ctl(e, request, value);
}
*/
import "C"

import (
	"fmt"
	"slices"
	"unsafe"

	// Links the archive. Its Go code is not called.
	_ "github.com/pion/mediadevices/pkg/codec/opus"
)

// From opus_defines.h.
const (
	applicationAudio = 2049
	setBitrate       = 4002
	setComplexity    = 4010
	setInbandFEC     = 4012
	setLossPercent   = 4014
	setDTX           = 4016
)

// complexity 5 with the audio application stays in CELT mode at the default
// bitrate: 105 µs a frame of a voice-like sound on x86-64, where hybrid mode, which
// in-band FEC needs, takes 340.
const complexity = 5

// leastLoss is the loss, in percent, from which on libopus 1.3.1 prepares sound of any kind
// for it: below, the audio application stays in CELT mode, which has no in-band FEC.
const leastLoss = 6

// Encoder makes packets out of frames. It is for one goroutine.
type Encoder struct{ c *C.OpusEncoder }

// New returns an encoder for 48 kHz mono at a bitrate in bits per second.
func New(bitrate int) (*Encoder, error) {
	var code C.int
	c := C.opus_encoder_create(48000, 1, applicationAudio, &code)
	if c == nil {
		return nil, fmt.Errorf("create Opus encoder: %s", message(code))
	}
	e := &Encoder{c}
	if err := e.set([][2]int{{setBitrate, bitrate}, {setComplexity, complexity}, {setInbandFEC, 0}, {setDTX, 0}}); err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

// SetLoss prepares for the loss of so many percent of the packets, from the next one on:
// each packet also has the speech of the one before, more coarsely (in-band FEC, RFC 6716
// section 2.1.7). The bitrate stays as it is, so that the rest gets fewer bits. With 0,
// packets are as if SetLoss had never been called.
func (e *Encoder) SetLoss(percent int) error {
	if percent <= 0 {
		return e.set([][2]int{{setInbandFEC, 0}, {setLossPercent, 0}})
	}
	return e.set([][2]int{{setInbandFEC, 1}, {setLossPercent, min(max(percent, leastLoss), 100)}})
}

// set sets controls to values.
func (e *Encoder) set(controls [][2]int) error {
	for _, s := range controls {
		if code := C.camd_opus_set(e.c, C.int(s[0]), C.int32_t(s[1])); code != 0 {
			return fmt.Errorf("set Opus encoder's control %d to %d: %s", s[0], s[1], message(code))
		}
	}
	return nil
}

// Encode appends the packet of one frame of FrameSamples to dst.
func (e *Encoder) Encode(dst []byte, frame []int16) ([]byte, error) {
	if len(frame) != FrameSamples {
		return dst, fmt.Errorf("encode %d samples: an Opus frame is %d", len(frame), FrameSamples)
	}
	dst = slices.Grow(dst, MaxPacket)
	room := dst[len(dst) : len(dst)+MaxPacket]
	n := C.opus_encode(e.c, (*C.int16_t)(unsafe.SliceData(frame)), FrameSamples,
		(*C.uchar)(unsafe.SliceData(room)), MaxPacket)
	if n < 0 {
		return dst, fmt.Errorf("encode Opus frame: %s", message(n))
	}
	return dst[:len(dst)+int(n)], nil
}

// Close frees the encoder. It may be called again; Encode may not.
func (e *Encoder) Close() {
	if e.c != nil {
		C.opus_encoder_destroy(e.c)
		e.c = nil
	}
}

func message(code C.int) string { return C.GoString(C.opus_strerror(code)) }
