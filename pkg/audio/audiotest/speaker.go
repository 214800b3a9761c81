package audiotest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/camd-project/camd/pkg/audio/alsa"
	"github.com/camd-project/camd/pkg/audio/paced"
)

// Speaker is a speaker whose card runs on the test's clock (testing/synctest). It
// records every sample with the time at which it was heard, and fails when it is told
// to. Its methods are for one goroutine, but Close and what tells of the record.
type Speaker struct {
	// Faults are what the Write says that would take the sample of that number, of all
	// that were ever written, once. After alsa.ErrXrun the card wants a Restart, after
	// alsa.ErrGone it is unplugged for good; what it held is never heard.
	Faults map[int64]error

	card  *paced.Card
	total int64 // samples ever written
	fault error // until Restart or, for ErrGone, for ever

	mu       sync.Mutex
	runs     []Run
	restarts int
	closed   bool
}

// Run is an unbroken piece of what was heard.
type Run struct {
	Began   time.Time // when its first sample was heard
	Samples []int16
}

// At returns when a sample of the run was heard.
func (r Run) At(sample int) time.Time {
	return r.Began.Add(time.Duration(sample) * time.Second / rate)
}

// NewSpeaker opens one. Faults may be set before the first Write.
func NewSpeaker() *Speaker { return &Speaker{Faults: map[int64]error{}, card: paced.New()} }

// Write takes samples up to the next fault.
func (s *Speaker) Write(samples []int16) (int, error) {
	if s.fault != nil {
		return 0, s.fault
	}
	n, fault := len(samples), error(nil)
	for at, err := range s.Faults {
		if i := at - s.total; i >= 0 && i < int64(n) {
			n, fault = int(i), err
		}
	}
	taken := 0
	for taken < n { // piece by piece, so that the record is never behind
		piece := samples[taken:min(n, taken+rate/1000)]
		got, err := s.card.Write(piece)
		s.note(piece[:got])
		taken += got
		if err != nil {
			return taken, err
		}
	}
	if fault != nil {
		delete(s.Faults, s.total)
		s.fail(fault)
	}
	return taken, fault
}

// note adds samples that the card took to the record.
func (s *Speaker) note(samples []int16) {
	s.total += int64(len(samples))
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.runs) == 0 || s.runs[len(s.runs)-1].Samples == nil {
		s.runs = append(s.runs[:max(0, len(s.runs)-1)], Run{Samples: []int16{}})
	}
	r := &s.runs[len(s.runs)-1]
	r.Samples, r.Began = append(r.Samples, samples...), s.card.Began()
}

// cut ends the run under way with what was heard of it.
func (s *Speaker) cut() {
	heard, began := s.card.Heard(), s.card.Began()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.runs) == 0 || s.runs[len(s.runs)-1].Samples == nil {
		return
	}
	r := &s.runs[len(s.runs)-1]
	r.Samples, r.Began = r.Samples[:min(heard, len(r.Samples))], began
	if len(r.Samples) == 0 {
		s.runs = s.runs[:len(s.runs)-1]
	}
	s.runs = append(s.runs, Run{}) // where the next begins
}

func (s *Speaker) fail(err error) {
	if errors.Is(err, alsa.ErrXrun) || errors.Is(err, alsa.ErrGone) {
		s.cut()
		s.fault = err
	}
}

// Delay returns how many samples were written and not yet heard.
func (s *Speaker) Delay() (int, error) {
	if s.fault != nil {
		return 0, s.fault
	}
	return s.card.Delay()
}

// Drain waits until all was heard.
func (s *Speaker) Drain(ctx context.Context) error {
	if s.fault != nil {
		return s.fault
	}
	began := time.Now()
	s.mu.Lock()
	if n := len(s.runs); n > 0 && s.runs[n-1].Samples != nil && s.runs[n-1].Began.IsZero() {
		s.runs[n-1].Began = began // draining starts the card
	}
	s.mu.Unlock()
	if err := s.card.Drain(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs = append(s.runs, Run{})
	return nil
}

// Restart loses what wasn't heard.
func (s *Speaker) Restart() error {
	if errors.Is(s.fault, alsa.ErrGone) {
		return s.fault
	}
	s.cut()
	s.fault = nil
	s.mu.Lock()
	s.restarts++
	s.mu.Unlock()
	return s.card.Restart()
}

// Close ends a Write or Drain, and the sound.
func (s *Speaker) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed = true
		s.runs = heard(s.runs)
	}
	return s.card.Close()
}

// Closed reports whether the speaker is no longer open.
func (s *Speaker) Closed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// Restarts returns how often the card was restarted.
func (s *Speaker) Restarts() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.restarts
}

// Runs returns what was heard until now, in order.
func (s *Speaker) Runs() []Run {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return slices.Clone(s.runs)
	}
	return heard(s.runs)
}

// Heard is every sample that was heard until now.
func (s *Speaker) Heard() (all []int16) {
	for _, r := range s.Runs() {
		all = append(all, r.Samples...)
	}
	return all
}

// heard keeps of runs what has been played by now.
func heard(runs []Run) (l []Run) {
	for _, r := range runs {
		if r.Began.IsZero() {
			continue
		}
		n := min(len(r.Samples), samplesIn(time.Since(r.Began)))
		if n > 0 {
			l = append(l, Run{r.Began, r.Samples[:n:n]})
		}
	}
	return l
}

// samplesIn returns how many samples are heard in a time.
func samplesIn(t time.Duration) int {
	return int(t/time.Millisecond)*rate/1000 + int(t%time.Millisecond)*rate/int(time.Second)
}
