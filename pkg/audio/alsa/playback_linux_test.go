package alsa

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

func speaker(t *testing.T, channels int) (*Playback, *os.File) {
	t.Helper()
	d, card := onPipe(t, channels, Out)
	return &Playback{d}, card
}

func TestWriteGivesEachChannelTheSamples(t *testing.T) {
	for _, c := range []struct {
		name     string
		channels int
		samples  []int16
		want     []byte
	}{
		{"mono", 1, []int16{1, -1, -32768}, []byte{1, 0, 0xff, 0xff, 0, 0x80}},
		{"stereo", 2, []int16{0x0201, 32767}, []byte{1, 2, 1, 2, 0xff, 0x7f, 0xff, 0x7f}},
		{"nothing", 2, nil, nil},
		{"more than the card's buffer", 2, make([]int16, 100), make([]byte, 400)},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, card := speaker(t, c.channels)
			if n, err := p.Write(c.samples); n != len(c.samples) || err != nil {
				t.Fatalf("Write = %d, %v, want %d", n, err, len(c.samples))
			}
			got := make([]byte, len(c.want))
			if _, err := io.ReadFull(card, got); err != nil || !bytes.Equal(got, c.want) {
				t.Errorf("the card got % x, %v, want % x", got, err, c.want)
			}
		})
	}
}

func TestCloseEndsWrite(t *testing.T) {
	p, _ := speaker(t, 1)
	done := make(chan error)
	go func() {
		_, err := p.Write(make([]int16, 1<<20)) // more than a pipe holds
		done <- err
	}()
	if err := p.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := <-done; !errors.Is(err, os.ErrClosed) {
		t.Errorf("Write ended with %v, want os.ErrClosed", err)
	}
}

// TestDrainWaitsForTheLastSample goes through what DELAY answers while a card drains.
func TestDrainWaitsForTheLastSample(t *testing.T) {
	for _, c := range []struct {
		name    string
		answers []any // of DELAY: samples or an error; the last again and again
		want    error
		asked   int
	}{
		{"plays and stops", []any{1920, 960, 1, errState}, nil, 4},
		{"found by the call itself", []any{960, ErrXrun, errState}, nil, 3},
		{"nothing to play", []any{errState}, nil, 1},
		{"starved", []any{960, ErrXrun}, ErrXrun, 3},
		{"unplugged", []any{960, ErrGone}, ErrGone, 2},
		{"stuck", []any{960}, ErrStuck, 0},
		{"closed", []any{os.ErrClosed}, os.ErrClosed, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, _ := speaker(t, 1)
			asked := 0
			p.askDelay = func(uintptr) {
				a := c.answers[min(asked, len(c.answers)-1)]
				p.delay, _ = a.(int)
				p.delayErr, _ = a.(error)
				asked++
			}
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				if err := p.played(t.Context()); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
					t.Errorf("played = %v, want %v", err, c.want)
				}
				if took := time.Since(began); took > stall+2*drainStep {
					t.Errorf("it took %v", took)
				}
			})
			if c.asked > 0 && asked != c.asked {
				t.Errorf("asked %d times, want %d", asked, c.asked)
			}
		})
	}
}

func TestDrainEndsWithItsContext(t *testing.T) {
	p, _ := speaker(t, 1)
	p.askDelay = func(uintptr) { p.delay, p.delayErr = 960, nil }
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.played(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("played = %v, want the context's error", err)
	}
}

func TestDrainFailsOnWhatIsNoCard(t *testing.T) {
	p, _ := speaker(t, 1)
	if err := p.Drain(t.Context()); err == nil {
		t.Error("Drain of a pipe succeeds")
	}
}

func TestWriteAndDelayAllocateNothing(t *testing.T) {
	p, card := speaker(t, 2)
	p.raw = make([]byte, 4*Period)
	samples, heard := make([]int16, Period), make([]byte, 4*Period)
	n := testing.AllocsPerRun(100, func() {
		if got, err := p.Write(samples); got != Period || err != nil {
			t.Fatalf("Write = %d, %v", got, err)
		}
		_, _ = io.ReadFull(card, heard)
		_, _ = p.Delay()
	})
	if n != 0 {
		t.Errorf("%v allocations a write, want none", n)
	}
}

func TestOpenForPlaybackWhatIsNotThere(t *testing.T) {
	if _, err := OpenPlayback("hw:31,31"); !errors.Is(err, ErrGone) {
		t.Errorf("OpenPlayback = %v, want ErrGone", err)
	}
	if _, err := OpenPlayback("default"); err == nil {
		t.Error("OpenPlayback takes what is no name of a device")
	}
}
