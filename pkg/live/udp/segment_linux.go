package udp

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// segmenter sends many packets of one size with one system call: by the kernel's
// segmentation offload (UDP_SEGMENT in udp(7), Linux 4.18), else by sendmmsg(2).
type segmenter struct {
	noGSO  atomic.Bool // set for good when the kernel or a device refuses
	inet6  bool        // the socket takes IPv6 addresses, IPv4 ones mapped
	raw    syscall.RawConn
	buffer sync.Pool // *messages
}

// probe finds out whether the kernel knows UDP_SEGMENT: an older one would ignore the
// control message and send everything as one datagram.
func (g *segmenter) probe(conn *net.UDPConn) {
	g.inet6 = conn.LocalAddr().(*net.UDPAddr).IP.To4() == nil
	g.buffer.New = func() any {
		m := new(messages)
		m.send = m.write // made once: a method value allocates
		return m
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		g.noGSO.Store(true)
		return
	}
	g.raw = raw
	var known error
	err = raw.Control(func(fd uintptr) {
		_, known = unix.GetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_SEGMENT)
	})
	g.noGSO.Store(err != nil || known != nil)
}

// segments sends buf as packets of size bytes, the last possibly shorter.
func (g *segmenter) segments(conn *net.UDPConn, buf []byte, size int, to netip.AddrPort) {
	if !g.noGSO.Load() {
		err := g.offload(conn, buf, size, to)
		if !refusesGSO(err) {
			return
		}
		g.noGSO.Store(true)
	}
	if g.raw == nil || to.Addr().Zone() != "" {
		singly(conn, buf, size, to) // only the net package knows zone names
		return
	}
	g.many(buf, size, to)
}

func (g *segmenter) offload(conn *net.UDPConn, buf []byte, size int, to netip.AddrPort) error {
	m := g.buffer.Get().(*messages)
	defer g.buffer.Put(m)
	h := (*unix.Cmsghdr)(unsafe.Pointer(&m.oob)) //nolint:gosec // the buffer is aligned and large enough
	h.Level, h.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
	h.SetLen(unix.CmsgLen(2))
	data := unsafe.Slice((*byte)(unsafe.Pointer(&m.oob)), len(m.oob)*8) //nolint:gosec // as above
	binary.NativeEndian.PutUint16(data[unix.CmsgLen(0):], uint16(size))
	_, _, err := conn.WriteMsgUDPAddrPort(buf, data[:unix.CmsgSpace(2)], to)
	return err
}

// refusesGSO reports whether err means that there is no segmentation here: EIO where
// the device can't make checksums, EINVAL where a segment exceeds the path's MTU.
func refusesGSO(err error) bool {
	return errors.Is(err, unix.EIO) || errors.Is(err, unix.EINVAL) ||
		errors.Is(err, unix.ENOPROTOOPT) || errors.Is(err, unix.EOPNOTSUPP)
}

// messages are what the kernel reads during one call.
type messages struct {
	oob  [3]uint64 // a control message, aligned
	name [unix.SizeofSockaddrInet6]byte
	iov  [maxSegments]unix.Iovec
	hdr  [maxSegments]mmsghdr
	left []mmsghdr // not sent yet
	send func(fd uintptr) bool
}

// mmsghdr is struct mmsghdr of sendmmsg(2); Go pads it as C does.
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
}

// many sends the segments by sendmmsg.
func (g *segmenter) many(buf []byte, size int, to netip.AddrPort) {
	m := g.buffer.Get().(*messages)
	defer g.buffer.Put(m)
	nameLen := m.address(to, g.inet6)
	for len(buf) > 0 {
		n := min(maxSegments*size, len(buf))
		m.prepare(buf[:n], size, nameLen)
		_ = g.raw.Write(m.send) // fails only when the socket has been closed
		buf = buf[n:]
	}
	clear(m.iov[:]) // keep no pointer into the batch
}

// write sends until all have left or been refused.
func (m *messages) write(fd uintptr) bool {
	for len(m.left) > 0 {
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, fd,
			uintptr(unsafe.Pointer(&m.left[0])), uintptr(len(m.left)), 0, 0, 0) //nolint:gosec // as the kernel wants it
		switch errno {
		case 0:
			m.left = m.left[n:]
		case unix.EAGAIN:
			return false // the poller waits until there is room
		case unix.EINTR:
		default:
			m.left = m.left[1:] // this one is lost; the others may leave
		}
	}
	return true
}

func (m *messages) prepare(buf []byte, size int, nameLen int) {
	n := 0
	for ; len(buf) > 0; n++ {
		k := min(size, len(buf))
		m.iov[n].Base = &buf[0]
		m.iov[n].SetLen(k)
		h := &m.hdr[n].hdr
		h.Name, h.Namelen = &m.name[0], uint32(nameLen)
		h.Iov = &m.iov[n]
		h.SetIovlen(1)
		buf = buf[k:]
	}
	m.left = m.hdr[:n]
}

// address writes the address as struct sockaddr_in or sockaddr_in6 and returns its length.
func (m *messages) address(to netip.AddrPort, inet6 bool) int {
	binary.BigEndian.PutUint16(m.name[2:], to.Port())
	if !inet6 {
		binary.NativeEndian.PutUint16(m.name[:], unix.AF_INET)
		ip := to.Addr().Unmap().As4()
		copy(m.name[4:], ip[:])
		return unix.SizeofSockaddrInet4
	}
	binary.NativeEndian.PutUint16(m.name[:], unix.AF_INET6)
	ip := to.Addr().As16()
	copy(m.name[8:], ip[:])
	return unix.SizeofSockaddrInet6
}
