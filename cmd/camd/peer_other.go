//go:build !linux

package main

import (
	"errors"
	"net"
)

// peerUID is known on Linux only.
func peerUID(net.Conn) (int, error) { return 0, errors.ErrUnsupported }
