package v4l2

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

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
	pin     runtime.Pinner // keeps the Stream, whose planes the kernel writes, in its place
	plane   plane          // of a buffer that is asked about or queued
	got     filled         // what dequeue filled
	err     error          // of the last dequeue
	held    int            // index of the buffer that Grab gave out, -1 none
	next    uint32
	seen    bool // next is valid
}

// filled is a buffer and, of the multi-planar API, its one plane.
type filled struct {
	buffer
	plane plane
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
	s.pin.Pin(s)
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

// setMode asks for the mode and reads back what the driver made of it. A driver that knows no
// rates (ENOTTY) is not at fault: its Rate stays 0.
func (s *Stream) setMode(m Mode) error {
	ask := pixFormat{width: uint32(m.Width), height: uint32(m.Height), pixelFormat: uint32(m.Pixel)} //nolint:gosec // sizes are small and positive
	if _, _, err := s.format(vidiocSFmt, ask); err != nil {
		return fmt.Errorf("set format of %s: %w", s.device.Path, err)
	}
	f, planes, err := s.format(vidiocGFmt, pixFormat{})
	if err != nil {
		return fmt.Errorf("read format of %s: %w", s.device.Path, err)
	}
	s.mode = Mode{Pixel: PixelFormat(f.pixelFormat), Width: int(f.width), Height: int(f.height)}
	s.stride = int(f.bytesPerLine)
	if s.mode.Pixel != m.Pixel {
		return fmt.Errorf("set format of %s: asked for %s, got %s: %w", s.device.Path, m.Pixel, s.mode.Pixel, ErrFormat)
	}
	if planes != 1 {
		return fmt.Errorf("set format of %s: %s in %d planes: %w", s.device.Path, m.Pixel, planes, ErrPlanes)
	}
	p := streamParm{kind: s.device.kind(), timePerFrame: fract{1000, uint32(m.Rate * 1000)}}
	_ = call(s.fd, vidiocSParm, &p) // G_PARM tells
	p = streamParm{kind: s.device.kind()}
	if err := call(s.fd, vidiocGParm, &p); err == nil && p.timePerFrame.numerator > 0 {
		s.mode.Rate = p.timePerFrame.rate()
	}
	return nil
}

// format sets or reads the format by whichever API the device has.
func (s *Stream) format(request uintptr, ask pixFormat) (got pixFormat, planes int, err error) {
	if !s.device.Multiplanar {
		f := format{kind: s.device.kind(), fmt: ask}
		err = call(s.fd, request, &f)
		return f.fmt, 1, err
	}
	f := formatMP{kind: s.device.kind()}
	f.fmt = pixFormatMP{width: ask.width, height: ask.height, pixelFormat: ask.pixelFormat, numPlanes: 1}
	err = call(s.fd, request, &f)
	got = pixFormat{width: f.fmt.width, height: f.fmt.height, pixelFormat: f.fmt.pixelFormat, bytesPerLine: f.fmt.planes[0].bytesPerLine}
	return got, int(f.fmt.numPlanes), err
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
	kind := s.device.kind()
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
	req := requestBuffers{count: bufferCount, kind: s.device.kind(), memory: memoryMmap}
	if err := call(s.fd, vidiocReqBufs, &req); err != nil {
		return fmt.Errorf("request buffers: %w", err)
	}
	for i := range req.count {
		b := s.buffer(i, &s.plane)
		if err := call(s.fd, vidiocQueryBuf, &b); err != nil {
			return fmt.Errorf("query buffer: %w", err)
		}
		offset, length := b.offset, b.length
		if s.device.Multiplanar {
			offset, length = s.plane.offset, s.plane.length
		}
		m, err := unix.Mmap(s.fd, int64(uint32(offset)), int(length), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED) //nolint:gosec // the union's offset has 32 bits
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

// buffer begins a request about a buffer; p is one of the Stream's own planes, which
// don't move.
func (s *Stream) buffer(index uint32, p *plane) buffer {
	b := buffer{index: index, kind: s.device.kind(), memory: memoryMmap}
	if s.device.Multiplanar {
		*p = plane{}
		b.offset, b.length = uintptr(unsafe.Pointer(p)), 1 //nolint:gosec // the kernel takes its address
	}
	return b
}

// Grab gives the last frame's buffer back to the driver and waits for the next
// frame. ErrInterrupted comes after Interrupt; any other error is the device's,
// and the stream is then of no more use.
func (s *Stream) Grab() (Frame, error) {
	if i := s.held; i >= 0 {
		s.held = -1
		if err := s.queue(i); err != nil {
			return Frame{}, err
		}
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

func (s *Stream) queue(i int) error {
	b := s.buffer(uint32(i), &s.plane) //nolint:gosec // a buffer number
	if err := call(s.fd, vidiocQBuf, &b); err != nil {
		return fmt.Errorf("queue buffer: %w", err)
	}
	return nil
}

// dequeue takes a filled buffer into s.got; false means that there is none yet.
func (s *Stream) dequeue() bool {
	s.got.buffer = s.buffer(0, &s.got.plane)
	s.err = call(s.fd, vidiocDQBuf, &s.got.buffer)
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
	i := int(s.got.index)
	from, to := 0, int(s.got.bytesUsed) // where in its buffer the picture lies
	if s.device.Multiplanar {
		from, to = int(s.got.plane.dataOffset), int(s.got.plane.bytesUsed)
	}
	if i >= len(s.buffers) || from > to || to > len(s.buffers[i]) {
		return Frame{}, fmt.Errorf("capture from %s: driver gave buffer %d with bytes %d to %d: %w", s.device.Path, i, from, to, unix.EPROTO)
	}
	s.held = i
	return Frame{Data: s.buffers[i][from:to], PTS: s.stamp(), Lost: lost, Damaged: s.got.flags&flagError != 0 || from == to}, nil
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
		kind := s.device.kind()
		_ = call(s.fd, vidiocStreamOff, &kind) // fails when the device is gone
	}
	var errs []error
	for _, b := range s.buffers {
		errs = append(errs, unix.Munmap(b))
	}
	s.buffers = nil
	s.pin.Unpin()
	errs = append(errs, unix.Close(s.fd))
	if s.wake != nil {
		errs = append(errs, s.wake.Close())
	}
	return errors.Join(errs...)
}

// Has reports whether the driver has a control.
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

// Got returns what the driver really set: the mode, Rate 0 if it doesn't say, and the
// bytes per line of the first plane, 0 for compressed formats.
func (s *Stream) Got() (m Mode, stride int) { return s.mode, s.stride }
