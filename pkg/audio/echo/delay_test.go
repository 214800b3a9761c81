package echo

import (
	"math/rand/v2"
	"testing"

	"github.com/camd-project/camd/pkg/audio/audiotest"
)

// add mixes noise of a peak amplitude in.
func add(random *rand.Rand, samples []int16, amplitude int) []int16 {
	out := make([]int16, len(samples))
	for i, s := range samples {
		out[i] = s + int16(random.IntN(2*amplitude+1)-amplitude)
	}
	return out
}

func TestDelay(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for _, sound := range []struct {
		name string
		far  []int16
	}{{"chime", audiotest.Chime()}, {"voice", audiotest.Voice(1, 48000)}} {
		for i, later := range []int{0, 480, 2400, 12000, 22000} {
			padded := append(append([]int16(nil), sound.far...), make([]int16, 24000)...)
			near := add(random, audiotest.NewRoom(uint64(i)).Echo(padded, later), 500)
			got, confidence := Delay(sound.far, near)
			want := later + 96
			if got < want-96 || got > want+24 { // 2 ms early to half a millisecond late
				t.Errorf("%s, %d late: found %d", sound.name, want, got)
			}
			if confidence < 0.5 {
				t.Errorf("%s, %d late: confidence %.2f, want 0.5", sound.name, want, confidence)
			}
		}
	}
}

// TestDelayOfNothing: what holds no echo gives no confidence.
func TestDelayOfNothing(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	noise := add(random, make([]int16, 72000), 3000)
	for _, c := range []struct {
		name      string
		far, near []int16
	}{
		{"nothing at all", nil, nil},
		{"nothing recorded", audiotest.Chime(), nil},
		{"nothing played", nil, noise},
		{"silence recorded", audiotest.Chime(), make([]int16, 72000)},
		{"silence played", make([]int16, 48000), noise},
		{"noise", audiotest.Chime(), noise},
	} {
		if at, confidence := Delay(c.far, c.near); confidence > 0.15 || at < 0 {
			t.Errorf("%s: %d with confidence %.2f", c.name, at, confidence)
		}
	}
}

func TestDelayOfShortRecording(t *testing.T) {
	c := audiotest.Chime()
	near := audiotest.NewRoom(3).Echo(c, 4800)
	if got, confidence := Delay(c, near); got < 4800 || got > 4920 || confidence < 0.5 {
		t.Errorf("found %d with confidence %.2f, want 4896", got, confidence)
	}
}

func BenchmarkDelay(b *testing.B) {
	c := audiotest.Chime()
	near := audiotest.NewRoom(3).Echo(append(c, make([]int16, 24000)...), 4800)
	for b.Loop() {
		Delay(c, near)
	}
}
