package dynamics

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/camd-project/camd/pkg/audio/audiotest"
)

const frame = 960

// noise makes n samples of a peak amplitude, the same in every run.
func noise(random *rand.Rand, amplitude, n int) []int16 {
	s := make([]int16, n)
	for i := range s {
		s[i] = int16(random.IntN(2*amplitude+1) - amplitude)
	}
	return s
}

func TestLevel(t *testing.T) {
	square := make([]int16, frame)
	for i := range square {
		square[i] = -32768
	}
	for _, c := range []struct {
		name    string
		samples []int16
		want    float64
	}{
		{"nothing", nil, Silence},
		{"silence", make([]int16, frame), Silence},
		{"square", square, 0},
		{"sine", audiotest.Sine(1000, 32767, frame), -3.01},
		{"a tenth of it", audiotest.Sine(1000, 3277, frame), -23.01},
	} {
		if got := Level(c.samples); math.Abs(got-c.want) > 0.05 {
			t.Errorf("%s: %.2f dBFS, want %.2f", c.name, got, c.want)
		}
	}
}

// TestLimiterKeepsItsCeiling feeds sounds of any loudness, in frames of any size:
// no sample may pass the ceiling.
func TestLimiterKeepsItsCeiling(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		ceiling := -random.Float64() * 40
		l := NewLimiter(ceiling)
		most := int32(32768 * math.Pow(10, ceiling/20))
		for range 20 {
			samples := noise(random, 1+random.IntN(32767), 1+random.IntN(2000))
			if random.IntN(3) == 0 {
				samples[random.IntN(len(samples))] = -32768
			}
			l.Process(samples)
			for i, s := range samples {
				if magnitude(s) > most || magnitude(s) > int32(l.Ceiling()) {
					t.Fatalf("ceiling %.1f dBFS (%d): sample %d is %d", ceiling, most, i, s)
				}
			}
		}
	}
}

func FuzzLimiter(f *testing.F) {
	f.Add(-6.0, []byte{0xff, 0x7f, 0, 0x80})
	f.Add(0.0, []byte{0, 0x80, 0, 0x80})
	f.Fuzz(func(t *testing.T, ceiling float64, data []byte) {
		l := NewLimiter(ceiling)
		samples := make([]int16, len(data)/2+l.Delay())
		for i := range len(data) / 2 {
			samples[i] = int16(data[2*i]) | int16(data[2*i+1])<<8
		}
		l.Process(samples)
		for i, s := range samples {
			if magnitude(s) > int32(l.Ceiling()) {
				t.Fatalf("sample %d is %d, the ceiling %d", i, s, l.Ceiling())
			}
		}
	})
}

// TestLimiterLeavesQuietSoundAlone and gives all of it, late.
func TestLimiterLeavesQuietSoundAlone(t *testing.T) {
	l := NewLimiter(-6)
	in := audiotest.Sine(440, 16000, 5*frame)
	out := append(append([]int16(nil), in...), make([]int16, l.Delay())...)
	l.Process(out)
	for i, s := range in {
		if out[i+l.Delay()] != s {
			t.Fatalf("sample %d became %d, was %d", i, out[i+l.Delay()], s)
		}
	}
}

// TestLimiterStaysClean: a loud tone stays a tone, which clipping would not leave.
func TestLimiterStaysClean(t *testing.T) {
	l := NewLimiter(-12)
	s := audiotest.Sine(500, 32000, 50*frame)
	l.Process(s)
	s = s[20*frame:]
	if p := audiotest.Purity(s, 500); p < 0.995 {
		t.Errorf("%.4f of the power is the tone's, want 0.995", p)
	}
	if got := Level(s); got < -16.5 || got > -15 {
		t.Errorf("level %.1f dBFS, want about -15.0", got)
	}
}

func TestLimiterComesBack(t *testing.T) {
	l := NewLimiter(-20)
	l.Process(audiotest.Sine(500, 32000, 10*frame))
	s := audiotest.Sine(500, 3000, 50*frame)
	l.Process(s)
	if got := audiotest.Level(s[30*frame:]); got < 2100 {
		t.Errorf("600 ms after a peak the level is %.0f, want about 2121", got)
	}
}

