package audiotest

import (
	"errors"
	"os"
	"testing"
)

// Stream is what every microphone does; see pkg/audio/alsa.PCM.
type Stream interface {
	Read(samples []int16) (int, error)
	Delay() (int, error)
	Restart() error
	Close() error
}

// Contract checks what pkg/audio relies on, with a fake as with a real card. Each
// open must give a running microphone of 48 kHz mono that nobody else reads.
func Contract(t *testing.T, open func() (Stream, error)) {
	for name, check := range map[string]func(*testing.T, Stream){
		"gives samples":      givesSamples,
		"knows its delay":    knowsItsDelay,
		"restarts":           restarts,
		"close ends reading": closeEndsReading,
	} {
		t.Run(name, func(t *testing.T) {
			s, err := open()
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close() //nolint:errcheck // the checks close too
			check(t, s)
		})
	}
}

// take reads n samples in pieces of at most size.
func take(t *testing.T, s Stream, n, size int) {
	t.Helper()
	for buf := make([]int16, size); n > 0; {
		got, err := s.Read(buf[:min(n, size)])
		if err != nil || got < 1 || got > min(n, size) {
			t.Fatalf("Read of %d samples = %d, %v", min(n, size), got, err)
		}
		n -= got
	}
}

func givesSamples(t *testing.T, s Stream) {
	take(t, s, 9600, 960)
	take(t, s, 1000, 7)
}

func knowsItsDelay(t *testing.T, s Stream) {
	for range 20 {
		take(t, s, 960, 960)
		if d, err := s.Delay(); err != nil || d < 0 || d > rate {
			t.Fatalf("Delay = %d samples, %v", d, err)
		}
	}
}

func restarts(t *testing.T, s Stream) {
	for range 3 {
		take(t, s, 960, 960)
		if err := s.Restart(); err != nil {
			t.Fatal(err)
		}
	}
	take(t, s, 960, 960)
}

func closeEndsReading(t *testing.T, s Stream) {
	take(t, s, 960, 960)
	ended := make(chan error)
	go func() {
		buf := make([]int16, 960)
		for {
			if _, err := s.Read(buf); err != nil {
				ended <- err
				return
			}
		}
	}()
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := <-ended; !errors.Is(err, os.ErrClosed) {
		t.Errorf("Read ended with %v, want os.ErrClosed", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close again: %v", err)
	}
}
