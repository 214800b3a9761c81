package usbcam

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// hub is the first controller that the vhci-hcd module makes.
const hub = "/sys/devices/platform/vhci_hcd.0/"

// plugDeadline is how long the kernel may take to free a port that was just left.
const plugDeadline = 5 * time.Second

// Plug plugs the camera into port 0 of vhci-hcd. unplug pulls it out again and
// waits until Serve has returned.
func (c *Camera) Plug() (unplug func() error, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make a socket pair: %w", err)
	}
	defer unix.Close(pair[1]) //nolint:errcheck // the kernel has its own reference by then
	if err := unix.SetNonblock(pair[0], true); err != nil {
		return nil, fmt.Errorf("set the socket non-blocking: %w", err)
	}
	conn := os.NewFile(uintptr(pair[0]), "usbip")
	ended := make(chan error, 1)
	go func() { ended <- c.Serve(conn) }()
	if err := attach(pair[1]); err != nil {
		conn.Close() //nolint:errcheck // the first error counts
		<-ended      //nolint:errcheck // the same
		return nil, err
	}
	return func() error {
		if err := os.WriteFile(hub+"detach", []byte("0"), 0); err != nil {
			return fmt.Errorf("unplug: %w", err)
		}
		<-ended //nolint:errcheck // pulled out in the middle of whatever it did
		return nil
	}, nil
}

// attach gives the socket to port 0 as device 1 of bus 1 (65537) at high speed (3).
// After an unplugging the kernel needs a moment before the port is free.
func attach(fd int) error {
	deadline := time.Now().Add(plugDeadline)
	for {
		err := os.WriteFile(hub+"attach", fmt.Appendf(nil, "0 %d 65537 3", fd), 0)
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}
