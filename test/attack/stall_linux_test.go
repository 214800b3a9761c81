package attack

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/test/hostile"
	"github.com/camd-project/camd/test/rig"
)

// stalling is what stands before a relay, and can stop reading what the camera sends.
type stalling struct {
	address string
	stall   chan struct{} // closed to stall
	parked  sync.WaitGroup

	mu    sync.Mutex
	conns []*net.TCPConn // from the camera
}

// newStalling stands before the relay at a TURN URL. Little fits in its queues.
func newStalling(t *testing.T, url string) *stalling {
	t.Helper()
	to := strings.TrimSuffix(strings.TrimPrefix(url, "turn:"), "?transport=tcp")
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &stalling{address: "turn:" + l.Addr().String() + "?transport=tcp", stall: make(chan struct{})}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.pass(t, c.(*net.TCPConn), to)
		}
	}()
	return s
}

// pass carries one connection on.
func (s *stalling) pass(t *testing.T, c *net.TCPConn, to string) {
	relay, err := net.Dial("tcp4", to)
	if err != nil {
		_ = c.Close()
		return
	}
	t.Cleanup(func() { _ = c.Close(); _ = relay.Close() })
	_ = c.SetReadBuffer(4096)
	s.mu.Lock()
	s.conns = append(s.conns, c)
	s.mu.Unlock()
	go func() { _, _ = io.Copy(c, relay) }()
	s.parked.Go(func() {
		for buf := make([]byte, 1024); ; {
			select {
			case <-s.stall:
				return
			default:
			}
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			if _, err := relay.Write(buf[:n]); err != nil {
				return
			}
		}
	})
}

// control runs act on a connection's descriptor.
func control(t *testing.T, c *net.TCPConn, act func(fd int) (int, error)) (n int) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err == nil {
		err = errors.Join(raw.Control(func(fd uintptr) { n, err = act(int(fd)) }), err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// arrived is how many bytes of the camera's the kernel holds here.
func arrived(t *testing.T, c *net.TCPConn) int {
	t.Helper()
	return control(t, c, func(fd int) (int, error) { return unix.IoctlGetInt(fd, unix.TIOCINQ) })
}

// queued is how many the camera's kernel holds back.
func (h *house) queued(c *net.TCPConn) (n uint64) {
	h.t.Helper()
	for _, s := range h.Sockets() {
		if s.Local.String() == c.RemoteAddr().String() {
			n += s.Queued
		}
	}
	return n
}

// TestT5 again, through a relay over TCP that stops reading: what was queued by then
// would come out later, when it reads on. That is what it does after the answer.
func TestT5NothingLeavesAStalledRelayAfterTheAnswer(t *testing.T) {
	relay := hostile.StartRelay(t, rig.Address())
	path := newStalling(t, relay.TCP)
	h := newHomeWith(t, newKeys(t), fmt.Sprintf("[capture]\nsource = \"synthetic\"\nwidth = 1280\nheight = 720\nrate = 30\n[audio]\nsource = \"tone\"\n"+
		"[live]\nrelay_only = true\n[[live.ice_servers]]\nurls = [%q]\nusername = %q\ncredential = %q\n", path.address, hostile.RelayUser, hostile.RelaySecret))
	ben := h.Invite(h.owner, proto.Grant{Name: "Ben", Role: proto.RoleAdult})
	cara := h.Invite(ben, proto.Grant{Name: "Cara"})
	for _, c := range []*client.Camera{ben, cara} {
		var seen sync.WaitGroup
		seen.Add(1)
		once := sync.OnceFunc(seen.Done)
		s, err := c.Watch(t.Context(), client.WatchOptions{Video: func(client.Frame) { once() }, Audio: func(client.Frame) {}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		seen.Wait()
	}
	path.mu.Lock()
	conns := path.conns
	path.mu.Unlock()
	h.OutboundOnly("relays only:")
	h.probe.Settle()
	close(path.stall)
	path.parked.Wait() // each reads one last time at most
	for _, c := range conns {
		h.Until("the queues fill", func() bool { return h.queued(c) > 10000 && arrived(t, c) > 0 })
	}
	if len(conns) != 2 {
		t.Fatalf("%d connections to the relay", len(conns))
	}
	h.removes(proto.Revoke{Client: ben.Keys().ID()})
	for _, c := range conns {
		held := arrived(t, c)
		// It ends with a reset, unless the way back to the camera met that first.
		rest, _ := io.ReadAll(c)
		if len(rest) > held || held == 0 {
			t.Errorf("%d bytes came after the answer; %d had come before", len(rest)-held, held)
		}
	}
}
