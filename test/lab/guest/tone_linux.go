package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/camd-project/camd/test/lab/agent"
)

// What the tone is played with: camd's own format, so that the loopback, which
// binds both ends to one, suits it.
const (
	rate   = 48000
	period = rate / 50 // frames in 20 ms
)

// hwParams is struct snd_pcm_hw_params (include/uapi/sound/asound.h).
type hwParams struct {
	_         uint32
	masks     [3][8]uint32 // access, format, subformat
	_         [5][8]uint32
	intervals [12]interval // from sample bits (parameter 8) on
	_         [9]interval
	rmask     uint32
	_         [5]uint32
	_         uint // unsigned long: its size is the machine's
	_         [64]byte
}

type interval struct{ min, max, flags uint32 }

// Parameters, as places in hwParams, and requests.
const (
	access, format, subformat = 0, 1, 2
	channels, rateAt          = 2, 3
	periodSize, bufferSize    = 5, 9

	interleaved, s16LE, standard = 1 << 3, 1 << 2, 1 << 0
	integer                      = 1 << 2

	setParams = 0xc0004111 | uint(unsafe.Sizeof(hwParams{}))<<16
	prepare   = 0x4140
)

// Play begins to play a tone, for as long as the guest lives.
func (g *Guest) Play(t agent.Tone, _ *agent.Empty) error {
	f, err := os.OpenFile(t.Device, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	fd := f.Fd() // a blocking descriptor from now on
	if err := configure(fd, 8*period); err != nil {
		f.Close()
		return fmt.Errorf("configure %s: %w", t.Device, err)
	}
	go func() {
		defer f.Close()
		fmt.Println("lab: tone ends:", play(f, t.Hertz))
	}()
	return nil
}

// configure makes a card ready, with the largest buffer of at most so many frames.
func configure(fd uintptr, buffer uint32) error {
	p := hwParams{rmask: math.MaxUint32}
	p.masks = [3][8]uint32{access: {interleaved}, format: {s16LE}, subformat: {standard}}
	for i := range p.intervals {
		p.intervals[i].max = math.MaxUint32
	}
	p.intervals[channels] = interval{1, 1, integer}
	p.intervals[rateAt] = interval{rate, rate, integer}
	p.intervals[periodSize] = interval{period, period, integer}
	p.intervals[bufferSize] = interval{4 * period, buffer, integer}
	if err := ioctl(fd, setParams, unsafe.Pointer(&p)); err != nil {
		return err
	}
	return ioctl(fd, prepare, nil)
}

// play writes whole periods; after an underrun it begins anew.
func play(f *os.File, hertz float64) error {
	samples := make([]byte, 0, 2*period)
	for n := 0; ; n += period {
		samples = samples[:0]
		for i := range period {
			v := math.Sin(2 * math.Pi * hertz * float64(n+i) / rate)
			samples = binary.LittleEndian.AppendUint16(samples, uint16(int16(10000*v)))
		}
		for rest := samples; len(rest) > 0; {
			w, err := unix.Write(int(f.Fd()), rest)
			switch {
			case errors.Is(err, unix.EPIPE):
				err = ioctl(f.Fd(), prepare, nil)
			case errors.Is(err, unix.EINTR):
				err = nil
			}
			if err != nil {
				return err
			}
			rest = rest[max(w, 0):]
		}
	}
}

func ioctl(fd uintptr, request uint, arg unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, uintptr(request), uintptr(arg)); errno != 0 {
		return errno
	}
	return nil
}
