//go:build !linux

package link

import (
	"syscall"
	"time"
)

// userTimeout is Linux's; elsewhere the keep-alive alone notices a dead connection.
func userTimeout(time.Duration) func(network, address string, c syscall.RawConn) error { return nil }
