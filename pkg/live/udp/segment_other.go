//go:build !linux

package udp

import (
	"net"
	"net/netip"
)

// segmenter sends one packet after the other where the kernel has no better way.
type segmenter struct{}

func (segmenter) probe(*net.UDPConn) {}

// readable says that there is no way to know.
func (segmenter) readable() bool { return true }

func (segmenter) segments(conn *net.UDPConn, buf []byte, size int, to netip.AddrPort) {
	singly(conn, buf, size, to)
}
