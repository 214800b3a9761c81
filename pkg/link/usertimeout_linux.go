package link

import (
	"syscall"
	"time"
)

const tcpUserTimeout = 18 // TCP_USER_TIMEOUT, linux/tcp.h; package syscall lacks it

// userTimeout ends a connection whose sent data nobody acknowledges for d, which
// the kernel would otherwise retry for a quarter of an hour. tcp(7), RFC 5482.
func userTimeout(d time.Duration) func(network, address string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error {
		var set error
		err := c.Control(func(fd uintptr) {
			set = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(d.Milliseconds()))
		})
		if err != nil {
			return err
		}
		return set
	}
}
