package hostile

import (
	"net"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/pion/webrtc/v4"
	"golang.org/x/sys/unix"
)

// Tap is the UDP socket of a viewer. It notes when the kernel got each packet of media,
// by SO_TIMESTAMPNS (socket(7)), so that it does not matter when anyone reads it.
type Tap struct {
	*net.UDPConn

	mu      sync.Mutex
	arrived []time.Time
}

// NewTappedViewer makes a viewer with a socket of its own that shows what arrives.
func NewTappedViewer(tb testing.TB) (*Viewer, *Tap) {
	tb.Helper()
	c, err := net.ListenUDP("udp4", nil)
	if err != nil {
		tb.Fatal(err)
	}
	raw, err := c.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) {
			if err := unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil {
				tb.Fatal(err)
			}
		})
	}
	if err != nil {
		tb.Fatal(err)
	}
	t := &Tap{UDPConn: c}
	mux := webrtc.NewICEUDPMux(nil, t)
	tb.Cleanup(func() { _ = mux.Close() })
	return newViewer(tb, false, func(e *webrtc.SettingEngine) { e.SetICEUDPMux(mux) }), t
}

// ReadFrom reads one packet.
func (t *Tap) ReadFrom(b []byte) (int, net.Addr, error) {
	oob := make([]byte, unix.CmsgSpace(int(unsafe.Sizeof(unix.Timespec{}))))
	n, more, _, from, err := t.ReadMsgUDP(b, oob)
	if err != nil {
		return n, nil, err
	}
	if n > 0 && b[0]>>6 == 2 { // RTP or RTCP (RFC 7983)
		t.note(oob[:more])
	}
	return n, from, nil
}

func (t *Tap) note(oob []byte) {
	at := time.Now()
	if l, err := unix.ParseSocketControlMessage(oob); err == nil && len(l) == 1 && l[0].Header.Type == unix.SCM_TIMESTAMPNS {
		ts := *(*unix.Timespec)(unsafe.Pointer(&l[0].Data[0]))
		at = time.Unix(ts.Unix())
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.arrived = append(t.arrived, at)
}

// Media counts the packets of media, reports included, that arrived after a moment.
func (t *Tap) Media(after time.Time) (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, at := range t.arrived {
		if at.After(after) {
			n++
		}
	}
	return n
}
