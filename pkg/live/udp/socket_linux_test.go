package udp

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestSocketTakesIPv4 runs where package net can't find out whether one socket takes both
// families: it binds TCP sockets for that, and camd's sandbox lets none be bound
// (SocketBindDeny in camd.service).
func TestSocketTakesIPv4(t *testing.T) {
	const inside = "CAMD_TEST_WITHOUT_TCP"
	if os.Getenv(inside) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestSocketTakesIPv4$")
		cmd.Env = append(os.Environ(), inside+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	if err := forbidTCP(); err != nil {
		t.Fatalf("seccomp: %v", err)
	}
	s, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close() //nolint:errcheck // the test is over
	raw, err := s.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	only := -1
	if e := raw.Control(func(fd uintptr) {
		only, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_V6ONLY)
	}); e != nil || err != nil || only != 0 {
		t.Errorf("the socket leaves IPv4 out: %d, %v, %v", only, err, e)
	}
}

// forbidTCP has socket(2) refuse IPv6 stream sockets to this process, seccomp(2).
func forbidTCP() error {
	const number, domain, kind = 0, 16, 24 // offsets in struct seccomp_data
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: number},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_SOCKET, Jf: 6},
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: domain},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.AF_INET6, Jf: 4},
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: kind},
		{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: 0xf},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SOCK_STREAM, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(syscall.EPERM)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return errno
	}
	return nil
}

// TestBatchLeavesWhileAnotherWriterHoldsTheSocket holds the lock that package net takes for
// each write, as a viewer would whose packets the kernel takes slowly.
func TestBatchLeavesWhileAnotherWriterHoldsTheSocket(t *testing.T) {
	for _, way := range []string{"UDP_SEGMENT", "sendmmsg"} {
		t.Run(way, func(t *testing.T) {
			s := testSocket(t)
			prefer(t, s, way)
			to, addr := receiver(t, "udp4", "127.0.0.1:0")
			b, err := s.Batch(7)
			must(t, err)
			held, release, done := make(chan struct{}), make(chan struct{}), make(chan error)
			go func() {
				done <- s.raw.Write(func(uintptr) bool {
					close(held)
					<-release
					return true
				})
			}()
			<-held
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				b.Begin()
				for i := range 3 {
					_, _ = s.WriteToAddrPort(rtpPacket(7, i, 500), addr)
				}
				b.Flush()
			}()
			buf := make([]byte, 2000)
			for i := range 3 {
				n, _, err := to.ReadFromUDPAddrPort(buf)
				if err != nil || n != 500 || buf[20] != byte(i) {
					t.Errorf("packet %d: %d bytes of %d, %v", i, n, buf[20], err)
				}
			}
			close(release)
			<-sent
			must(t, <-done)
		})
	}
}

// TestPacketsAreReadWhenABatchLeaves has packets wait for ever, so that whatever ends a
// read is what the test names.
func TestPacketsAreReadWhenABatchLeaves(t *testing.T) {
	s := testSocket(t)
	s.restTime = time.Hour
	viewer, addr := receiver(t, "udp4", "127.0.0.1:0")
	own := netip.AddrPortFrom(addr.Addr(), s.LocalAddr().(*net.UDPAddr).AddrPort().Port())
	b, err := s.Batch(7)
	must(t, err)
	leave := func() {
		b.Begin()
		_, _ = s.WriteToAddrPort(rtpPacket(7, 1, 500), addr)
		b.Flush()
	}
	read := make(chan string)
	go func() {
		for buf := make([]byte, 100); ; {
			n, _, err := s.ReadFromAddrPort(buf)
			if err != nil {
				return
			}
			read <- string(buf[:n])
		}
	}()
	arrive := func(text string) {
		_, err := viewer.WriteToUDPAddrPort([]byte(text), own)
		must(t, err)
	}
	expect := func(text string) {
		t.Helper()
		select {
		case got := <-read:
			if got != text {
				t.Fatalf("read %q, want %q", got, text)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%q was not read", text)
		}
	}
	leave() // so that the goroutine rests, or reads what has come
	arrive("one")
	arrive("two")
	leave()
	expect("one")
	expect("two")
	done := s.Hurry()
	arrive("three")
	expect("three")
	done()
	done()
	if n := s.hurried.Load(); n != 0 {
		t.Errorf("%d in a hurry, want none", n)
	}
}

func TestReadingRestsOnlyWhileBatchesLeave(t *testing.T) {
	s := testSocket(t)
	s.restTime = time.Millisecond
	s.rest()
	if !s.still {
		t.Error("it went on waiting for a batch")
	}
	s.restTime = time.Hour
	s.rest() // doesn't wait for the next one
}

func TestReadingAllocatesNothing(t *testing.T) {
	s := testSocket(t)
	viewer, addr := receiver(t, "udp4", "127.0.0.1:0")
	own := netip.AddrPortFrom(addr.Addr(), s.LocalAddr().(*net.UDPAddr).AddrPort().Port())
	p, buf := []byte("report"), make([]byte, 100)
	if n := testing.AllocsPerRun(100, func() {
		_, _ = viewer.WriteToUDPAddrPort(p, own)
		s.wake()
		_, _, _ = s.ReadFromAddrPort(buf)
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}
