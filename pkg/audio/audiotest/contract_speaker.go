package audiotest

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/audio/alsa"
)

// Player is what every speaker does; see pkg/audio/alsa.Playback.
type Player interface {
	Write(samples []int16) (int, error)
	Delay() (int, error)
	Drain(ctx context.Context) error
	Restart() error
	Close() error
}

// ContractSpeaker checks what pkg/audio relies on, with a fake as with a real card.
// Each open must give a speaker of 48 kHz mono that is ready and that nobody else
// uses. clock runs each check: synctest.Test for a fake, RealTime for a real card.
func ContractSpeaker(t *testing.T, clock func(*testing.T, func(*testing.T)), open func() (Player, error)) {
	for name, check := range map[string]func(*testing.T, Player){
		"takes samples":              takesSamples,
		"knows what wasn't heard":    knowsWhatWasNotHeard,
		"drain takes its time":       drainTakesItsTime,
		"drains what is short":       drainsWhatIsShort,
		"drain ends with its ctx":    drainEnds,
		"restart forgets":            restartForgets,
		"starves and is restarted":   starves,
		"close ends writing":         closeEndsWriting,
		"nothing works after closed": nothingAfterClose,
	} {
		t.Run(name, func(t *testing.T) {
			clock(t, func(t *testing.T) {
				p, err := open()
				if err != nil {
					t.Fatal(err)
				}
				defer p.Close() //nolint:errcheck // the checks close too
				check(t, p)
			})
		})
	}
}

// RealTime runs a check by the machine's clock.
func RealTime(t *testing.T, check func(*testing.T)) { check(t) }

// give writes n samples of silence in pieces of at most size.
func give(t *testing.T, p Player, n, size int) {
	t.Helper()
	for ; n > 0; n -= size {
		piece := min(n, size)
		if got, err := p.Write(make([]int16, piece)); got != piece || err != nil {
			t.Fatalf("Write of %d samples = %d, %v", piece, got, err)
		}
	}
}

func drain(t *testing.T, p Player) {
	t.Helper()
	if err := p.Drain(t.Context()); err != nil {
		t.Fatalf("Drain: %v", err)
	}
}

// unheard checks Delay.
func unheard(t *testing.T, p Player, least, most int) {
	t.Helper()
	if d, err := p.Delay(); err != nil || d < least || d > most {
		t.Fatalf("Delay = %d samples, %v, want %d to %d", d, err, least, most)
	}
}

func takesSamples(t *testing.T, p Player) {
	give(t, p, 24000, 960)
	give(t, p, 1000, 77)
	give(t, p, rate, rate)
	drain(t, p)
}

func knowsWhatWasNotHeard(t *testing.T, p Player) {
	unheard(t, p, 0, 0)
	give(t, p, 480, 480)
	unheard(t, p, 1, 480)
	for range 20 {
		give(t, p, 960, 960)
		unheard(t, p, 1, rate)
	}
	drain(t, p)
	unheard(t, p, 0, 0)
}

// drainTakesItsTime measures only that sound isn't over too early, which no slow
// machine brings about. The tenth is the card's crystal, its coarse position, and what it
// takes in ahead of what it plays: QEMU's does that for 85 ms.
func drainTakesItsTime(t *testing.T, p Player) {
	for range 2 { // and again on the same card
		began := time.Now()
		give(t, p, rate, 960)
		drain(t, p)
		if took := time.Since(began); took < 900*time.Millisecond {
			t.Errorf("a second of sound was heard after %v", took)
		}
	}
}

func drainsWhatIsShort(t *testing.T, p Player) {
	drain(t, p)
	give(t, p, 7, 7)
	drain(t, p)
	unheard(t, p, 0, 0)
}

func drainEnds(t *testing.T, p Player) {
	give(t, p, 9600, 960)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Drain(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Drain = %v, want the context's error", err)
	}
	if err := p.Restart(); err != nil {
		t.Fatal(err)
	}
	give(t, p, 960, 960)
	drain(t, p)
}

func restartForgets(t *testing.T, p Player) {
	for range 3 {
		give(t, p, 960, 960)
		give(t, p, 960, 960)
		if err := p.Restart(); err != nil {
			t.Fatal(err)
		}
		unheard(t, p, 0, 0)
	}
	give(t, p, 9600, 960)
	drain(t, p)
}

func starves(t *testing.T, p Player) {
	give(t, p, 4800, 960)
	var err error
	for range 1000 {
		if _, err = p.Delay(); err != nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if !errors.Is(err, alsa.ErrXrun) {
		t.Fatalf("Delay of a card that starves says %v, want %v", err, alsa.ErrXrun)
	}
	if _, err := p.Write(make([]int16, 960)); !errors.Is(err, alsa.ErrXrun) {
		t.Errorf("Write to a card that starved says %v, want %v", err, alsa.ErrXrun)
	}
	if err := p.Restart(); err != nil {
		t.Fatal(err)
	}
	give(t, p, 4800, 960)
	drain(t, p)
}

func closeEndsWriting(t *testing.T, p Player) {
	give(t, p, 960, 960)
	ended := make(chan error)
	go func() {
		for {
			if _, err := p.Write(make([]int16, 960)); err != nil {
				ended <- err
				return
			}
		}
	}()
	if err := p.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := <-ended; !errors.Is(err, os.ErrClosed) {
		t.Errorf("Write ended with %v, want os.ErrClosed", err)
	}
}

func nothingAfterClose(t *testing.T, p Player) {
	for range 2 {
		if err := p.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if _, err := p.Write(make([]int16, 960)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Write after Close = %v, want os.ErrClosed", err)
	}
	if _, err := p.Delay(); err == nil {
		t.Error("Delay after Close succeeds")
	}
	if err := p.Drain(t.Context()); err == nil {
		t.Error("Drain after Close succeeds")
	}
}
