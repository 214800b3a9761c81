//go:build cgo

package echo

/*
// The static archive, so that no binary asks for the library where it runs.
#cgo LDFLAGS: -l:libspeexdsp.a -lm
#include <stdlib.h>
#include <string.h>
#include <speex/speex_echo.h>
#include <speex/speex_preprocess.h>
#include <speex/speex_resampler.h>

enum { outer = 960, inner = 320, held = 8192 };

// Everything of a canceller, so that a frame is one call from Go.
typedef struct {
	SpeexEchoState *echo;
	SpeexPreprocessState *preprocess;
	SpeexResamplerState *mic, *far, *out; // 48 to 16, 48 to 16, 16 to 48 kHz
	spx_int16_t ring[held];               // the far end, until it is delayed enough
	unsigned at, delay;
} camd_echo;

static void camd_echo_free(camd_echo *e) {
	if (e->preprocess) speex_preprocess_state_destroy(e->preprocess);
	if (e->echo) speex_echo_state_destroy(e->echo);
	if (e->mic) speex_resampler_destroy(e->mic);
	if (e->far) speex_resampler_destroy(e->far);
	if (e->out) speex_resampler_destroy(e->out);
	free(e);
}

static camd_echo *camd_echo_new(int tail) {
	camd_echo *e = calloc(1, sizeof *e);
	if (!e) return NULL;
	int rate = 16000, on = 1, quality = 4;
	e->echo = speex_echo_state_init(inner, tail);
	e->preprocess = speex_preprocess_state_init(inner, rate);
	e->mic = speex_resampler_init(1, 48000, rate, quality, NULL);
	e->far = speex_resampler_init(1, 48000, rate, quality, NULL);
	e->out = speex_resampler_init(1, rate, 48000, quality, NULL);
	if (!e->echo || !e->preprocess || !e->mic || !e->far || !e->out) {
		camd_echo_free(e);
		return NULL;
	}
	speex_echo_ctl(e->echo, SPEEX_ECHO_SET_SAMPLING_RATE, &rate);
	speex_preprocess_ctl(e->preprocess, SPEEX_PREPROCESS_SET_DENOISE, &on);
	speex_preprocess_ctl(e->preprocess, SPEEX_PREPROCESS_SET_ECHO_STATE, e->echo);
	return e;
}

static void camd_echo_delay(camd_echo *e, unsigned samples) {
	if (samples != e->delay) speex_echo_state_reset(e->echo);
	e->delay = samples;
}

static void camd_resample(SpeexResamplerState *r, const spx_int16_t *in, spx_uint32_t n, spx_int16_t *out, spx_uint32_t want) {
	spx_uint32_t made = want;
	speex_resampler_process_int(r, 0, in, &n, out, &made);
	memset(out + made, 0, (want - made) * sizeof *out);
}

static void camd_echo_cancel(camd_echo *e, spx_int16_t *out, const spx_int16_t *mic, const spx_int16_t *far) {
	spx_int16_t near[inner], played[inner], clean[inner];
	camd_resample(e->mic, mic, outer, near, inner);
	camd_resample(e->far, far, outer, played, inner);
	for (int i = 0; i < inner; i++) {
		e->ring[e->at % held] = played[i];
		played[i] = e->ring[(e->at - e->delay) % held];
		e->at++;
	}
	speex_echo_cancellation(e->echo, near, played, clean);
	speex_preprocess_run(e->preprocess, clean);
	camd_resample(e->out, clean, inner, out, outer);
}
*/
import "C"

import (
	"errors"
	"fmt"
	"time"
	"unsafe"
)

// Canceller cancels the echo of one loudspeaker in one microphone. It is for one
// goroutine.
type Canceller struct{ c *C.camd_echo }

// New returns a canceller for a room whose echo lasts up to tail (20 to 500 ms).
func New(tail time.Duration) (*Canceller, error) {
	if tail < 20*time.Millisecond || tail > 500*time.Millisecond {
		return nil, fmt.Errorf("cancel an echo of %v: only 20 to 500 ms can be", tail)
	}
	c := C.camd_echo_new(C.int(tail.Milliseconds() * 16))
	if c == nil {
		return nil, errors.New("create echo canceller: out of memory")
	}
	return &Canceller{c}, nil
}

// SetDelay sets by how many samples at 48 kHz what far holds is later in mic, as
// Delay measures it: at most 500 ms. The filter then begins again.
func (e *Canceller) SetDelay(samples int) {
	C.camd_echo_delay(e.c, C.uint(min(max(0, samples/3-causal), reach)))
}

// Cancel fills out with the microphone's frame without the echo, Latency samples
// late. far is what the loudspeaker was given meanwhile (silence included). All
// three are FrameSamples long, else Cancel panics; out may be mic.
func (e *Canceller) Cancel(out, mic, far []int16) {
	out, mic, far = out[:FrameSamples], mic[:FrameSamples], far[:FrameSamples]
	C.camd_echo_cancel(e.c, pointer(out), pointer(mic), pointer(far))
}

func pointer(samples []int16) *C.spx_int16_t {
	return (*C.spx_int16_t)(unsafe.SliceData(samples))
}

// Close frees the canceller. It may be called again; the others may not.
func (e *Canceller) Close() {
	if e.c != nil {
		C.camd_echo_free(e.c)
		e.c = nil
	}
}
