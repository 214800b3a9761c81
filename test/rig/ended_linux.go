package rig

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// ended returns when a process has ended, as Process.Wait does. That alone won't do: it
// is waitid(2), and takes the stops of a child that this process traces for its end.
func ended(p *os.Process) {
	_ = p.WithHandle(func(pidfd uintptr) { // an error leaves it to Process.Wait
		fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
		for {
			if _, err := unix.Poll(fds, -1); !errors.Is(err, unix.EINTR) {
				return
			}
		}
	})
}
