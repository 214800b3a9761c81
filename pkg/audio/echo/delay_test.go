package echo

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/camd-project/camd/pkg/audio/audiotest"
)

// room is an impulse response at 48 kHz: a direct sound after 2 ms, then forty
// reflections at random over 150 ms that fall by 60 dB in 200 ms.
type room struct {
	at   []int
	gain []float64
}

func newRoom(seed uint64) room {
	random := rand.New(rand.NewPCG(seed, 1))
	r := room{at: []int{96}, gain: []float64{0.5}}
	for range 40 {
		at := 100 + random.IntN(7200)
		g := 0.4 * math.Pow(10, -3*float64(at)/9600) * (2*random.Float64() - 1)
		r.at, r.gain = append(r.at, at), append(r.gain, g)
	}
	return r
}

// echo is what comes back of played after so many samples more.
func (r room) echo(played []int16, later int) []int16 {
	sum := make([]float64, len(played))
	for i, at := range r.at {
		for j := at + later; j < len(sum); j++ {
			sum[j] += r.gain[i] * float64(played[j-at-later])
		}
	}
	out := make([]int16, len(sum))
	for i, v := range sum {
		out[i] = int16(min(max(v, -32768), 32767))
	}
	return out
}

// add mixes noise of a peak amplitude in.
func add(random *rand.Rand, samples []int16, amplitude int) []int16 {
	out := make([]int16, len(samples))
	for i, s := range samples {
		out[i] = s + int16(random.IntN(2*amplitude+1)-amplitude)
	}
	return out
}

// chime is ding, dong: two decaying tones.
func chime() []int16 {
	s := make([]int16, 48000)
	for i := range s {
		t, hz := float64(i)/48000, 880.0
		if i >= 20000 {
			t, hz = float64(i-20000)/48000, 660
		}
		s[i] = int16(12000 * math.Exp(-4*t) * math.Sin(2*math.Pi*hz*t))
	}
	return s
}

func TestDelay(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for _, sound := range []struct {
		name string
		far  []int16
	}{{"chime", chime()}, {"voice", audiotest.Voice(1, 48000)}} {
		for i, later := range []int{0, 480, 2400, 12000, 22000} {
			padded := append(append([]int16(nil), sound.far...), make([]int16, 24000)...)
			near := add(random, newRoom(uint64(i)).echo(padded, later), 500)
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
		{"nothing recorded", chime(), nil},
		{"nothing played", nil, noise},
		{"silence recorded", chime(), make([]int16, 72000)},
		{"silence played", make([]int16, 48000), noise},
		{"noise", chime(), noise},
	} {
		if at, confidence := Delay(c.far, c.near); confidence > 0.15 || at < 0 {
			t.Errorf("%s: %d with confidence %.2f", c.name, at, confidence)
		}
	}
}

func TestDelayOfShortRecording(t *testing.T) {
	c := chime()
	near := newRoom(3).echo(c, 4800)
	if got, confidence := Delay(c, near); got < 4800 || got > 4920 || confidence < 0.5 {
		t.Errorf("found %d with confidence %.2f, want 4896", got, confidence)
	}
}

func BenchmarkDelay(b *testing.B) {
	c := chime()
	near := newRoom(3).echo(append(c, make([]int16, 24000)...), 4800)
	for b.Loop() {
		Delay(c, near)
	}
}
