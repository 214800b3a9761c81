package audiotest

import "math"

// Sine makes n samples of a tone at 48 kHz with a peak amplitude.
func Sine(hz float64, amplitude int16, n int) []int16 {
	s := make([]int16, n)
	for i := range s {
		s[i] = int16(float64(amplitude) * math.Sin(2*math.Pi*hz*float64(i)/48000))
	}
	return s
}

// Purity returns how much of the power of samples at 48 kHz lies in the tone of hz:
// 1 for that tone alone, about 0 for silence or anything else. The tone should
// complete whole periods in them. (Goertzel's algorithm: one bin of a DFT.)
func Purity(samples []int16, hz float64) float64 {
	w := 2 * math.Pi * hz / 48000
	var s1, s2, total float64
	for _, v := range samples {
		x := float64(v)
		s1, s2 = x+2*math.Cos(w)*s1-s2, s1
		total += x * x
	}
	if total == 0 {
		return 0
	}
	bin := s1*s1 + s2*s2 - 2*math.Cos(w)*s1*s2
	return bin / (total * float64(len(samples)) / 2)
}

// Level returns the root mean square of samples.
func Level(samples []int16) float64 {
	var total float64
	for _, v := range samples {
		total += float64(v) * float64(v)
	}
	return math.Sqrt(total / float64(max(1, len(samples))))
}