func TestDucker(t *testing.T) {
	d := NewDucker(40)
	far, quiet := audiotest.Sine(700, 8000, frame), make([]int16, frame)
	duck := func(far []int16) float64 {
		mic := audiotest.Sine(300, 10000, frame)
		d.Duck(mic, far)
		return Level(mic)
	}
	open := Level(audiotest.Sine(300, 10000, frame))
	if got := duck(quiet); got < open-0.1 || d.Ducking() {
		t.Errorf("without the far end: %.1f dBFS, want %.1f", got, open)
	}
	duck(far)
	for range 10 {
		if got := duck(far); got > open-39 || !d.Ducking() {
			t.Fatalf("while the far end speaks: %.1f dBFS, want %.1f", got, open-40)
		}
	}
	for range 14 { // the hold
		if got := duck(nil); got > open-39 {
			t.Fatalf("while the room still sounds: %.1f dBFS, want %.1f", got, open-40)
		}
	}
	for range 12 {
		duck(quiet)
	}
	if got := duck(quiet); got < open-0.1 || d.Ducking() {
		t.Errorf("half a second after the far end: %.1f dBFS, want %.1f", got, open)
	}
}

// TestDuckerDoesNotClick: the gain moves by less than one part in two hundred from
// one sample to the next.
func TestDuckerDoesNotClick(t *testing.T) {
	d := NewDucker(60)
	far := audiotest.Sine(700, 8000, frame)
	last := int16(20000)
	for i := range 60 {
		mic := make([]int16, frame)
		for j := range mic {
			mic[j] = 20000
		}
		if i > 20 {
			far = nil
		}
		d.Duck(mic, far)
		for _, s := range mic {
			if step := magnitude(s - last); step > 100 {
				t.Fatalf("frame %d: a step of %d", i, step)
			}
			last = s
		}
	}
}

func TestActivity(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	var a Activity
	count := func(frames, amplitude int) (speech int) {
		for range frames {
			if a.Speech(noise(random, amplitude, frame)) {
				speech++
			}
		}
		return speech
	}
	if n := count(100, 20); n != 0 {
		t.Errorf("%d of 100 frames of a quiet room count as speech", n)
	}
	if n := count(50, 4000); n != 50 {
		t.Errorf("%d of 50 frames of speech were noticed", n)
	}
	if n := count(50, 20); n > 10 {
		t.Errorf("%d frames after the speech still count, want at most 10 (200 ms)", n)
	}
	count(1000, 500) // a fan is switched on
	if n := count(500, 500); n != 0 {
		t.Errorf("%d of 500 frames of a steady noise count as speech after 20 s", n)
	}
	if n := count(20, 4000); n != 20 {
		t.Errorf("%d of 20 frames of speech above a fan (%.0f dBFS) were noticed", n, a.Floor())
	}
}

func TestNothingIsAllocated(t *testing.T) {
	l, d, a := NewLimiter(-6), NewDucker(40), new(Activity)
	s := audiotest.Sine(440, 30000, frame)
	if n := testing.AllocsPerRun(100, func() { l.Process(s); d.Duck(s, s); a.Speech(s) }); n != 0 {
		t.Errorf("%v allocations a frame, want none", n)
	}
}

func BenchmarkLimiter(b *testing.B) {
	l, s := NewLimiter(-12), make([]int16, frame)
	loud := audiotest.Sine(440, 30000, frame)
	for b.Loop() {
		copy(s, loud)
		l.Process(s)
	}
}

func BenchmarkDucker(b *testing.B) {
	d, s := NewDucker(40), audiotest.Sine(440, 8000, frame)
	for b.Loop() {
		d.Duck(s, s)
	}
}

func BenchmarkActivity(b *testing.B) {
	var a Activity
	s := audiotest.Sine(440, 8000, frame)
	for b.Loop() {
		a.Speech(s)
	}
}
