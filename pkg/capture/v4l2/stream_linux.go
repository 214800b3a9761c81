package v4l2

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/camd-project/camd/pkg/media"
	"golang.org/x/sys/unix"
)

// bufferCount is how many buffers the driver fills in turn: one with us, one being
// filled, and two for the time in which an encoder is late.
const bufferCount = 4

// maxStampAge is how old a driver's time stamp may be before it is not believed.
const maxStampAge = 5 * time.Second

// Stream is an opened device that captures.
type Stream struct {
	device Device // without Formats
	mode   Mode   // what the driver really set
	stride int

	fd      int
	newest  bool // pass over what piled up
	buffers [][]byte
	offset  time.Duration // capture clock minus CLOCK_MONOTONIC

	wake    *os.File // an eventfd that ends the wait
	stopped atomic.Bool
	poll    [2]unix.PollFd
	got     buffer // what dequeue filled
	err     error  // of the last dequeue
	held    int    // index of the buffer that Grab gave out, -1 none
	next    uint32
	seen    bool // next is valid
}

// Prepare opens a device and asks for a mode. Controls can be set now, before
// Start. newest makes Grab pass over all but the newest frame, which only frames
// that stand alone allow.
func Prepare(path string, m Mode, newest bool) (*Stream, error) {
	fd, err := openNode(path)
	if err != nil {
		return nil, err
	}
	s := &Stream{fd: fd, newest: newest, held: -1}
	s.device, err = identify(fd, path)
	if err == nil {
		err = s.setMode(m)
	}
	if err == nil {
		err = s.makeWake()
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Stream) makeWake() error {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return fmt.Errorf("make eventfd: %w", err)
	}
	s.wake = os.NewFile(uintptr(fd), "eventfd")                                                           // as a File, so that a late Interrupt can't write into a reused descriptor
	s.poll = [2]unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN}, {Fd: int32(fd), Events: unix.POLLIN}} //nolint:gosec // descriptors are small
	return nil
}

// setMode asks for the mode and reads back what the driver made of it.
func (s *Stream) setMode(m Mode) error {
	f := format{kind: kindVideoCapture}
	f.fmt = pixFormat{width: uint32(m.Width), height: uint32(m.Height), pixelFormat: uint32(m.Pixel)} //nolint:gosec // sizes are small and positive
	if err := call(s.fd, vidiocSFmt, &f); err != nil {
		return fmt.Errorf("set format of %s: %w", s.device.Path, err)
	}
	f = format{kind: kindVideoCapture}
	if err := call(s.fd, vidiocGFmt, &f); err != nil {
		return fmt.Errorf("read format of %s: %w", s.device.Path, err)
	}
	s.mode = Mode{Pixel: PixelFormat(f.fmt.pixelFormat), Width: int(f.fmt.width), Height: int(f.fmt.height)}
	s.stride = int(f.fmt.bytesPerLine)
	if s.mode.Pixel != m.Pixel {
		return fmt.Errorf("set format of %s: asked for %s, got %s: %w", s.device.Path, m.Pixel, s.mode.Pixel, ErrFormat)
	}
	s.setRate(m.Rate)
	return nil
}

// setRate asks for a rate and reads back which one the driver took. A driver that
// knows no rates (ENOTTY) is not at fault: its Rate stays 0.
func (s *Stream) setRate(rate float64) {
	p := streamParm{kind: kindVideoCapture, timePerFrame: fract{1000, uint32(rate * 1000)}}
	_ = call(s.fd, vidiocSParm, &p) // G_PARM tells
	p = streamParm{kind: kindVideoCapture}
	if err := call(s.fd, vidiocGParm, &p); err != nil {
		return
	}
	if t := p.timePerFrame; t.numerator > 0 {
		s.mode.Rate = float64(t.denominator) / float64(t.numerator)
	}
}

// Start begins to capture.
func (s *Stream) Start() error {
	if err := s.start(); err != nil {
		return fmt.Errorf("start %s: %w", s.device.Path, err)
	}
	return nil
}

func (s *Stream) start() error {
	if err := s.mapBuffers(); err != nil {
		return err
	}
	kind := uint32(kindVideoCapture)
	if err := call(s.fd, vidiocStreamOn, &kind); err != nil {
		return fmt.Errorf("stream on: %w", err)
	}
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return fmt.Errorf("read clock: %w", err)
	}
	s.offset = media.Now() - time.Duration(now.Nano())
	return nil
}

func (s *Stream) mapBuffers() error {
	req := requestBuffers{count: bufferCount, kind: kindVideoCapture, memory: memoryMmap}
	if err := call(s.fd, vidiocReqBufs, &req); err != nil {
		return fmt.Errorf("request buffers: %w", err)
	}
	for i := range req.count {
		b := buffer{index: i, kind: kindVideoCapture, memory: memoryMmap}
		if err := call(s.fd, vidiocQueryBuf, &b); err != nil {
			return fmt.Errorf("query buffer: %w", err)
		}
		m, err := unix.Mmap(s.fd, int64(uint32(b.offset)), int(b.length), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED) //nolint:gosec // the union's offset has 32 bits
		if err != nil {
			return fmt.Errorf("map buffer: %w", err)
		}
		s.buffers = append(s.buffers, m)
		if err := s.queue(int(i)); err != nil {
			return err
		}
	}
	return nil
}

