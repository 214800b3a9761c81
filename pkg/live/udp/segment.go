package udp

import (
	"net"
	"net/netip"
)

// Bounds of a batch: the kernel takes 64 segments and one IP packet's worth of bytes.
const (
	maxSegments = 60
	maxBatch    = 65000
)

// singly is the last resort: one system call for each segment.
func singly(conn *net.UDPConn, buf []byte, size int, to netip.AddrPort) {
	for len(buf) > 0 {
		n := min(size, len(buf))
		_, _ = conn.WriteToUDPAddrPort(buf[:n], to)
		buf = buf[n:]
	}
}
