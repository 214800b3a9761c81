package hostile

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/test/sound"
)

// Viewer is a WebRTC end of the attacker: it makes an offer, and counts what it is
// sent whatever that is.
type Viewer struct {
	Offer   string // with all candidates
	Packets atomic.Int64

	tb     testing.TB
	voice  *sound.Wire       // nil: it only watches
	look   func(*rtp.Packet) // looks at what it is sent of pictures; nil: nobody does
	pc     *webrtc.PeerConnection
	states chan webrtc.PeerConnectionState
}

// NewViewer makes one that wants picture and sound. It ends with the test.
func NewViewer(tb testing.TB) *Viewer {
	tb.Helper()
	return newViewer(tb, false, func(*webrtc.SettingEngine) {})
}

// NewSpeaker makes one whose sound goes both ways.
func NewSpeaker(tb testing.TB) *Viewer {
	tb.Helper()
	return newViewer(tb, true, func(*webrtc.SettingEngine) {})
}

func newViewer(tb testing.TB, speaks bool, set func(*webrtc.SettingEngine), more ...func(*webrtc.API)) *Viewer {
	tb.Helper()
	var e webrtc.SettingEngine
	e.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	e.SetIncludeLoopbackCandidate(true)
	set(&e)
	pc, err := webrtc.NewAPI(append(more, webrtc.WithSettingEngine(e))...).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = pc.GracefulClose() })
	v := &Viewer{tb: tb, pc: pc, states: make(chan webrtc.PeerConnectionState, 16)}
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) { v.states <- s })
	pc.OnTrack(func(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		for {
			p, _, err := t.ReadRTP()
			if err != nil {
				return
			}
			v.Packets.Add(1)
			if v.look != nil && t.Kind() == webrtc.RTPCodecTypeVideo {
				v.look(p)
			}
		}
	})
	if speaks {
		v.speak()
	}
	v.offer()
	return v
}

func (v *Viewer) speak() {
	v.tb.Helper()
	v.voice = &sound.Wire{}
	if _, err := v.pc.AddTransceiverFromTrack(v.voice, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendrecv}); err != nil {
		v.tb.Fatal(err)
	}
}

// Say sends an Opus packet of 20 ms, which may be any bytes. Whether the camera hears
// it is not the sender's to know.
func (v *Viewer) Say(packet []byte) {
	v.tb.Helper()
	if err := v.voice.Say(packet); err != nil {
		v.tb.Fatal(err)
	}
}

// Send sends any RTP packet as the voice's, with the source and payload type that were
// negotiated where it has none. It may be called from any goroutine.
func (v *Viewer) Send(p *rtp.Packet) error { return v.voice.Send(p) }

func (v *Viewer) offer() {
	v.tb.Helper()
	kinds := []webrtc.RTPCodecType{webrtc.RTPCodecTypeVideo}
	if v.voice == nil {
		kinds = append(kinds, webrtc.RTPCodecTypeAudio)
	}
	for _, kind := range kinds {
		if _, err := v.pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
			v.tb.Fatal(err)
		}
	}
	d, err := v.pc.CreateOffer(nil)
	if err != nil {
		v.tb.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(v.pc)
	if err := v.pc.SetLocalDescription(d); err != nil {
		v.tb.Fatal(err)
	}
	<-gathered
	v.Offer = v.pc.LocalDescription().SDP
}

// Answer applies a camera's answer, which the attacker may have changed.
func (v *Viewer) Answer(sdp string) {
	v.tb.Helper()
	if err := v.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: sdp}); err != nil {
		v.tb.Fatal(err)
	}
}

// State waits for the connection to be in one of these states, and gives it.
func (v *Viewer) State(want ...webrtc.PeerConnectionState) webrtc.PeerConnectionState {
	v.tb.Helper()
	deadline := time.After(Patience)
	for {
		select {
		case s := <-v.states:
			if slices.Contains(want, s) {
				return s
			}
		case <-deadline:
			v.tb.Fatalf("the connection never was %v", want)
		}
	}
}

// LiveRequest is the body of a request for picture and sound.
func (v *Viewer) LiveRequest() proto.LiveRequest {
	return proto.LiveRequest{SDP: v.Offer, Scopes: []proto.Scope{proto.ScopeView, proto.ScopeListen}}
}
