package udp

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"
)

func preferWay(s *Socket, way string) error {
	switch {
	case way == "sendmmsg":
		s.noGSO.Store(true)
	case s.noGSO.Load():
		return errors.New("the kernel has no UDP_SEGMENT")
	}
	return nil
}

func TestRefusalsOfSegmentation(t *testing.T) {
	for err, want := range map[error]bool{
		unix.EIO: true, unix.EINVAL: true, unix.ENOPROTOOPT: true, fmt.Errorf("write: %w", unix.EIO): true,
		unix.ENETUNREACH: false, unix.ENOBUFS: false, nil: false,
	} {
		if refusesGSO(err) != want {
			t.Errorf("refusesGSO(%v) = %v", err, !want)
		}
	}
}

// The kernel refuses more than 64 or 128 segments with EINVAL, as it refuses
// segments beyond the path's MTU: everything must arrive all the same, and it is
// not asked again.
func TestRefusedBatchIsSentByOtherMeans(t *testing.T) {
	s := testSocket(t)
	must(t, preferWay(s, "UDP_SEGMENT"))
	to, addr := receiver(t, "udp4", "127.0.0.1:0")
	const size, count = 400, 140
	buf := make([]byte, 0, size*count)
	for i := range count {
		buf = append(buf, bytes.Repeat([]byte{byte(i)}, size)...)
	}
	s.segments(s.UDPConn, buf[:size*count-100], size, addr)
	if !s.noGSO.Load() {
		t.Error("the refusal was not remembered")
	}
	b := make([]byte, 2000)
	for i := range count {
		want := size
		if i == count-1 {
			want -= 100
		}
		n, _, err := to.ReadFromUDPAddrPort(b)
		must(t, err)
		if n != want || b[0] != byte(i) {
			t.Fatalf("packet %d: %d bytes of %d, want %d", i, n, b[0], want)
		}
	}
}
