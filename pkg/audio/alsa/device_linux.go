package alsa

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// stall is how long a running card may neither give nor take samples.
const stall = 2 * time.Second

// device is an open PCM device of either way.
type device struct {
	file     *os.File // in the netpoller, since it was opened with O_NONBLOCK
	conn     syscall.RawConn
	channels int
	raw      []byte // S16_LE frames, as many as the card's buffer holds

	delay    int // what askDelay found: frames, in C a long
	delayErr error
	askDelay func(fd uintptr) // made once, so that Delay allocates nothing
}

func openDevice(card, number int, way Way) (*device, error) {
	file, err := os.OpenFile(fmt.Sprintf("/dev/snd/pcmC%dD%d%s", card, number, way), os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", Name(card, number), meaning(err))
	}
	conn, err := file.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	d := &device{file: file, conn: conn}
	d.askDelay = func(fd uintptr) { d.delayErr = exchange(fd, "DELAY", reqDelay, &d.delay) }
	return d, nil
}

// openNamed opens and configures a device named hw:CARD,DEVICE.
func openNamed(name string, way Way) (*device, error) {
	card, number, err := ParseName(name)
	if err != nil {
		return nil, err
	}
	d, err := openDevice(card, number, way)
	if err != nil {
		return nil, err
	}
	err = d.do(func(fd uintptr) (err error) {
		var buffer int
		d.channels, buffer, err = configure(fd, way)
		d.raw = make([]byte, 2*d.channels*buffer)
		return err
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("configure %s: %w", name, err), d.Close())
	}
	return d, nil
}

// do runs f on the file descriptor, which stays open meanwhile.
func (d *device) do(f func(fd uintptr) error) error {
	var err error
	if e := d.conn.Control(func(fd uintptr) { err = f(fd) }); e != nil {
		return e
	}
	return err
}

// prepare makes the card ready, with an empty buffer.
func prepare(fd uintptr) error {
	if err := ioctl(fd, "DROP", reqDrop); err != nil { // PREPARE refuses a running card
		return err
	}
	return ioctl(fd, "PREPARE", reqPrepare)
}

// fault names what made a read or a write fail.
func (d *device) fault(err error) error {
	var errno syscall.Errno
	if errors.Is(err, os.ErrClosed) || errors.As(err, &errno) {
		return meaning(err)
	}
	// An unplugged card shows epoll nothing but an error, and the netpoller then
	// gives up without reading: the card itself tells.
	if _, e := d.Delay(); e != nil {
		return e
	}
	return err
}

// Delay returns how many samples were captured, but not yet read, or written, but not
// yet heard, a moment ago.
func (d *device) Delay() (int, error) {
	if err := d.conn.Control(d.askDelay); err != nil {
		return 0, err
	}
	return d.delay, d.delayErr
}

// Close ends a Read, Write or Drain under way; the kernel stops the card. It may be
// called from any goroutine and more than once; only the first counts.
func (d *device) Close() error {
	if err := d.file.Close(); !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}
