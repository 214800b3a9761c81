package studio

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/camd-project/camd/pkg/media/wav"
)

const lowestRate, highestRate = 8000, 192000

var errWAV = errors.New("this is not a WAV file of 16 or 24 bits, one or two channels, 8 to 192 kHz")

// parseWAV reads a WAV file of linear PCM. Two channels become their mean.
func parseWAV(data []byte) (Sound, error) {
	r, err := wav.NewReader(bytes.NewReader(data))
	if err != nil {
		return Sound{}, fmt.Errorf("%w: %w", errWAV, err)
	}
	if !r.PCM || r.Channels > 2 || r.Bits != 16 && r.Bits != 24 || r.Rate < lowestRate || r.Rate > highestRate {
		return Sound{}, errWAV
	}
	s := Sound{Rate: r.Rate}
	for buf := make([]int32, 4096); ; {
		n, err := r.Read(buf)
		for _, v := range buf[:n] {
			s.Samples = append(s.Samples, float64(v)/(1<<31))
		}
		switch {
		case errors.Is(err, io.EOF):
			return s, nil
		case err != nil:
			return Sound{}, fmt.Errorf("%w: %w", errWAV, err)
		}
	}
}
