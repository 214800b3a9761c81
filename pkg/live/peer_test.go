package live

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/proto"
)

// ownAddress is an address of this machine that a viewer may have: one of its network,
// or loopback where there is nothing else.
func ownAddress() string {
	for _, p := range proto.OwnNetworks() {
		if a := p.Addr(); a.Is4() && a.IsGlobalUnicast() {
			return a.String()
		}
	}
	return "127.0.0.1"
}

// hole is a socket that a viewer names as its own.
type hole struct {
	net.PacketConn
	candidate string
}

func newHole(t *testing.T, address string) hole {
	t.Helper()
	c, err := net.ListenPacket("udp4", address+":0")
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	port := c.LocalAddr().(*net.UDPAddr).Port
	return hole{c, fmt.Sprintf("candidate:%d 1 udp 2130706431 %s %d typ host", port, address, port)}
}

func (e hole) next(t *testing.T) string {
	t.Helper()
	b := make([]byte, 1500)
	n, _, err := e.ReadFrom(b)
	must(t, err)
	return string(b[:n])
}

// nothing fails if anything came before now.
func (e hole) nothing(t *testing.T) {
	t.Helper()
	_, err := e.WriteTo([]byte("now"), e.LocalAddr())
	must(t, err)
	if got := e.next(t); got != "now" {
		t.Errorf("%v got %x", e.LocalAddr(), got)
	}
}

// TestNoCheckGoesWhereNoViewerIs names a socket on loopback and one on the network as
// the viewer's. pion checks every candidate that it has in each round, so when the
// second has heard of three rounds, the first would have heard of two.
func TestNoCheckGoesWhereNoViewerIs(t *testing.T) {
	if proto.OwnNetworks().OnlyLoopback() {
		t.Skip("this machine has no network but loopback, so that viewers may be there (ip link add dummy0 type dummy)")
	}
	for name, trickle := range map[string]bool{"in the offer": false, "trickled": true} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, DefaultConfig(), newCamera(false))
			bad := newHole(t, "127.0.0.1")
			good := newHole(t, ownAddress())
			text := crlf(chromium)
			if !trickle {
				text = strings.Replace(text, "a=mid:0\r\n", "a=mid:0\r\na="+bad.candidate+"\r\na="+good.candidate+"\r\n", 1)
			}
			_, _, err := r.Start(t.Context(), Offer{Client: "c", Session: "s", SDP: text, View: true, Signal: func(proto.SignalKind, any) {}})
			must(t, err)
			if trickle {
				must(t, r.AddCandidates("c", "s", proto.Candidates{Candidates: []proto.Candidate{{Candidate: bad.candidate}, {Candidate: good.candidate}}}))
			}
			for range 3 {
				good.next(t)
			}
			bad.nothing(t)
		})
	}
}

func TestCandidatesThatAreNone(t *testing.T) {
	r := newRig(t, DefaultConfig(), newCamera(false))
	_, _, err := r.Start(t.Context(), Offer{Client: "c", Session: "s", SDP: crlf(chromium), View: true, Signal: func(proto.SignalKind, any) {}})
	must(t, err)
	for _, foundation := range []string{"a!b", "a\tb", "é", strings.Repeat("a", 33)} {
		c := proto.Candidate{Candidate: "candidate:" + foundation + " 1 udp 1 203.0.113.5 9 typ host"}
		refused(t, r.AddCandidates("c", "s", proto.Candidates{Candidates: []proto.Candidate{c}}), proto.CodeBadRequest)
	}
}
