package main

import (
	"fmt"
	"math"
	"time"

	"github.com/camd-project/camd/pkg/audio/audiotest"
	"github.com/camd-project/camd/pkg/audio/echo"
	"github.com/camd-project/camd/pkg/audio/opus"
	"github.com/camd-project/camd/test/sound"
)

// soundBenchmarks are those of what a frame of 20 ms passes.
var soundBenchmarks = []struct{ pkg, pattern, name string }{
	{"./pkg/audio/opus", "Decode$", decoder},
	{"./pkg/audio/opus", "Encode$", encoder},
	{"./pkg/audio/jitter", "Buffer$", "Buffer"},
	{"./pkg/audio/dynamics", "Limiter$", "Limiter"},
	{"./pkg/audio/dynamics", "Ducker$", "Ducker"},
	{"./pkg/audio/echo", "Cancel$", "Cancel"},
}

const (
	decoder = "Decode/celt-fb-20"
	encoder = "Encode"
)

// soundStages are the stages, each beside the codec of its way.
var soundStages = []struct{ name, baseline, figure string }{
	{"Buffer", decoder, "jitter buffer, decoder included (baseline: the decoder alone)"},
	{"Limiter", decoder, "limiter (baseline: the decoder)"},
	{"Cancel", encoder, "echo canceller with noise suppression, resampled (baseline: the encoder)"},
	{"Ducker", encoder, "ducker (baseline: the encoder)"},
}

// stages measures what sound costs the device for each frame, and what the echo
// canceller does.
func (b *bench) stages() error {
	for range b.Rounds {
		took := map[string]float64{}
		for _, s := range soundBenchmarks {
			l, err := b.gobench(s.pkg, s.pattern, 2000, "CGO_ENABLED=1")
			if err != nil {
				return err
			}
			each, ok := l[s.name]
			if !ok {
				return fmt.Errorf("%s has no benchmark %s: %v", s.pkg, s.name, l)
			}
			took[s.name] = 1000 * each
		}
		for _, s := range soundStages {
			b.report.pair("a frame of 20 ms through the "+s.figure, "µs", took[s.name], took[s.baseline])
		}
	}
	return b.echoes()
}

// echoes lets a loudspeaker's voice come back through simulated rooms, and cancels it.
// The canceller has learnt the room in the first ten seconds.
func (b *bench) echoes() error {
	const learnt, seconds = 10, 14
	for room, delay := range []time.Duration{0, 50 * time.Millisecond, 200 * time.Millisecond} {
		far := audiotest.Voice(uint64(room), seconds*sound.Rate)
		mic := audiotest.NewRoom(uint64(room)).Echo(far, int(delay*sound.Rate/time.Second))
		c, err := echo.New(200 * time.Millisecond)
		if err != nil {
			return err
		}
		found, _ := echo.Delay(far[:sound.Rate], mic[:sound.Rate*3/2])
		c.SetDelay(found)
		out := make([]int16, len(mic))
		for i := 0; i+opus.FrameSamples <= len(mic); i += opus.FrameSamples {
			c.Cancel(out[i:i+opus.FrameSamples], mic[i:], far[i:])
		}
		c.Close()
		b.report.add("camd", fmt.Sprintf("echo return loss enhancement, simulated room %d, sound card %v late", room+1, delay), "dB",
			decibels(mic[learnt*sound.Rate:])-decibels(out[learnt*sound.Rate:]))
	}
	return nil
}

func decibels(samples []int16) float64 { return 20 * math.Log10(max(1, audiotest.Level(samples))) }
