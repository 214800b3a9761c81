package alsa

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"
)

// PCM is an open, running capture device. Its methods are for one goroutine,
// but Close.
type PCM struct{ *device }

// Open starts capturing from a device named hw:CARD,DEVICE. Errors match ErrBusy,
// ErrGone and ErrFormat.
func Open(name string) (*PCM, error) {
	d, err := openNamed(name, In)
	if err != nil {
		return nil, err
	}
	p := &PCM{d}
	if err := p.Restart(); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// Restart starts capturing again, after ErrXrun or at any time. What the card still
// holds is lost.
func (p *PCM) Restart() error {
	return p.do(func(fd uintptr) error {
		if err := prepare(fd); err != nil {
			return err
		}
		return ioctl(fd, "START", reqStart)
	})
}

// Read waits for samples and returns how many it put into samples, at least one
// and often fewer than fit. Errors match ErrXrun, ErrSilent, ErrGone and, after
// Close, os.ErrClosed.
func (p *PCM) Read(samples []int16) (int, error) {
	if err := p.file.SetReadDeadline(time.Now().Add(stall)); err != nil {
		return 0, fmt.Errorf("read %s: %w", p.file.Name(), errors.Join(err, os.ErrClosed)) // the one reason
	}
	size := 2 * p.channels
	n, err := p.file.Read(p.raw[:min(size*len(samples), len(p.raw))])
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return 0, ErrSilent
	case err != nil:
		return 0, p.fault(err)
	}
	return mono(samples, p.raw[:n], p.channels), nil
}

// mono turns S16_LE frames into samples, the mean of the channels, and returns how many.
func mono(samples []int16, raw []byte, channels int) int {
	n := len(raw) / (2 * channels)
	for i := range n {
		sum := 0
		for c := range channels {
			sum += int(int16(binary.LittleEndian.Uint16(raw[2*(i*channels+c):])))
		}
		samples[i] = int16(sum / channels)
	}
	return n
}
