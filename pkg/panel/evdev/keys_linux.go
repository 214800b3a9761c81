package evdev

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	word       = strconv.IntSize / 8 // of struct timeval, on the systems that camd is built for
	maxName    = 256
	maxRecords = 64 // read at once

	// From include/uapi/linux/input.h: _IOC(_IOC_READ, 'E', 0x06, 256) and _IOW('E', 0xa0, int).
	evIOCGName    = 0x80004506 | maxName<<16
	evIOCSClockID = 0x400445a0
)

// Devices lists the input devices by number. It opens each for a moment.
func Devices() ([]Device, error) {
	paths, err := filepath.Glob("/dev/input/event*")
	if err != nil {
		return nil, fmt.Errorf("list input devices: %w", err)
	}
	slices.SortFunc(paths, func(a, b string) int { return number(a) - number(b) })
	l := make([]Device, len(paths))
	for i, p := range paths {
		l[i] = look(p)
	}
	return l, nil
}

func number(path string) int {
	n, _ := strconv.Atoi(filepath.Base(path)[len("event"):]) // udev's links have no number
	return n
}

func look(path string) Device {
	d := Device{Path: path}
	k, err := open(path)
	if err != nil {
		d.Err = err
		return d
	}
	defer k.Close() //nolint:errcheck // nothing was written
	d.Name, d.Err = k.name()
	return d
}

// Keys is an open device.
type Keys struct {
	file *os.File
	buf  [maxRecords * (2*word + 8)]byte
}

// Open opens the device at path. It does not keep others from reading it too.
func Open(path string) (*Keys, error) {
	k, err := open(path)
	if err != nil {
		return nil, err
	}
	err = k.control(func(fd int) error { return unix.IoctlSetPointerInt(fd, evIOCSClockID, unix.CLOCK_MONOTONIC) })
	if err != nil {
		_ = k.file.Close()
		return nil, fmt.Errorf("set the clock of %s: %w", path, err)
	}
	return k, nil
}

func open(path string) (*Keys, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	return &Keys{file: f}, nil
}

// Read waits for events of keys and gives them. Errors are the system's:
// syscall.ENODEV when the device is gone, os.ErrClosed after Close.
func (k *Keys) Read() ([]Event, error) {
	for {
		n, err := k.file.Read(k.buf[:])
		if err != nil {
			return nil, err
		}
		if l := decode(k.buf[:n], word); len(l) > 0 {
			return l, nil
		}
	}
}

// Close may be called from any goroutine.
func (k *Keys) Close() error { return k.file.Close() }

func (k *Keys) name() (string, error) {
	var name [maxName]byte
	err := k.control(func(fd int) error {
		_, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), evIOCGName, uintptr(unsafe.Pointer(&name))) //nolint:gosec // this is how ioctl takes it
		if e != 0 {
			return e
		}
		return nil
	})
	return unix.ByteSliceToString(name[:]), err
}

func (k *Keys) control(do func(fd int) error) error {
	raw, err := k.file.SyscallConn()
	if err != nil {
		return err
	}
	if e := raw.Control(func(fd uintptr) { err = do(int(fd)) }); e != nil {
		return e
	}
	return err
}
