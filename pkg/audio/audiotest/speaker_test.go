package audiotest

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/audio/alsa"
	"github.com/camd-project/camd/pkg/audio/paced"
)

func TestFakesKeepTheContract(t *testing.T) {
	for name, open := range map[string]func() Player{
		"fake":            func() Player { return NewSpeaker() },
		"plays to nobody": func() Player { return paced.New() },
	} {
		t.Run(name, func(t *testing.T) {
			ContractSpeaker(t, synctest.Test, func() (Player, error) { return open(), nil })
		})
	}
}

// count is n samples that tell their place.
func count(from, n int) []int16 {
	s := make([]int16, n)
	for i := range s {
		s[i] = int16(from + i)
	}
	return s
}

func TestSpeakerRecordsEverySampleWithItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSpeaker()
		time.Sleep(time.Second)
		began := time.Now()
		_, _ = s.Write(count(0, 480))
		time.Sleep(10 * time.Millisecond)
		if got := s.Heard(); len(got) != 0 {
			t.Errorf("%d samples heard before the card began", len(got))
		}
		if err := s.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, _ = s.Write(count(480, 4800))
		time.Sleep(50 * time.Millisecond)
		if got := s.Heard(); !slices.Equal(got, count(0, 480+2400)) {
			t.Errorf("%d samples heard in the middle, want %d", len(got), 480+2400)
		}
		runs := s.Runs()
		if len(runs) != 2 || runs[0].Began.Sub(began) != 10*time.Millisecond || runs[1].At(2400).Sub(began) != 70*time.Millisecond {
			t.Errorf("runs begin at %v", runs)
		}
		_ = s.Close()
		time.Sleep(time.Second)
		if got := s.Heard(); len(got) != 480+2400 {
			t.Errorf("%d samples heard after Close", len(got))
		}
	})
}

func TestSpeakerFails(t *testing.T) {
	broken := errors.New("input/output error")
	for _, c := range []struct {
		fault        error
		again, after error // what the next Write and the one after a Restart say
		heard        int   // in the end
	}{
		{alsa.ErrXrun, alsa.ErrXrun, nil, 2400 + 1920},
		{alsa.ErrGone, alsa.ErrGone, alsa.ErrGone, 2400},
		{broken, nil, nil, 3360 + 1920},
	} {
		t.Run(c.fault.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := NewSpeaker()
				s.Faults[3000] = c.fault
				_, _ = s.Write(count(0, 2880))
				time.Sleep(50 * time.Millisecond)
				if n, err := s.Write(count(2880, 960)); n != 120 || !errors.Is(err, c.fault) {
					t.Errorf("Write = %d, %v, want 120, %v", n, err, c.fault)
				}
				_, err := s.Write(count(3000, 360))
				if !errors.Is(err, c.again) {
					t.Errorf("the next Write says %v, want %v", err, c.again)
				}
				if err == nil {
					_ = s.Drain(t.Context())
				}
				if err := s.Restart(); !errors.Is(err, c.after) {
					t.Errorf("Restart says %v, want %v", err, c.after)
				}
				if _, err := s.Write(count(4000, 1920)); !errors.Is(err, c.after) {
					t.Errorf("Write after Restart says %v, want %v", err, c.after)
				}
				time.Sleep(time.Second)
				if got := len(s.Heard()); got != c.heard {
					t.Errorf("%d samples heard, want %d", got, c.heard)
				}
			})
		})
	}
}
