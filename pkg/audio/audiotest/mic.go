package audiotest

import (
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	rate   = 48000
	period = 480 // samples
)

// Mic is a microphone whose card runs on the test's clock (testing/synctest). It
// gives a 1 kHz tone in periods of 10 ms and fails when a test says so.
type Mic struct {
	PPM      int             // how much faster than the clock its crystal is
	Faults   map[int64]error // what the Read or Delay says that finds so many samples read, once
	Restarts int

	began  time.Time
	read   int64 // samples since began
	total  int64 // samples ever
	closed atomic.Bool
	done   chan struct{}
	once   sync.Once
}

// NewMic opens one. Faults may be set before the first Read.
func NewMic() *Mic {
	return &Mic{Faults: map[int64]error{}, began: time.Now(), done: make(chan struct{})}
}

// captured returns how many samples the card has put into its buffer.
func (m *Mic) captured() int64 {
	elapsed := time.Since(m.began)
	elapsed += elapsed / 1_000_000 * time.Duration(m.PPM)
	return int64(elapsed) * rate / int64(time.Second) / period * period
}

func (m *Mic) fault() error {
	if m.closed.Load() {
		return os.ErrClosed
	}
	err := m.Faults[m.total]
	delete(m.Faults, m.total)
	return err
}

// Read gives what there is, and waits for the next period when that is nothing.
func (m *Mic) Read(samples []int16) (int, error) {
	if err := m.fault(); err != nil {
		return 0, err
	}
	for m.captured() == m.read {
		select {
		case <-time.After(time.Millisecond):
		case <-m.done:
			return 0, os.ErrClosed
		}
	}
	n := min(int64(len(samples)), m.captured()-m.read)
	wave := Sine(1000, 10000, 48)
	for i := range n {
		samples[i] = wave[(m.read+i)%48]
	}
	m.read, m.total = m.read+n, m.total+n
	return int(n), nil
}

// Delay returns how many samples wait.
func (m *Mic) Delay() (int, error) {
	if err := m.fault(); err != nil {
		return 0, err
	}
	return int(m.captured() - m.read), nil
}

// Restart loses what waits.
func (m *Mic) Restart() error {
	if m.closed.Load() {
		return os.ErrClosed
	}
	m.Restarts++
	m.began, m.read = time.Now(), 0
	return nil
}

// Closed reports whether the microphone is no longer open.
func (m *Mic) Closed() bool { return m.closed.Load() }

// Close ends a Read.
func (m *Mic) Close() error {
	m.once.Do(func() { m.closed.Store(true); close(m.done) })
	return nil
}
