package studio

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/camd-project/camd/pkg/audio/opus"
	"github.com/camd-project/camd/pkg/audio/prompt"
)

const (
	rate = 48000

	// speechBitrate is the most at which Opus stays with wideband SILK, its mode for
	// speech (espeak-ng gives 11 kHz); chimes are tones and need more.
	speechBitrate = 11000
	chimeBitrate  = 32000
)

// Source tells which clips there are, and gives their sound.
type Source interface {
	Names() []string
	Sound(ctx context.Context, name string) (Sound, error)
}

// Sound is mono, of any rate in Hz, within -1 and 1.
type Sound struct {
	Samples []float64
	Rate    int
}

// Make writes an archive of all that the source has, and of the chimes that it hasn't.
func Make(ctx context.Context, from Source) ([]byte, error) {
	names := from.Names()
	if err := complete(names); err != nil {
		return nil, err
	}
	clips := map[string][][]byte{}
	for _, name := range names {
		sound, err := from.Sound(ctx, name)
		if err != nil {
			return nil, err
		}
		if clips[name], err = record(sound); err != nil {
			return nil, fmt.Errorf("make %s: %w", name, err)
		}
	}
	for name, c := range chimes {
		if _, own := clips[name]; own {
			continue
		}
		var err error
		if clips[name], err = encode(c(), chimeBitrate); err != nil {
			return nil, fmt.Errorf("make %s: %w", name, err)
		}
	}
	return prompt.Marshal(clips)
}

// complete returns an error that names each clip that nobody can make.
func complete(names []string) error {
	var missing []error
	for _, name := range prompt.Required() {
		if _, made := chimes[name]; !made && !slices.Contains(names, name) {
			missing = append(missing, fmt.Errorf("%w: %s", prompt.ErrMissing, name))
		}
	}
	return errors.Join(missing...)
}

// record makes a clip of a sound.
func record(s Sound) ([][]byte, error) {
	samples, err := master(resample(s.Samples, s.Rate, rate))
	if err != nil {
		return nil, err
	}
	return encode(samples, speechBitrate)
}

// encode makes packets of samples, and of as much silence as the encoder holds back.
func encode(samples []float64, bitrate int) (packets [][]byte, err error) {
	e, err := opus.New(bitrate)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	frame := make([]int16, opus.FrameSamples)
	for at := 0; at < len(samples)+opus.Lookahead; at += len(frame) {
		clear(frame)
		for i, v := range samples[min(at, len(samples)):min(at+len(frame), len(samples))] {
			frame[i] = int16(v * 32767)
		}
		p, err := e.Encode(nil, frame)
		if err != nil {
			return nil, err
		}
		packets = append(packets, slices.Clip(p))
	}
	return packets, nil
}
