package live

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pion/turn/v5"
	"golang.org/x/sys/unix"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
)

const relayUser, relayPassword = "camera", "correct horse"

// relayServer is a TURN server on TCP and UDP. It keeps the ports that it relays from.
type relayServer struct {
	tcp, udp string

	mu      sync.Mutex
	relayed []int
}

// AllocatePacketConn makes the socket of an allocation.
func (r *relayServer) AllocatePacketConn(turn.AllocateListenerConfig) (net.PacketConn, net.Addr, error) {
	c, err := net.ListenPacket("udp4", ownAddress()+":0") // a peer's address to both sides
	if err != nil {
		return nil, nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.relayed = append(r.relayed, c.LocalAddr().(*net.UDPAddr).Port)
	return c, c.LocalAddr(), nil
}

// Validate accepts.
func (r *relayServer) Validate() error { return nil }

// AllocateListener and AllocateConn are for TCP allocations (RFC 6062).
func (r *relayServer) AllocateListener(turn.AllocateListenerConfig) (net.Listener, net.Addr, error) {
	return nil, nil, errors.ErrUnsupported
}

// AllocateConn is not supported.
func (r *relayServer) AllocateConn(turn.AllocateConnConfig) (net.Conn, error) {
	return nil, errors.ErrUnsupported
}

func newRelayServer(t *testing.T, config *tls.Config) *relayServer {
	t.Helper()
	r := &relayServer{}
	tcp, err := net.Listen("tcp4", "127.0.0.1:0")
	must(t, err)
	r.tcp = tcp.Addr().String()
	if config != nil {
		tcp = tls.NewListener(tcp, config)
	}
	udp, err := net.ListenPacket("udp4", "127.0.0.1:0")
	must(t, err)
	r.udp = udp.LocalAddr().String()
	s, err := turn.NewServer(turn.ServerConfig{
		Realm: "test",
		AuthHandler: func(a *turn.RequestAttributes) (string, []byte, bool) {
			return a.Username, turn.GenerateAuthKey(relayUser, "test", relayPassword), a.Username == relayUser
		},
		ListenerConfigs:   []turn.ListenerConfig{{Listener: tcp, RelayAddressGenerator: r}},
		PacketConnConfigs: []turn.PacketConnConfig{{PacketConn: udp, RelayAddressGenerator: r}},
	})
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return r
}

func relayConfig(url string) Config {
	c := DefaultConfig()
	c.RelayOnly = true
	c.ICEServers = []ICEServer{{URLs: []string{url}, Username: relayUser, Credential: relayPassword}}
	return c
}

func overTCP(address string) string { return "turn:" + address + "?transport=tcp" }

// trickled passes the camera's candidates on to the viewer until the end.
func (p *peer) trickled() {
	go func() {
		for x := range p.signals {
			c, ok := x.(proto.Candidates)
			if !ok {
				return
			}
			for _, x := range c.Candidates {
				_ = p.pc.AddICECandidate(candidateInit(x))
			}
		}
	}()
}

// socketInodes lists this process's sockets by what the kernel says of them. It reads
// until it has read the same twice: a table of the whole machine's sockets is not read
// at one moment, and while others come and go an entry can be passed over.
func socketInodes(t *testing.T) map[string]string {
	t.Helper()
	last := readInodes(t)
	for {
		now := readInodes(t)
		if maps.Equal(now, last) {
			return now
		}
		last = now
	}
}

func readInodes(t *testing.T) map[string]string {
	t.Helper()
	own := map[string]bool{}
	fds, err := filepath.Glob("/proc/self/fd/*")
	must(t, err)
	for _, fd := range fds {
		if to, err := os.Readlink(fd); err == nil && strings.HasPrefix(to, "socket:[") {
			own[strings.Trim(to, "socket:[]")] = true
		}
	}
	all := map[string]string{}
	for _, proto := range []string{"udp", "udp6", "tcp", "tcp6"} {
		b, err := os.ReadFile("/proc/self/net/" + proto)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) > 9 && own[f[9]] {
				all[f[9]] = proto + " " + f[1] + " " + f[2] + " state " + f[3]
			}
		}
	}
	return all
}

// added lists the sockets that are in after and not in before.
func added(before, after map[string]string) (l []string) {
	for inode, s := range after {
		if before[inode] == "" {
			l = append(l, s)
		}
	}
	slices.Sort(l)
	return l
}

