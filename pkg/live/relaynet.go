package live

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pion/transport/v5"
	"github.com/pion/transport/v5/stdnet"
)

const (
	relayTimeout = 8 * time.Second
	relayStall   = 5 * time.Second
	relayBuffer  = 64 << 10 // bytes; what waits in a stalled relay's queue is old already
)

// sessionNet is the network as one session's pion sees it. It keeps the TCP
// connections to relays, so that the session's end throws away what is queued in
// them. It looks names up and connects only while the session lasts, and reads the
// interfaces each time.
type sessionNet struct {
	transport.Net
	ctx context.Context // of the session: pion's calls carry none

	mu     sync.Mutex
	conns  []*net.TCPConn
	closed bool
}

func newSessionNet(ctx context.Context) (*sessionNet, error) {
	std, err := stdnet.NewNet()
	if err != nil {
		return nil, fmt.Errorf("read network interfaces: %w", err)
	}
	return &sessionNet{Net: std, ctx: ctx}, nil
}

// Interfaces reads the interfaces as they are now.
func (n *sessionNet) Interfaces() ([]*transport.Interface, error) {
	std, err := stdnet.NewNet()
	if err != nil {
		return nil, err
	}
	return std.Interfaces()
}

// DialTCP connects to a relay.
func (n *sessionNet) DialTCP(network string, _, to *net.TCPAddr) (transport.TCPConn, error) {
	d := net.Dialer{Timeout: relayTimeout}
	c, err := d.DialContext(n.ctx, network, to.String())
	if err != nil {
		return nil, err
	}
	conn := c.(*net.TCPConn)
	if err := conn.SetWriteBuffer(relayBuffer); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("set relay's write buffer: %w", err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		reset(conn)
		return nil, net.ErrClosed
	}
	n.conns = append(n.conns, conn)
	return relayConn{conn}, nil
}

// relayConn is a connection to a relay. One that takes nothing for relayStall is
// closed: the viewer's goroutine and ICE's, with all their time-outs, would otherwise
// wait in a write for ever.
type relayConn struct{ *net.TCPConn }

func (c relayConn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(relayStall)); err != nil {
		return 0, err
	}
	n, err := c.TCPConn.Write(b)
	if err != nil {
		reset(c.TCPConn)
	}
	return n, err
}

// abort closes the connections to relays and throws away what is queued in them.
// Every write that is blocked in one fails at once, and no new one is made.
func (n *sessionNet) abort() {
	n.mu.Lock()
	conns := n.conns
	n.conns, n.closed = nil, true
	n.mu.Unlock()
	for _, c := range conns {
		reset(c)
	}
}

// reset closes with RST: with lingering at zero the kernel keeps no send queue.
func reset(c *net.TCPConn) {
	_ = c.SetLinger(0) // fails only on a connection that is closed already
	_ = c.Close()
}

// ResolveTCPAddr looks a relay's name up.
func (n *sessionNet) ResolveTCPAddr(network, address string) (*net.TCPAddr, error) {
	a, err := n.resolve(network, address)
	if err != nil {
		return nil, err
	}
	return net.TCPAddrFromAddrPort(a), nil
}

// ResolveUDPAddr looks a STUN or TURN server's name up.
func (n *sessionNet) ResolveUDPAddr(network, address string) (*net.UDPAddr, error) {
	a, err := n.resolve(network, address)
	if err != nil {
		return nil, err
	}
	return net.UDPAddrFromAddrPort(a), nil
}

func (n *sessionNet) resolve(network, address string) (netip.AddrPort, error) {
	ctx, cancel := context.WithTimeout(n.ctx, relayTimeout)
	defer cancel()
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return netip.AddrPort{}, err
	}
	port, err := net.DefaultResolver.LookupPort(ctx, network, service)
	if err != nil {
		return netip.AddrPort{}, err
	}
	family := "ip"
	if last := network[len(network)-1]; last == '4' || last == '6' {
		family += string(last)
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, family, host)
	if err != nil {
		return netip.AddrPort{}, err
	}
	return netip.AddrPortFrom(ips[0].Unmap(), uint16(port)), nil
}

// relayTrouble keeps pion's warnings that say why a relay can't be had, each once:
// pion reports that nowhere else.
type relayTrouble struct {
	mu   sync.Mutex
	said []string
}

const maxTrouble = 8 // messages

func (r *relayTrouble) note(msg string) {
	if !strings.Contains(msg, "relay") && !strings.Contains(msg, "TURN") && !strings.Contains(msg, "TCP address") {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.said) < maxTrouble && !slices.Contains(r.said, msg) {
		r.said = append(r.said, msg)
	}
}

func (r *relayTrouble) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.said, "; ")
}
