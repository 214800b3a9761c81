package udp

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func receiver(t testing.TB, network, address string) (*net.UDPConn, netip.AddrPort) {
	t.Helper()
	c, err := net.ListenPacket(network, address)
	if err != nil {
		t.Skipf("no %s here: %v", network, err)
	}
	u := c.(*net.UDPConn)
	must(t, u.SetReadBuffer(4<<20))
	must(t, u.SetReadDeadline(time.Now().Add(20*time.Second)))
	t.Cleanup(func() { _ = c.Close() })
	return u, u.LocalAddr().(*net.UDPAddr).AddrPort()
}

// rtpPacket makes bytes that look like RTP of a stream.
func rtpPacket(ssrc uint32, n, size int) []byte {
	b := bytes.Repeat([]byte{byte(n)}, size)
	b[0], b[1] = 0x80, 108
	binary.BigEndian.PutUint32(b[8:], ssrc)
	return b
}

func testSocket(t testing.TB) *Socket {
	t.Helper()
	s, err := Open()
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestBatchArrivesAsItWasWritten(t *testing.T) {
	for _, way := range []string{"UDP_SEGMENT", "sendmmsg"} {
		for network, address := range map[string]string{"udp4": "127.0.0.1:0", "udp6": "[::1]:0"} {
			t.Run(way+" "+network, func(t *testing.T) {
				s := testSocket(t)
				prefer(t, s, way)
				batchArrives(t, s, network, address)
			})
		}
	}
}

func batchArrives(t *testing.T, s *Socket, network, address string) {
	to, addr := receiver(t, network, address)
	b, err := s.Batch(7)
	must(t, err)
	var sizes []int
	sizes = append(sizes, 40) // parameter sets
	for range 130 {           // more than two full batches
		sizes = append(sizes, 1196)
	}
	sizes = append(sizes, 300, 1196, 1196, 300, 300, 12) // ends of NAL units
	b.Begin()
	for i, n := range sizes {
		_, err := s.WriteToAddrPort(rtpPacket(7, i, n), addr)
		must(t, err)
	}
	b.Flush()
	buf := make([]byte, 2000)
	for i, n := range sizes {
		k, _, err := to.ReadFromUDPAddrPort(buf)
		must(t, err)
		if !bytes.Equal(buf[:k], rtpPacket(7, i, n)) {
			t.Fatalf("packet %d: got %d bytes of %d, want %d of %d", i, k, buf[k-1], n, byte(i))
		}
	}
}

func TestOnlyAnOpenBatchCollects(t *testing.T) {
	s := testSocket(t)
	to, addr := receiver(t, "udp4", "127.0.0.1:0")
	b, err := s.Batch(7)
	must(t, err)
	stun := append([]byte{0, 1, 0, 0}, bytes.Repeat([]byte{1}, 20)...)
	report := rtpPacket(7, 3, 20)
	report[1] = 200
	b.Begin()
	for _, p := range [][]byte{rtpPacket(7, 1, 100), rtpPacket(8, 2, 100), report, stun} {
		_, err := s.WriteToAddrPort(p, addr)
		must(t, err)
	}
	buf := make([]byte, 2000)
	for _, want := range [][]byte{rtpPacket(8, 2, 100), report, stun} {
		n, _, err := to.ReadFromUDPAddrPort(buf)
		must(t, err)
		if !bytes.Equal(buf[:n], want) {
			t.Fatalf("got %x, want %x at once", buf[:n], want)
		}
	}
	b.Flush()
	n, _, err := to.ReadFromUDPAddrPort(buf)
	must(t, err)
	if !bytes.Equal(buf[:n], rtpPacket(7, 1, 100)) {
		t.Errorf("the batch held %x", buf[:n])
	}
}

func TestBatchIsSplitByDestination(t *testing.T) {
	s := testSocket(t)
	one, addr1 := receiver(t, "udp4", "127.0.0.1:0")
	two, addr2 := receiver(t, "udp4", "127.0.0.1:0")
	b, err := s.Batch(7)
	must(t, err)
	b.Begin()
	for i := range 6 { // the path changes in the middle of a frame
		to := addr1
		if i >= 3 {
			to = addr2
		}
		_, err := s.WriteToAddrPort(rtpPacket(7, i, 500), to)
		must(t, err)
	}
	b.Flush()
	buf := make([]byte, 2000)
	for i := range 6 {
		c := one
		if i >= 3 {
			c = two
		}
		n, _, err := c.ReadFromUDPAddrPort(buf)
		must(t, err)
		if n != 500 || buf[20] != byte(i) {
			t.Errorf("packet %d: %d bytes of %d", i, n, buf[20])
		}
	}
}

func TestInboundIsBounded(t *testing.T) {
	f := newInbound()
	now := time.Now()
	taken := func(n int, every time.Duration) (k int) {
		for range n {
			now = now.Add(every)
			if f.AllowN(now, 1) {
				k++
			}
		}
		return k
	}
	if got := taken(100_000, 0); got != inboundBurst {
		t.Errorf("%d at once, want %d", got, inboundBurst)
	}
	if got := taken(100_000, 10*time.Microsecond); got < inboundRate-1 || got > inboundRate+1 {
		t.Errorf("%d in a second, want %d", got, inboundRate)
	}
	if got := taken(1000, 2*time.Second/inboundRate); got != 1000 {
		t.Errorf("%d of 1000 at half the rate", got)
	}
}

func TestTwoStreamsNeverShareABatch(t *testing.T) {
	s := testSocket(t)
	b, err := s.Batch(7)
	must(t, err)
	if _, err := s.Batch(7); err == nil {
		t.Fatal("a second batch for one synchronisation source")
	}
	b.Close()
	if _, err := s.Batch(7); err != nil {
		t.Errorf("after Close: %v", err)
	}
}

func TestBatchAllocatesNothing(t *testing.T) {
	for _, way := range []string{"UDP_SEGMENT", "sendmmsg"} {
		t.Run(way, func(t *testing.T) {
			s := testSocket(t)
			prefer(t, s, way)
			_, addr := receiver(t, "udp4", "127.0.0.1:0")
			b, err := s.Batch(7)
			must(t, err)
			p := rtpPacket(7, 1, 1196)
			if n := testing.AllocsPerRun(100, func() {
				b.Begin()
				for range 15 {
					_, _ = s.WriteToAddrPort(p, addr)
				}
				b.Flush()
			}); n != 0 {
				t.Errorf("%v allocations per batch, want 0", n)
			}
		})
	}
}

func TestNilBatchDoesNothing(t *testing.T) {
	var b *Batch
	b.Begin()
	b.Flush()
	if b != nil {
		t.Fatal("unreachable")
	}
}

func BenchmarkBatch(bench *testing.B) {
	for _, way := range []string{"UDP_SEGMENT", "sendmmsg", "singly"} {
		bench.Run(way, func(bench *testing.B) {
			s := testSocket(bench)
			prefer(bench, s, way)
			_, addr := receiver(bench, "udp4", "127.0.0.1:0")
			b, err := s.Batch(7)
			must(bench, err)
			p := rtpPacket(7, 1, 1196)
			for bench.Loop() {
				if way != "singly" {
					b.Begin()
				}
				for range 15 {
					_, _ = s.WriteToAddrPort(p, addr)
				}
				b.Flush()
			}
		})
	}
}

func prefer(t testing.TB, s *Socket, way string) {
	t.Helper()
	if err := preferWay(s, way); err != nil {
		t.Skipf("%s on %s: %v", way, runtime.GOOS, err)
	}
}