func TestNoSocketWithoutASession(t *testing.T) {
	none := socketInodes(t)
	r := newRig(t, DefaultConfig(), newCamera(false))
	r.picture(true, 3000)
	if l := added(none, socketInodes(t)); len(l) != 0 {
		t.Fatalf("sockets of an idle server: %v", l)
	}
	p := newPeer(t, peerOptions{})
	text := p.offer(peerOptions{})
	viewer := socketInodes(t)
	start := func(name string) *Session {
		s, _, err := r.Start(t.Context(), Offer{Client: "c", Owner: true, Session: name, SDP: text, View: true, Signal: p.signal})
		must(t, err)
		return s
	}
	one, two := start("one"), start("two")
	if l := added(viewer, socketInodes(t)); len(l) != 1 || !strings.HasPrefix(l[0], "udp") {
		t.Errorf("sockets of two sessions: %v, want one of UDP", l)
	}
	must(t, r.Bye("c", "one"))
	<-one.Done()
	if l := added(viewer, socketInodes(t)); len(l) != 1 {
		t.Errorf("sockets of the second session: %v, want the same one", l)
	}
	must(t, r.Bye("c", "two"))
	<-two.Done()
	if l := added(viewer, socketInodes(t)); len(l) != 0 {
		t.Errorf("sockets after the last session: %v", l)
	}
}

func TestRelayOnlyBindsNothing(t *testing.T) {
	relay := newRelayServer(t, nil)
	r := newRig(t, relayConfig(overTCP(relay.tcp)), newCamera(false))
	r.stream(5*time.Millisecond, 5)
	p := newPeer(t, peerOptions{})
	text := p.offer(peerOptions{})
	before := socketInodes(t)
	p.begin(r, "one", text)
	p.trickled()
	get(t, p.video)
	var bound, connected []string
	for _, s := range added(before, socketInodes(t)) {
		switch {
		case strings.HasPrefix(s, "udp") && !relay.relays(s):
			bound = append(bound, s)
		case strings.HasPrefix(s, "tcp"):
			connected = append(connected, s)
		}
	}
	if len(bound) != 0 {
		t.Errorf("bound: %v", bound)
	}
	const established = "state 01"
	if len(connected) != 2 || !strings.Contains(connected[0], established) || !strings.Contains(connected[1], established) {
		t.Errorf("TCP: %v, want both ends of one connection", connected)
	}
	if strings.Contains(p.answer, "typ host") || strings.Contains(p.answer, "typ srflx") {
		t.Errorf("the answer tells the camera's address: %s", p.answer)
	}
	eventually(t, "health says that the relay answers", func() bool { return r.live().State == health.OK })
}

func (r *relayServer) relays(socket string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.relayed, func(port int) bool { return strings.Contains(socket, fmt.Sprintf(":%04X ", port)) })
}

func (r *rig) live() health.Status {
	for _, s := range r.board.Snapshot() {
		if s.Name == "live" {
			return s
		}
	}
	return health.Status{}
}

// stallable forwards a TCP connection until it is told to read no more.
type stallable struct {
	address string
	mu      sync.Mutex
	conn    *net.TCPConn  // from the camera
	stalled chan struct{} // closed to stall
	parked  chan struct{} // closed when it reads no more
}

func newStallable(t *testing.T, to string) *stallable {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	must(t, err)
	s := &stallable{address: l.Addr().String(), stalled: make(chan struct{}), parked: make(chan struct{})}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		relay, err := net.Dial("tcp", to)
		if err != nil {
			return
		}
		t.Cleanup(func() { _ = c.Close(); _ = relay.Close() })
		s.mu.Lock()
		s.conn = c.(*net.TCPConn)
		s.mu.Unlock()
		go func() { _, _ = io.Copy(c, relay) }()
		s.forward(relay)
	}()
	return s
}

func (s *stallable) forward(relay net.Conn) {
	defer close(s.parked)
	buf := make([]byte, 4096)
	for {
		select {
		case <-s.stalled:
			return
		default:
		}
		n, err := s.conn.Read(buf)
		if err != nil {
			return
		}
		if _, err := relay.Write(buf[:n]); err != nil {
			return
		}
	}
}

// arrived is how many bytes the kernel holds that were not read.
func (s *stallable) arrived(t *testing.T) (n int) {
	t.Helper()
	raw, err := s.conn.SyscallConn()
	must(t, err)
	must(t, raw.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.TIOCINQ) }))
	must(t, err)
	return n
}

