package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Of the line discipline that makes a serial line a controller of Bluetooth
// (drivers/bluetooth/hci_uart.h).
const (
	lineHCI  = 15         // N_HCI
	setProto = 0x400455c8 // HCIUARTSETPROTO: _IOW('U', 200, int)
	protoH4  = 0
)

// attach makes a controller of an emulated one, which speaks H4 at a socket, until the process
// ends: to the kernel it is at the far end of a serial line, as on most boards.
func attach(socket string) error {
	emulated, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	defer emulated.Close() //nolint:errcheck // the error that ended it counts
	far, near, err := line()
	if err != nil {
		return fmt.Errorf("make a serial line: %w", err)
	}
	defer near.Close() //nolint:errcheck // nothing was written
	ended := make(chan error)
	go func() { ended <- pump(far, emulated) }()
	go func() { ended <- pump(emulated, far) }()
	fd := int(near.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSETD, lineHCI); err != nil {
		return fmt.Errorf("set the line discipline: %w", err)
	}
	if err := unix.IoctlSetInt(fd, setProto, protoH4); err != nil {
		return fmt.Errorf("set the protocol: %w", err)
	}
	return <-ended
}

// line makes both ends of a serial line that carries every byte as it is.
func line() (far, near *os.File, err error) {
	far, err = os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	fd := int(far.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return nil, nil, err
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		return nil, nil, err
	}
	near, err = os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	raw := unix.Termios{Cflag: unix.CS8 | unix.CREAD | unix.CLOCAL | unix.B115200}
	raw.Cc[unix.VMIN] = 1
	return far, near, unix.IoctlSetTermios(int(near.Fd()), unix.TCSETS, &raw)
}

func pump(to io.Writer, from io.Reader) error {
	_, err := io.Copy(to, from)
	return fmt.Errorf("the line ended: %w", err)
}
