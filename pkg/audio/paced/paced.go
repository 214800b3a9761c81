// Package paced is a sound card that plays into nothing, at the pace of a real one:
// for machines without a card, for the demo, and under the fake of the tests. It owns
// no device and starts no goroutine. What it is given it forgets.
package paced

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/camd-project/camd/pkg/audio/alsa"
)

const (
	// Buffer is how many samples the card holds that were not yet heard: 200 ms.
	Buffer = 10 * alsa.Period
	// Start is with how many samples it begins to play by itself.
	Start = 2 * alsa.Period
)

// Card behaves as alsa.Playback does. Its methods are for one goroutine, but Close.
type Card struct {
	done  chan struct{}
	end   func()
	timer *time.Timer

	began   time.Time // when the first sample was heard; zero: the card hasn't started
	written int       // samples since it was ready
}

// New returns a card that is ready.
func New() *Card {
	c := &Card{done: make(chan struct{}), timer: time.NewTimer(0)}
	c.end = sync.OnceFunc(func() { close(c.done) })
	return c
}

// Began returns when the first sample was heard that was written since the card was
// ready; it is zero before that.
func (c *Card) Began() time.Time { return c.began }

// Heard returns how many samples were heard since the card was ready.
func (c *Card) Heard() int { return min(c.written, c.elapsed()) }

// elapsed returns how many samples the card could have played since it began.
func (c *Card) elapsed() int {
	if c.began.IsZero() {
		return 0
	}
	t := time.Since(c.began)
	return int(t/time.Millisecond)*alsa.Rate/1000 + int(t%time.Millisecond)*alsa.Rate/int(time.Second)
}

// starved tells that the card had nothing to play.
func (c *Card) starved() bool { return !c.began.IsZero() && c.elapsed() >= c.written }

// Write takes samples as they fit, and waits for the rest. Errors are alsa.ErrXrun and,
// after Close, os.ErrClosed.
func (c *Card) Write(samples []int16) (int, error) {
	taken := 0
	for {
		switch {
		case c.closed():
			return taken, os.ErrClosed
		case c.starved():
			return taken, alsa.ErrXrun
		}
		n := min(len(samples)-taken, Buffer-(c.written-c.Heard()))
		taken, c.written = taken+n, c.written+n
		if c.written >= Start && c.began.IsZero() {
			c.began = time.Now()
		}
		if taken == len(samples) {
			return taken, nil
		}
		c.sleep(context.Background(), min(len(samples)-taken, alsa.Period))
	}
}

// sleep waits until so many samples more were heard, ctx ends or the card is closed.
func (c *Card) sleep(ctx context.Context, samples int) {
	c.timer.Reset((time.Duration(samples)*time.Second + alsa.Rate - 1) / alsa.Rate)
	select {
	case <-c.timer.C:
	case <-ctx.Done():
	case <-c.done:
	}
}

func (c *Card) closed() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// Delay returns how many samples were written and not yet heard.
func (c *Card) Delay() (int, error) {
	switch {
	case c.closed():
		return 0, os.ErrClosed
	case c.starved():
		return 0, alsa.ErrXrun
	}
	return c.written - c.Heard(), nil
}

// Drain returns once the last sample written has been heard; the card is then ready.
func (c *Card) Drain(ctx context.Context) error {
	if c.began.IsZero() && c.written > 0 {
		c.began = time.Now()
	}
	for {
		rest := c.written - c.Heard()
		switch {
		case c.closed():
			return os.ErrClosed
		case rest == 0:
			return c.Restart()
		case ctx.Err() != nil:
			return ctx.Err()
		}
		c.sleep(ctx, rest)
	}
}

// Restart makes the card ready again. What wasn't heard is lost.
func (c *Card) Restart() error {
	if c.closed() {
		return os.ErrClosed
	}
	c.began, c.written = time.Time{}, 0
	return nil
}

// Close ends a Write or Drain. It may be called from any goroutine and more than once.
func (c *Card) Close() error { c.end(); return nil }