// reset reports whether the camera ended the connection by RST, not by FIN: nothing is left
// of it then (tcp(7), TCP_CLOSE), while after a FIN this side still has to close. The error of
// a read does not tell: the kernel says it once, and a write the other way may have had it.
func (s *stallable) reset(t *testing.T) bool {
	t.Helper()
	const tcpClose = 7
	raw, err := s.conn.SyscallConn()
	must(t, err)
	var info *unix.TCPInfo
	must(t, raw.Control(func(fd uintptr) { info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) }))
	must(t, err)
	return info.State == tcpClose
}

func TestAStalledRelayEndsAtOnceAndNothingLeavesAfter(t *testing.T) {
	relay := newRelayServer(t, nil)
	path := newStallable(t, relay.tcp)
	r := newRig(t, relayConfig(overTCP(path.address)), newCamera(false))
	p := newPeer(t, peerOptions{})
	p.begin(r, "one", p.offer(peerOptions{}))
	p.trickled()
	r.picture(true, 20000)
	get(t, p.video)
	close(path.stalled)
	var last uint64
	for same := 0; same < 20; { // until the queues are full and the writer blocks
		r.picture(true, 60000)
		time.Sleep(5 * time.Millisecond)
		if n := p.session.Stats().Packets; n == last {
			same++
		} else {
			last, same = n, 0
		}
	}
	if l := r.Viewers(); len(l) != 1 {
		t.Fatalf("%d viewers before the end, want 1", len(l))
	}
	p.cancel(nil)
	get(t, p.session.Done())
	<-path.parked
	held := path.arrived(t)
	rest, err := io.ReadAll(path.conn)
	if len(rest) > held {
		t.Errorf("%d bytes came after the end (%v)", len(rest)-held, err)
	}
	if held == 0 {
		t.Error("nothing was held up: the relay was not stalled")
	}
	if !path.reset(t) {
		t.Errorf("the connection was closed in good order (%v): its queue may have left", err)
	}
}

// Nobody says bye here: the viewer is gone, or the relay hostile.
func TestAStalledRelayIsGivenUp(t *testing.T) {
	relay := newRelayServer(t, nil)
	path := newStallable(t, relay.tcp)
	r := newRig(t, relayConfig(overTCP(path.address)), newCamera(false))
	p := newPeer(t, peerOptions{})
	p.begin(r, "one", p.offer(peerOptions{}))
	p.trickled()
	r.picture(true, 20000)
	get(t, p.video)
	close(path.stalled)
	r.stream(5*time.Millisecond, 10)
	<-path.parked
	eventually(t, "the camera resets the connection", func() bool {
		raw, err := path.conn.SyscallConn()
		must(t, err)
		var broken int
		must(t, raw.Control(func(fd uintptr) { broken, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR) }))
		must(t, err)
		return syscall.Errno(broken) == syscall.ECONNRESET
	})
}

func TestARelayThatCannotBeHadIsReported(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"other.example.org"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}} //nolint:gosec // a test
	closed, err := net.Listen("tcp4", "127.0.0.1:0")
	must(t, err)
	must(t, closed.Close())
	wrongLogin := relayConfig(overTCP(newRelayServer(t, nil).tcp))
	wrongLogin.ICEServers[0].Credential = "wrong"
	for name, cfg := range map[string]Config{
		"wrong certificate": relayConfig("turns:" + newRelayServer(t, config).tcp + "?transport=tcp"),
		"nobody there":      relayConfig(overTCP(closed.Addr().String())),
		"wrong login":       wrongLogin,
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, cfg, newCamera(false))
			p := newPeer(t, peerOptions{})
			p.begin(r, "one", p.offer(peerOptions{}))
			eventually(t, "it is reported", func() bool { return r.live().State == health.Degraded })
			if p.session.relay.String() == "" {
				t.Error("the log will not tell the cause")
			}
		})
	}
}

func TestRelayOverUDP(t *testing.T) {
	relay := newRelayServer(t, nil)
	r := newRig(t, relayConfig("turn:"+relay.udp+"?transport=udp"), newCamera(false))
	r.stream(5*time.Millisecond, 5)
	p := newPeer(t, peerOptions{})
	p.begin(r, "one", p.offer(peerOptions{}))
	p.trickled()
	get(t, p.video)
}
