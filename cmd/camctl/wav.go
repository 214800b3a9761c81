package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/camd-project/camd/pkg/audio/opus"
	"github.com/camd-project/camd/pkg/media/wav"
)

// wavSound is a WAV file of 16 bits at 48 kHz, mono or stereo.
type wavSound struct {
	in  *wav.Reader
	buf [opus.FrameSamples]int32
}

func newWAV(in io.Reader) (*wavSound, error) {
	r, err := wav.NewReader(in)
	if err != nil {
		return nil, err
	}
	if !r.PCM || r.Channels > 2 || r.Rate != 48000 || r.Bits != 16 {
		return nil, fmt.Errorf("it has %d channels of %d bits at %d Hz, and 16 bits of PCM at 48000 Hz, mono or stereo, are needed", r.Channels, r.Bits, r.Rate)
	}
	return &wavSound{in: r}, nil
}

// frame fills the last frame up with silence. A file that ends too early is sent as far as it
// goes.
func (w *wavSound) frame(samples []int16) error {
	n, err := w.in.Read(w.buf[:len(samples)])
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	if err != nil {
		return err
	}
	clear(w.buf[n:])
	for i := range samples {
		samples[i] = int16(w.buf[i] / (1 << 16))
	}
	return nil
}
