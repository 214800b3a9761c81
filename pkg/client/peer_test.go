package client

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"

	"github.com/camd-project/camd/pkg/proto"
)

// TestNoCheckGoesWhereNoCameraIs lets a camera name this machine's loopback as its own
// address, and one on the network.
func TestNoCheckGoesWhereNoCameraIs(t *testing.T) {
	own := ""
	for _, p := range proto.OwnNetworks() {
		if a := p.Addr(); a.Is4() && a.IsGlobalUnicast() {
			own = a.String()
		}
	}
	if own == "" {
		t.Skip("this machine has no network but loopback, so that a camera may be there (ip link add dummy0 type dummy)")
	}
	viewer := must(newPeer(nil, false, quiet))
	defer viewer.Close()
	must(viewer.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}))
	offer := must(viewer.CreateOffer(nil))
	camera := must(newPeer(nil, false, quiet))
	defer camera.Close()
	for _, err := range []error{viewer.SetLocalDescription(offer), camera.SetRemoteDescription(offer)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := viewer.SetRemoteDescription(must(camera.CreateAnswer(nil))); err != nil {
		t.Fatal(err)
	}
	var sockets []net.PacketConn
	for _, address := range []string{"127.0.0.1", own} {
		c := must(net.ListenPacket("udp4", address+":0"))
		defer c.Close()
		sockets = append(sockets, c)
		line := fmt.Sprintf("candidate:%d 1 udp 2130706431 %s %d typ host", len(sockets), address, c.LocalAddr().(*net.UDPAddr).Port)
		if err := viewer.AddICECandidate(webrtc.ICECandidateInit{Candidate: line}); err != nil {
			t.Fatal(err)
		}
	}
	b := make([]byte, 1500)
	for range 3 { // rounds, in each of which all candidates are checked
		if _, _, err := sockets[1].ReadFrom(b); err != nil {
			t.Fatal(err)
		}
	}
	must(sockets[0].WriteTo([]byte("now"), sockets[0].LocalAddr()))
	n, _, err := sockets[0].ReadFrom(b)
	if got := string(b[:n]); err != nil || got != "now" {
		t.Errorf("loopback got %x before now, %v", got, err)
	}
}

func TestAnswersCredentials(t *testing.T) {
	const good = "a=ice-ufrag:EOhS\r\na=ice-pwd:lpfWhnTiJv6nTKwUSS1UHFva\r\n"
	if err := checkAnswer(good); err != nil {
		t.Error(err)
	}
	for _, c := range [][2]string{{"EOhS", "EO S"}, {"EOhS", "EOh"}, {"EOhS", strings.Repeat("E", 257)}, {"EOhS", "EOh\x00"}, {"UHFva", ""}, {"UHFva", "UHF=="}} {
		if err := checkAnswer(strings.Replace(good, c[0], c[1], 1)); err == nil {
			t.Errorf("%q was taken", c[1])
		}
	}
}
