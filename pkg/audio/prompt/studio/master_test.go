package studio

import (
	"errors"
	"math"
	"testing"
)

// sine makes n samples of hz at a rate.
func sine(hz, amplitude float64, rate, n int) []float64 {
	s := make([]float64, n)
	for i := range s {
		s[i] = amplitude * math.Sin(2*math.Pi*hz*float64(i)/float64(rate))
	}
	return s
}

func TestMasterGivesAllTheSameLoudness(t *testing.T) {
	for _, amplitude := range []float64{0.01, 0.1, 0.9} {
		got, err := master(sine(500, amplitude, rate, rate))
		if err != nil {
			t.Fatal(err)
		}
		if l := rms(got[rate/4 : rate/2]); math.Abs(l-loudness) > 0.002 {
			t.Errorf("amplitude %v becomes level %.3f, want %v", amplitude, l, loudness)
		}
	}
}

func TestMasterKeepsBelowTheCeiling(t *testing.T) {
	s := sine(500, 0.01, rate, rate)
	s[rate/2] = 0.9
	got, err := master(s)
	if err != nil {
		t.Fatal(err)
	}
	if p := peak(got); p > ceiling+1e-9 {
		t.Errorf("peak %.3f", p)
	}
}

func TestMasterCutsSilence(t *testing.T) {
	for name, around := range map[string]int{"none": 0, "a second": rate} {
		s := make([]float64, around)
		s = append(s, sine(500, 0.5, rate, rate/2)...)
		s = append(s, make([]float64, around)...)
		got, err := master(s)
		if err != nil {
			t.Fatal(err)
		}
		want := rate/2 + tail
		if around > 0 {
			want += before + after
		}
		if len(got) < want-2*window || len(got) > want+2*window {
			t.Errorf("%s of silence around it: %d samples, want %d", name, len(got), want)
		}
		if got[0] != 0 || peak(got[len(got)-tail:]) != 0 {
			t.Errorf("%s of silence around it: it begins with %v and ends with %v", name, got[0], got[len(got)-tail:])
		}
	}
}

func TestSilenceIsRefused(t *testing.T) {
	for _, s := range [][]float64{nil, make([]float64, 10), make([]float64, rate)} {
		if got, err := master(s); !errors.Is(err, errSilent) {
			t.Errorf("%d samples of silence: %d, %v", len(s), len(got), err)
		}
	}
}

func TestResample(t *testing.T) {
	for _, tt := range []struct {
		from int
		hz   float64
		gain float64
	}{
		{22050, 300, 1}, {22050, 4000, 1}, {22050, 9500, 1}, {8000, 3000, 1}, {16000, 1000, 1}, {44100, 10000, 1},
		{48000, 1000, 1}, {96000, 1000, 1}, {96000, 20000, 1}, {96000, 30000, 0}, {192000, 60000, 0},
	} {
		got := resample(sine(tt.hz, 0.5, tt.from, tt.from/2), tt.from, rate)
		if len(got) < rate/2-1 || len(got) > rate/2 {
			t.Errorf("%d Hz: half a second becomes %d samples", tt.from, len(got))
		}
		want := sine(tt.hz, 0.5*tt.gain, rate, len(got))
		var worst float64
		for i := rate / 20; i < len(got)-rate/20; i++ {
			worst = max(worst, math.Abs(got[i]-want[i]))
		}
		if worst > 0.001 {
			t.Errorf("%.0f Hz at %d Hz: %.5f away from the same tone at 48 kHz", tt.hz, tt.from, worst)
		}
	}
}

func TestChimesAreSoundAndFadeAway(t *testing.T) {
	for name, chime := range chimes {
		c := chime()
		if c[0] != 0 || peak(c[len(c)-960:]) != 0 {
			t.Errorf("%s clicks", name)
		}
		if p := peak(c); name != "pause/short" && (p < 0.3 || p > 0.95) {
			t.Errorf("%s has a peak of %.2f", name, p)
		}
	}
}
