package audiotest

import (
	"math"
	"math/rand/v2"
)

// Room is an impulse response at 48 kHz: a direct sound after 2 ms, then forty
// reflections at random over 150 ms that fall by 60 dB in 200 ms.
type Room struct {
	at   []int
	gain []float64
}

// NewRoom returns one; the same seed makes the same room.
func NewRoom(seed uint64) Room {
	random := rand.New(rand.NewPCG(seed, 1))
	r := Room{at: []int{96}, gain: []float64{0.5}}
	for range 40 {
		at := 100 + random.IntN(7200)
		g := 0.4 * math.Pow(10, -3*float64(at)/9600) * (2*random.Float64() - 1)
		r.at, r.gain = append(r.at, at), append(r.gain, g)
	}
	return r
}

// Reflections returns the impulse response itself: after how many samples each comes, and
// how loud it is.
func (r Room) Reflections() (at []int, gain []float64) { return r.at, r.gain }

// Echo returns what comes back of played after so many samples more.
func (r Room) Echo(played []int16, later int) []int16 {
	out := make([]int16, len(played))
	for i := range out {
		out[i] = r.At(played, i-later)
	}
	return out
}

// At returns the sample of the echo at a place.
func (r Room) At(played []int16, place int) int16 {
	sum := 0.0
	for i, at := range r.at {
		if j := place - at; j >= 0 && j < len(played) {
			sum += r.gain[i] * float64(played[j])
		}
	}
	return int16(min(max(sum, -32768), 32767))
}

// Chime is ding, dong, in one second: two decaying tones.
func Chime() []int16 {
	s := make([]int16, rate)
	for i := range s {
		t, hz := float64(i)/rate, 880.0
		if i >= 20000 {
			t, hz = float64(i-20000)/rate, 660
		}
		s[i] = int16(12000 * math.Exp(-4*t) * math.Sin(2*math.Pi*hz*t))
	}
	return s
}
