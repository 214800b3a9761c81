package netlab

import (
	"encoding/binary"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// Counters are those of a queue since it was made.
type Counters struct {
	Bytes   uint64 // that have left it
	Dropped uint32 // packets, because it was full
	Waiting uint32 // bytes that are in it now
}

// Meter reads a queue's counters.
type Meter interface{ Read() (Counters, error) }

// meter reads the counters of an interface's token bucket by rtnetlink(7): running tc for each
// of many samples would cost more than what is measured.
type meter struct {
	socket int
	device int32 // index of the interface
}

func newMeter(namespace, device string) (m *meter, err error) {
	m = &meter{}
	open := func() error {
		i, err := net.InterfaceByName(device)
		if err != nil {
			return fmt.Errorf("look for interface %s: %w", device, err)
		}
		m.device = int32(i.Index)
		m.socket, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
		return err
	}
	if namespace == "" {
		return m, open()
	}
	return m, in(namespace, open)
}

func (m *meter) Close() error { return unix.Close(m.socket) }

// Sizes and attributes of linux/rtnetlink.h, linux/gen_stats.h.
const (
	sizeofTcMsg   = 20
	tcaKind       = 1
	tcaStats2     = 7
	tcaStatsBasic = 1
	tcaStatsQueue = 3
)

// Read returns the counters; all are zero where there is no token bucket.
func (m *meter) Read() (c Counters, err error) {
	q := make([]byte, unix.SizeofNlMsghdr+sizeofTcMsg)
	e := binary.NativeEndian
	e.PutUint32(q, uint32(len(q)))
	e.PutUint16(q[4:], unix.RTM_GETQDISC)
	e.PutUint16(q[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	e.PutUint32(q[unix.SizeofNlMsghdr+4:], uint32(m.device))
	if err := unix.Sendto(m.socket, q, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return c, fmt.Errorf("ask for queues: %w", err)
	}
	buf := make([]byte, 1<<16)
	for {
		n, _, err := unix.Recvfrom(m.socket, buf, 0)
		if err != nil {
			return c, fmt.Errorf("read queues: %w", err)
		}
		for b := buf[:n]; len(b) >= unix.SizeofNlMsghdr; {
			size := int(e.Uint32(b))
			if size < unix.SizeofNlMsghdr || size > len(b) {
				return c, fmt.Errorf("read queues: %w", unix.EBADMSG)
			}
			switch e.Uint16(b[4:]) {
			case unix.NLMSG_DONE:
				return c, nil
			case unix.NLMSG_ERROR:
				return c, fmt.Errorf("ask for queues: %w", unix.EBADMSG)
			case unix.RTM_NEWQDISC:
				m.learn(&c, b[unix.SizeofNlMsghdr:size])
			}
			b = b[min(len(b), (size+3)&^3):]
		}
	}
}

// learn takes the counters out of a message about a queue, if it is the token bucket.
func (m *meter) learn(c *Counters, b []byte) {
	e := binary.NativeEndian
	if len(b) < sizeofTcMsg || int32(e.Uint32(b[4:])) != m.device {
		return
	}
	all := attributes(b[sizeofTcMsg:])
	if string(all[tcaKind]) != "tbf\x00" {
		return
	}
	stats := attributes(all[tcaStats2])
	if basic := stats[tcaStatsBasic]; len(basic) >= 8 {
		c.Bytes = e.Uint64(basic)
	}
	if queue := stats[tcaStatsQueue]; len(queue) >= 12 {
		c.Waiting, c.Dropped = e.Uint32(queue[4:]), e.Uint32(queue[8:])
	}
}

// attributes splits a list of struct rtattr.
func attributes(b []byte) map[uint16][]byte {
	l := map[uint16][]byte{}
	for len(b) >= unix.SizeofRtAttr {
		size := int(binary.NativeEndian.Uint16(b))
		if size < unix.SizeofRtAttr || size > len(b) {
			break
		}
		l[binary.NativeEndian.Uint16(b[2:])&^unix.NLA_F_NESTED] = b[unix.SizeofRtAttr:size]
		b = b[min(len(b), (size+3)&^3):]
	}
	return l
}
