package alsa

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// stall is how long a running card may stay silent.
const stall = 2 * time.Second

// PCM is an open, running capture device. Its methods are for one goroutine,
// but Close.
type PCM struct {
	file     *os.File // in the netpoller, since it was opened with O_NONBLOCK
	conn     syscall.RawConn
	channels int
	raw      []byte // S16_LE frames as the card gives them

	delay    int // what askDelay found: frames, in C a long
	delayErr error
	askDelay func(fd uintptr) // made once, so that Delay allocates nothing
}

// Open starts capturing from a device named hw:CARD,DEVICE. Errors match ErrBusy,
// ErrGone and ErrFormat.
func Open(name string) (*PCM, error) {
	card, device, err := ParseName(name)
	if err != nil {
		return nil, err
	}
	p, err := openPCM(card, device)
	if err != nil {
		return nil, err
	}
	if err := p.configure(); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

func openPCM(card, device int) (*PCM, error) {
	file, err := os.OpenFile(fmt.Sprintf("/dev/snd/pcmC%dD%dc", card, device), os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", Name(card, device), meaning(err))
	}
	conn, err := file.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	p := &PCM{file: file, conn: conn}
	p.askDelay = func(fd uintptr) { p.delayErr = exchange(fd, "DELAY", reqDelay, &p.delay) }
	return p, nil
}

// do runs f on the file descriptor, which stays open meanwhile.
func (p *PCM) do(f func(fd uintptr) error) error {
	var err error
	if e := p.conn.Control(func(fd uintptr) { err = f(fd) }); e != nil {
		return e
	}
	return err
}

func (p *PCM) configure() error {
	err := p.do(func(fd uintptr) (err error) {
		var buffer int
		p.channels, buffer, err = configure(fd)
		p.raw = make([]byte, 2*p.channels*buffer)
		return err
	})
	if err != nil {
		return err
	}
	return p.Restart()
}

// Restart starts capturing anew, after ErrXrun or at any time. What the card still
// holds is lost.
func (p *PCM) Restart() error {
	return p.do(func(fd uintptr) error {
		if err := ioctl(fd, "DROP", reqDrop); err != nil { // PREPARE refuses a running card
			return err
		}
		if err := ioctl(fd, "PREPARE", reqPrepare); err != nil {
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

// fault names what made a read fail.
func (p *PCM) fault(err error) error {
	var errno syscall.Errno
	if errors.Is(err, os.ErrClosed) || errors.As(err, &errno) {
		return meaning(err)
	}
	// An unplugged card shows epoll nothing but an error, and the netpoller then
	// gives up without reading: the card itself tells.
	if _, e := p.Delay(); e != nil {
		return e
	}
	return err
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

// Delay tells how many samples were captured, but not yet read, a moment ago.
func (p *PCM) Delay() (int, error) {
	if err := p.conn.Control(p.askDelay); err != nil {
		return 0, err
	}
	return p.delay, p.delayErr
}

// Close ends a Read under way; the kernel stops the card. It may be called from any
// goroutine and more than once; only the first counts.
func (p *PCM) Close() error {
	if err := p.file.Close(); !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}