// Grab gives the last frame's buffer back to the driver and waits for the next
// frame. ErrInterrupted comes after Interrupt; any other error is the device's,
// and the stream is then of no more use.
func (s *Stream) Grab() (Frame, error) {
	if err := s.giveBack(); err != nil {
		return Frame{}, err
	}
	for !s.dequeue() {
		if err := s.wait(); err != nil {
			return Frame{}, err
		}
	}
	if s.stopped.Load() { // frames that come faster than they are taken must not hide it
		return Frame{}, ErrInterrupted
	}
	if s.err != nil {
		return Frame{}, fmt.Errorf("capture from %s: %w", s.device.Path, s.err)
	}
	return s.frame()
}

// wait waits for a filled buffer or an interruption, without a timer. It is poll(2)
// and not Go's poller, because that one waits for edges, and with the vivid driver
// edges were lost. What poll says of the device (POLLERR, POLLHUP) the next dequeue
// says better.
func (s *Stream) wait() error {
	for {
		_, err := unix.Poll(s.poll[:], -1)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return fmt.Errorf("wait for %s: %w", s.device.Path, err)
		case s.poll[1].Revents != 0:
			return ErrInterrupted
		}
		return nil
	}
}

// Interrupt ends a Grab that waits, and every later one, from any goroutine.
func (s *Stream) Interrupt() {
	s.stopped.Store(true)
	_, _ = s.wake.Write([]byte{1, 0, 0, 0, 0, 0, 0, 0}) // fails only when closed, and then nobody waits
}

func (s *Stream) giveBack() error {
	if s.held < 0 {
		return nil
	}
	i := s.held
	s.held = -1
	return s.queue(i)
}

func (s *Stream) queue(i int) error {
	b := buffer{index: uint32(i), kind: kindVideoCapture, memory: memoryMmap} //nolint:gosec // a buffer number
	if err := call(s.fd, vidiocQBuf, &b); err != nil {
		return fmt.Errorf("queue buffer: %w", err)
	}
	return nil
}

// dequeue takes a filled buffer into s.got; false means that there is none yet.
func (s *Stream) dequeue() bool {
	b := &s.got
	*b = buffer{kind: kindVideoCapture, memory: memoryMmap}
	s.err = call(s.fd, vidiocDQBuf, b)
	return !errors.Is(s.err, unix.EAGAIN)
}

// frame makes a Frame of s.got and, if only the newest counts, of what is behind it.
func (s *Stream) frame() (Frame, error) {
	lost := s.missed()
	for s.newest {
		i := int(s.got.index)
		last := s.got
		if !s.dequeue() || s.err != nil {
			s.got = last // an error comes again at the next Grab
			break
		}
		lost += 1 + s.missed()
		if err := s.queue(i); err != nil {
			return Frame{}, err
		}
	}
	i, n := int(s.got.index), int(s.got.bytesUsed)
	if i >= len(s.buffers) || n > len(s.buffers[i]) {
		return Frame{}, fmt.Errorf("capture from %s: driver gave buffer %d with %d bytes: %w", s.device.Path, i, n, unix.EPROTO)
	}
	s.held = i
	return Frame{Data: s.buffers[i][:n], PTS: s.stamp(), Lost: lost, Damaged: s.got.flags&flagError != 0 || n == 0}, nil
}

// missed counts the gap in the driver's sequence numbers before s.got.
func (s *Stream) missed() int {
	gap := int32(s.got.sequence - s.next) //nolint:gosec // wraps as the sequence does
	known := s.seen
	s.next, s.seen = s.got.sequence+1, true
	if !known || gap < 0 {
		return 0
	}
	return int(gap)
}

// stamp converts the driver's time stamp, or reads the clock if there is none to trust.
func (s *Stream) stamp() time.Duration {
	now := media.Now()
	if s.got.flags&flagTimestampMask != flagMonotonic {
		return now
	}
	pts := time.Duration(s.got.timestamp.Nano()) + s.offset
	if pts > now || now-pts > maxStampAge {
		return now
	}
	return pts
}

// Close stops the stream and closes the device.
func (s *Stream) Close() error {
	if len(s.buffers) > 0 {
		kind := uint32(kindVideoCapture)
		_ = call(s.fd, vidiocStreamOff, &kind) // fails when the device is gone
	}
	var errs []error
	for _, b := range s.buffers {
		errs = append(errs, unix.Munmap(b))
	}
	s.buffers = nil
	errs = append(errs, unix.Close(s.fd))
	if s.wake != nil {
		errs = append(errs, s.wake.Close())
	}
	return errors.Join(errs...)
}

// Has tells whether the driver has a control.
func (s *Stream) Has(c Control) bool {
	q := queryControl{id: uint32(c)}
	return call(s.fd, vidiocQueryCtrl, &q) == nil && q.flags&controlDisabled == 0
}

// Set sets a control, with the value brought into its range. ErrNoControl says
// that there is none; any goroutine's own Stream may do so while it captures.
func (s *Stream) Set(c Control, value int) error {
	q := queryControl{id: uint32(c)}
	if call(s.fd, vidiocQueryCtrl, &q) != nil || q.flags&controlDisabled != 0 {
		return fmt.Errorf("set control %#x of %s: %w", uint32(c), s.device.Path, ErrNoControl)
	}
	v := int32(min(max(int64(value), int64(q.min)), int64(q.max))) //nolint:gosec // within two int32
	if err := call(s.fd, vidiocSCtrl, &control{id: uint32(c), value: v}); err != nil {
		return fmt.Errorf("set control %#x of %s: %w", uint32(c), s.device.Path, err)
	}
	return nil
}

// Got tells what the driver really set: the mode, Rate 0 if it doesn't say, and the
// bytes per line of the first plane, 0 for compressed formats.
func (s *Stream) Got() (m Mode, stride int) { return s.mode, s.stride }
