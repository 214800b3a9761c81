package hostile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Flow is one direction of a connection, or of what one UDP port sends to another.
type Flow struct {
	Protocol int // unix.IPPROTO_TCP, …
	From, To netip.AddrPort
}

func (f Flow) String() string {
	name := map[int]string{unix.IPPROTO_TCP: "TCP", unix.IPPROTO_UDP: "UDP"}[f.Protocol]
	if name == "" {
		name = fmt.Sprint("protocol ", f.Protocol)
	}
	return fmt.Sprintf("%s %s > %s", name, f.From, f.To)
}

// Sniffer sees every packet on an interface, as tcpdump does.
type Sniffer struct {
	tb      testing.TB
	fd      int
	closing atomic.Bool
	closed  chan struct{}

	mu    sync.Mutex
	flows map[Flow][]byte
}

// snifferBuffer is the kernel's for what was not read yet, in bytes: a packet that
// does not fit would pass unseen.
const snifferBuffer = 64 << 20

// Sniff begins to listen on an interface of the calling thread's network namespace.
// It needs CAP_NET_RAW, and CAP_NET_ADMIN for its buffer.
func Sniff(tb testing.TB, name string) *Sniffer {
	tb.Helper()
	everything := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL))
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(everything))
	if err != nil {
		tb.Fatalf("open packet socket: %v", err)
	}
	i, err := net.InterfaceByName(name)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: everything, Ifindex: i.Index})
	}
	if err == nil {
		wait := unix.NsecToTimeval(int64(50 * time.Millisecond))
		err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait)
	}
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, snifferBuffer)
	}
	if err != nil {
		tb.Fatalf("listen on %s: %v", name, err)
	}
	s := &Sniffer{tb: tb, fd: fd, closed: make(chan struct{}), flows: map[Flow][]byte{}}
	go s.read()
	tb.Cleanup(func() { s.stop() })
	return s
}

func (s *Sniffer) stop() {
	s.closing.Store(true)
	<-s.closed
}

func (s *Sniffer) read() {
	defer close(s.closed)
	defer unix.Close(s.fd)
	b := make([]byte, 1<<17) // what is segmented late comes as one
	for {
		n, from, err := unix.Recvfrom(s.fd, b, 0)
		switch {
		case errors.Is(err, syscall.EAGAIN) && s.closing.Load():
			return
		case err != nil && !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EINTR):
			s.tb.Errorf("sniff: %v", err)
			return
		case err == nil:
			s.take(from, b[:n])
		}
	}
}

// take adds what a packet carries to its flow. Loopback shows each packet twice.
func (s *Sniffer) take(from unix.Sockaddr, b []byte) {
	l, ok := from.(*unix.SockaddrLinklayer)
	const header = 14 // of Ethernet, which loopback has too
	if !ok || l.Pkttype == unix.PACKET_OUTGOING || len(b) < header {
		return
	}
	f, payload := transport(b[header:])
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flows[f] = append(s.flows[f], payload...)
}

// transport reads the headers of RFC 791, 8200, 9293 and 768. What it can't read
// is payload of the flow that has no addresses.
func transport(b []byte) (f Flow, payload []byte) {
	all := b
	var from, to netip.Addr
	switch {
	case len(b) >= 20 && b[0]>>4 == 4:
		f.Protocol = int(b[9])
		from, to = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
		b = b[min(len(b), int(b[0]&15)*4):]
	case len(b) >= 40 && b[0]>>4 == 6:
		f.Protocol = int(b[6])
		from, to = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
		b = b[40:]
	default:
		return Flow{}, all
	}
	var ports uint32
	switch {
	case f.Protocol == unix.IPPROTO_TCP && len(b) >= 20:
		ports = binary.BigEndian.Uint32(b)
		b = b[min(len(b), int(b[12]>>4)*4):]
	case f.Protocol == unix.IPPROTO_UDP && len(b) >= 8:
		ports = binary.BigEndian.Uint32(b)
		b = b[8:]
	}
	f.From, f.To = netip.AddrPortFrom(from, uint16(ports>>16)), netip.AddrPortFrom(to, uint16(ports))
	return f, b
}

// Flows are what each flow has carried so far, one packet after the other. It fails
// if a packet passed unseen.
func (s *Sniffer) Flows() map[Flow][]byte {
	s.tb.Helper()
	if st, err := unix.GetsockoptTpacketStats(s.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS); err != nil || st.Drops > 0 {
		s.tb.Fatalf("the sniffer missed packets: %+v, %v", st, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[Flow][]byte{}
	for f, b := range s.flows {
		all[f] = bytes.Clone(b)
	}
	return all
}
