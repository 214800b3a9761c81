//go:build cgo

package echo

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/audio/audiotest"
)

func newCanceller(t testing.TB) *Canceller {
	t.Helper()
	c, err := New(200 * time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// cancel puts whole recordings through.
func cancel(c *Canceller, mic, far []int16) []int16 {
	out := make([]int16, len(mic))
	for i := 0; i+FrameSamples <= len(mic); i += FrameSamples {
		c.Cancel(out[i:i+FrameSamples], mic[i:], far[i:])
	}
	return out
}

// level in dB of what is below 8 kHz, which is all that Cancel passes on.
func level(samples []int16) float64 {
	return 20 * math.Log10(max(1, audiotest.Level(samples)))
}

// TestEchoReturnLoss: after ten seconds of a voice, at least 15 dB of its echo are
// taken away, in rooms of different kinds and with a delay in the sound card.
func TestEchoReturnLoss(t *testing.T) {
	const seconds = 14
	for seed, delay := range []int{0, 2400, 9600} {
		random := rand.New(rand.NewPCG(uint64(seed), 9))
		far := audiotest.Voice(uint64(seed), seconds*48000)
		mic := add(random, audiotest.NewRoom(uint64(seed)).Echo(far, delay), 30)
		c := newCanceller(t)
		found, _ := Delay(far[:48000], mic[:72000])
		c.SetDelay(found)
		out := cancel(c, mic, far)
		before, after := level(mic[10*48000:]), level(out[10*48000:])
		t.Logf("card's delay %d, found %d: %.1f dB before, %.1f after: echo return loss enhancement %.1f dB", delay, found, before, after, before-after)
		if before-after < 15 {
			t.Errorf("the echo is lowered by %.1f dB, want 15", before-after)
		}
	}
}

// TestNearVoiceIsKept: somebody at the door speaks while the far end does, as loud
// as its echo. The result must be that voice: a correlation of 0.7 with it, where
// the microphone itself has less.
func TestNearVoiceIsKept(t *testing.T) {
	const seconds, from = 16, 12 * 48000
	far := audiotest.Voice(21, seconds*48000)
	echo := audiotest.NewRoom(5).Echo(far, 0)
	near := audiotest.Voice(22, seconds*48000)
	scale := audiotest.Level(echo[from:]) / audiotest.Level(near[from:])
	mic := make([]int16, len(echo))
	for i := range mic {
		if i < from {
			near[i] = 0
		}
		near[i] = int16(float64(near[i]) * scale)
		mic[i] = echo[i] + near[i]
	}
	out := cancel(newCanceller(t), mic, far)
	at, got := Delay(near[from:from+48000], out[from:])
	_, without := Delay(near[from:from+48000], mic[from:])
	t.Logf("correlation %.2f at %d; in the microphone %.2f", got, at, without)
	if got < 0.7 || got < without {
		t.Errorf("correlation with the near voice %.2f, want 0.7 and above the microphone's %.2f", got, without)
	}
}

// TestVoiceAlonePasses: without a far end the microphone's voice comes through,
// Latency samples later.
func TestVoiceAlonePasses(t *testing.T) {
	near := audiotest.Voice(3, 6*48000)
	out := cancel(newCanceller(t), near, make([]int16, len(near)))
	at, got := Delay(near[3*48000:4*48000], out[3*48000:])
	if at < Latency-3 || at > Latency+3 {
		t.Errorf("%d samples late, want %d", at, Latency)
	}
	if got < 0.95 {
		t.Errorf("correlation %.2f, want 0.95", got)
	}
	if l := level(out[48000:]) - level(near[48000:]); l < -3 || l > 1 {
		t.Errorf("the level changes by %.1f dB", l)
	}
}

// TestNoiseIsLowered: a steady noise without a voice loses at least 8 dB.
func TestNoiseIsLowered(t *testing.T) {
	noise := add(rand.New(rand.NewPCG(1, 2)), make([]int16, 6*48000), 2000)
	out := cancel(newCanceller(t), noise, make([]int16, len(noise)))
	// A third of white noise's power lies below 8 kHz: 4.8 dB less.
	if got := level(noise[4*48000:]) - 4.8 - level(out[4*48000:]); got < 8 {
		t.Errorf("noise is lowered by %.1f dB, want 8", got)
	}
}

func TestWrongUseIsRefused(t *testing.T) {
	for _, tail := range []time.Duration{-1, 0, time.Second} {
		if _, err := New(tail); err == nil {
			t.Errorf("a tail of %v was taken", tail)
		}
	}
	c := newCanceller(t)
	for _, d := range []int{-1000, 1 << 30} {
		c.SetDelay(d)
		cancel(c, make([]int16, 96000), audiotest.Voice(1, 96000))
	}
	c.Close()
	c.Close()
}

func TestCancelAllocatesNothing(t *testing.T) {
	c, mic, far := newCanceller(t), make([]int16, FrameSamples), audiotest.Voice(1, FrameSamples)
	if n := testing.AllocsPerRun(50, func() { c.Cancel(mic, mic, far) }); n != 0 {
		t.Errorf("%v allocations a frame, want none", n)
	}
}

func BenchmarkCancel(b *testing.B) {
	c, out := newCanceller(b), make([]int16, FrameSamples)
	far := audiotest.Voice(1, 480000)
	mic, i := audiotest.NewRoom(1).Echo(far, 0), 0
	for b.Loop() {
		c.Cancel(out, mic[i:], far[i:])
		i = (i + FrameSamples) % (len(far) - FrameSamples)
	}
}
