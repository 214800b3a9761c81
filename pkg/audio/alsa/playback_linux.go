package alsa

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"
)

// Playback is an open playback device. It begins to play once two periods were
// written, or with Drain. Its methods are for one goroutine, but Close.
type Playback struct{ *device }

// OpenPlayback opens a device named hw:CARD,DEVICE for playing. Errors match ErrBusy,
// ErrGone and ErrFormat.
func OpenPlayback(name string) (*Playback, error) {
	d, err := openNamed(name, Out)
	if err != nil {
		return nil, err
	}
	p := &Playback{d}
	if err := p.Restart(); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// Restart makes the card ready again, after ErrXrun or at any time. What was written
// and not yet heard is never heard.
func (p *Playback) Restart() error { return p.do(prepare) }

// Write waits until the card has taken all samples, and returns how many it took;
// fewer only with an error. Errors match ErrXrun, ErrStuck, ErrGone and, after Close,
// os.ErrClosed.
func (p *Playback) Write(samples []int16) (int, error) {
	taken := 0
	for taken < len(samples) {
		n, err := p.write(samples[taken:])
		taken += n
		if err != nil {
			return taken, err
		}
	}
	return taken, nil
}

// write gives the card as much as its buffer can hold.
func (p *Playback) write(samples []int16) (int, error) {
	if err := p.file.SetWriteDeadline(time.Now().Add(stall)); err != nil {
		return 0, fmt.Errorf("write %s: %w", p.file.Name(), errors.Join(err, os.ErrClosed)) // the one reason
	}
	n := min(len(samples), len(p.raw)/(2*p.channels))
	for i, s := range samples[:n] { // S16_LE, the same on each channel
		for c := range p.channels {
			binary.LittleEndian.PutUint16(p.raw[2*(i*p.channels+c):], uint16(s))
		}
	}
	n, err := p.file.Write(p.raw[:2*n*p.channels])
	n /= 2 * p.channels
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return n, ErrStuck
	case err != nil:
		return n, p.fault(err)
	}
	return n, nil
}

// drainStep is how often Drain looks at least.
const drainStep = 20 * time.Millisecond

// Drain returns once the last sample written has been heard; the card is then ready
// for more. Errors match the context's, ErrStuck, ErrGone and, after Close,
// os.ErrClosed; after one of them, Restart.
//
// On a descriptor with O_NONBLOCK the kernel doesn't wait in DRAIN, but answers EAGAIN.
func (p *Playback) Drain(ctx context.Context) error {
	err := p.do(func(fd uintptr) error { return ioctl(fd, "DRAIN", reqDrain) }) // EAGAIN means ErrBusy
	if err != nil && !errors.Is(err, ErrBusy) {
		return err
	}
	if err := p.played(ctx); err != nil {
		return err
	}
	// A card that was unplugged just now looks as if it had played all; then this fails.
	return p.do(func(fd uintptr) error { return ioctl(fd, "PREPARE", reqPrepare) })
}

// played waits until a draining card leaves the state in which DELAY is allowed.
func (p *Playback) played(ctx context.Context) error {
	for last, since := -1, time.Now(); ; {
		delay, err := p.Delay()
		if errors.Is(err, ErrXrun) {
			delay, err = p.Delay() // the call that finds that all is played fails so, once
		}
		switch {
		case errors.Is(err, errState):
			return nil
		case err != nil:
			return err
		case delay != last:
			last, since = delay, time.Now()
		case time.Since(since) > stall:
			return ErrStuck
		}
		pause := time.Duration(delay) * time.Second / Rate
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(max(pause, time.Millisecond), drainStep)):
		}
	}
}
