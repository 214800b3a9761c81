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

	// Of the goroutine that reads.
	poll   func(fd uintptr) // asks the kernel whether there is something to read
	polled [1]unix.PollFd
}

// probe finds out whether the kernel knows UDP_SEGMENT: an older one would ignore the
// control message and send everything as one datagram.
func (g *segmenter) probe(conn *net.UDPConn) {
	g.inet6 = conn.LocalAddr().(*net.UDPAddr).IP.To4() == nil
	g.buffer.New = newMessages
	g.poll = func(fd uintptr) {
		g.polled[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN} //nolint:gosec // a descriptor
		if _, err := unix.Poll(g.polled[:], 0); err != nil {
			g.polled[0].Revents = unix.POLLERR
		}
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	g.raw = raw
	var known error
	err = raw.Control(func(fd uintptr) {
		_, known = unix.GetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_SEGMENT)
	})
	g.noGSO.Store(err != nil || known != nil)
}

// readable reports whether a packet, or an error, waits to be read.
func (g *segmenter) readable() bool {
	if g.raw == nil {
		return true
	}
	err := g.raw.Control(g.poll)
	return err != nil || g.polled[0].Revents != 0
}

// segments sends buf as packets of size bytes, the last possibly shorter.
func (g *segmenter) segments(conn *net.UDPConn, buf []byte, size int, to netip.AddrPort) {
	if g.raw == nil || to.Addr().Zone() != "" {
		singly(conn, buf, size, to) // only the net package knows zone names
		return
	}
	m := g.buffer.Get().(*messages)
	defer g.buffer.Put(m)
	m.address(to, g.inet6)
	if len(buf) > size && !g.noGSO.Load() {
		m.offload(buf, size)
		if err := g.send(m); !refusesGSO(err) {
			return
		}
		g.noGSO.Store(true)
	}
	for len(buf) > 0 {
		n := min(maxSegments*size, len(buf))
		m.prepare(buf[:n], size)
		_ = g.send(m) // what is lost is asked for again
		buf = buf[n:]
	}
}

// refusesGSO reports whether err means that there is no segmentation here: EIO where
// the device can't make checksums, EINVAL where a segment exceeds the path's MTU.
func refusesGSO(err error) bool {
	return errors.Is(err, unix.EIO) || errors.Is(err, unix.EINVAL) ||
		errors.Is(err, unix.ENOPROTOOPT) || errors.Is(err, unix.EOPNOTSUPP)
}

// send passes prepared messages to the kernel, and returns the error of the last one that
// it refused. Package net would hold a lock meanwhile, so that viewers would wait for one
// another; the kernel takes the packets of several at once. Only where the socket's buffer
// is full, send waits, with that lock.
func (g *segmenter) send(m *messages) error {
	m.err = nil
	err := g.raw.Control(m.try)
	if err == nil && len(m.left) > 0 {
		err = g.raw.Write(m.write)
	}
	clear(m.iov[:]) // keep no pointer into the batch
	if err != nil {
		return err // the socket has been closed
	}
	return m.err
}

// messages are what the kernel reads during one call.
type messages struct {
	oob  [3]uint64 // a control message, aligned
	name [unix.SizeofSockaddrInet6]byte
	size uint32 // of the name
	iov  [maxSegments]unix.Iovec
	hdr  [maxSegments]mmsghdr
	left []mmsghdr // not sent yet
	err  error     // of the last one that was refused

	try   func(fd uintptr)      // both are made once: a method value allocates
	write func(fd uintptr) bool // reports whether none is left
}

func newMessages() any {
	m := new(messages)
	m.write = m.sendmmsg
	m.try = func(fd uintptr) { _ = m.sendmmsg(fd) }
	return m
}

// mmsghdr is struct mmsghdr of sendmmsg(2); Go pads it as C does.
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
}

// sendmmsg sends until all have left or been refused, and returns false if there is no room
// for more in the socket's buffer.
func (m *messages) sendmmsg(fd uintptr) bool {
	for len(m.left) > 0 {
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, fd,
			uintptr(unsafe.Pointer(&m.left[0])), uintptr(len(m.left)), unix.MSG_DONTWAIT, 0, 0) //nolint:gosec // as the kernel wants it
		switch errno {
		case 0:
			m.left = m.left[n:]
		case unix.EAGAIN:
			return false
		case unix.EINTR:
		default:
			m.err = errno
			m.left = m.left[1:] // this one is lost; the others may leave
		}
	}
	return true
}

// offload prepares buf as one message that the kernel cuts into packets of size bytes.
func (m *messages) offload(buf []byte, size int) {
	m.prepare(buf, len(buf))
	h := (*unix.Cmsghdr)(unsafe.Pointer(&m.oob)) //nolint:gosec // the buffer is aligned and large enough
	h.Level, h.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
	h.SetLen(unix.CmsgLen(2))
	data := unsafe.Slice((*byte)(unsafe.Pointer(&m.oob)), len(m.oob)*8) //nolint:gosec // as above
	binary.NativeEndian.PutUint16(data[unix.CmsgLen(0):], uint16(size))
	m.hdr[0].hdr.Control = &data[0]
	m.hdr[0].hdr.SetControllen(unix.CmsgSpace(2))
}

// prepare makes one message of each size bytes of buf.
func (m *messages) prepare(buf []byte, size int) {
	n := 0
	for ; len(buf) > 0; n++ {
		k := min(size, len(buf))
		m.iov[n].Base = &buf[0]
		m.iov[n].SetLen(k)
		m.hdr[n].hdr = unix.Msghdr{Name: &m.name[0], Namelen: m.size, Iov: &m.iov[n]}
		m.hdr[n].hdr.SetIovlen(1)
		buf = buf[k:]
	}
	m.left = m.hdr[:n]
}

// address sets the address: struct sockaddr_in or sockaddr_in6.
func (m *messages) address(to netip.AddrPort, inet6 bool) {
	binary.BigEndian.PutUint16(m.name[2:], to.Port())
	if !inet6 {
		binary.NativeEndian.PutUint16(m.name[:], unix.AF_INET)
		ip := to.Addr().Unmap().As4()
		copy(m.name[4:], ip[:])
		m.size = unix.SizeofSockaddrInet4
		return
	}
	binary.NativeEndian.PutUint16(m.name[:], unix.AF_INET6)
	ip := to.Addr().As16()
	copy(m.name[8:], ip[:])
	m.size = unix.SizeofSockaddrInet6
}
