package studio

import "math"

// chimes are made, unless somebody recorded them.
var chimes = map[string]func() []float64{
	"chime/talk":  func() []float64 { return bell(659.26, 523.25) },         // E5, C5
	"chime/ask":   func() []float64 { return bell(523.25, 659.26) },         // C5, E5
	"chime/ring":  func() []float64 { return bell(783.99, 622.25, 523.25) }, // G5, E flat 5, C5
	"pause/short": func() []float64 { return make([]float64, rate/10) },
}

const (
	step  = rate / 4        // from one note to the next
	ring  = rate * 6 / 10   // of the last note
	decay = rate * 16 / 100 // to 37 %
)

// bell plays notes, in Hz, that fade away one after the other. Each has an octave
// and a twelfth over it, so that small loudspeakers carry it too.
func bell(notes ...float64) []float64 {
	out := make([]float64, (len(notes)-1)*step+ring+tail)
	for n, hz := range notes {
		note := out[n*step : len(out)-tail]
		for i := range note {
			t := 2 * math.Pi * hz * float64(i) / rate
			wave := 0.7*math.Sin(t) + 0.3*math.Sin(2*t) + 0.15*math.Sin(3*t)
			edge := min(1, float64(i)/fadeIn, float64(len(note)-1-i)/fadeOut)
			note[i] += 0.5 * wave * edge * math.Exp(-float64(i)/decay)
		}
	}
	return out
}
