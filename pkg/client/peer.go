package client

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/nack"
	"github.com/pion/interceptor/pkg/report"
	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/webrtc/v4"

	"github.com/camd-project/camd/pkg/live/rtc"
	"github.com/camd-project/camd/pkg/proto"
)

// ICE: the waits keep a better path from being overtaken by a worse one that
// answers first. pion's own, of a second and more, are far above a round trip.
const (
	relayWait    = 100 * time.Millisecond
	srflxWait    = 50 * time.Millisecond
	disconnected = 5 * time.Second
	failed       = 5 * time.Second // after that
	keepalive    = 2 * time.Second
	nackInterval = 20 * time.Millisecond
	nackTries    = 10
	// arrivalInterval is the pause between reports of when packets came; libwebrtc's is
	// 50 ms on good links.
	arrivalInterval = 50 * time.Millisecond
)

// replayWindow is the number of packets that SRTP accepts out of order. pion's 64 is less
// than a keyframe of 1080p, so that a lost part of one could never be retransmitted; this
// is what libwebrtc uses.
const replayWindow = 1024

// newPeer returns a PeerConnection that receives H.264 and Opus and nothing else.
func newPeer(servers []ICEServer, relayOnly bool, log *slog.Logger) (*webrtc.PeerConnection, error) {
	var formats []rtc.H264
	// The profile is the camera's to choose: constrained baseline, baseline, main, high.
	for i, profile := range []string{"42e01f", "42001f", "4d001f", "64001f"} {
		fmtp := "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=" + profile
		formats = append(formats, rtc.H264{PayloadType: uint8(102 + i), FMTP: fmtp, RTX: uint8(120 + i)})
	}
	m, err := rtc.MediaEngine("minptime=10;useinbandfec=1", formats...)
	if err != nil {
		return nil, err
	}
	interceptors := &interceptor.Registry{}
	generator, err := nack.NewGeneratorInterceptor(nack.GeneratorInterval(nackInterval), nack.GeneratorMaxNacksPerPacket(nackTries))
	if err != nil {
		return nil, fmt.Errorf("make NACK generator: %w", err)
	}
	reports, err := report.NewReceiverInterceptor()
	if err != nil {
		return nil, fmt.Errorf("make receiver reports: %w", err)
	}
	arrivals, err := twcc.NewSenderInterceptor(twcc.SendInterval(arrivalInterval), twcc.WithLoggerFactory(rtc.Log(log, nil)))
	if err != nil {
		return nil, fmt.Errorf("make transport-wide feedback: %w", err)
	}
	// The first is the nearest to the network: the NACK generator sees what was repaired.
	interceptors.Add(arrivals)
	interceptors.Add(reports)
	interceptors.Add(repairFactory(formats))
	interceptors.Add(generator)
	api := webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(interceptors), webrtc.WithSettingEngine(settings(log)))
	var cfg webrtc.Configuration
	for _, s := range servers {
		cfg.ICEServers = append(cfg.ICEServers, webrtc.ICEServer{URLs: s.URLs, Username: s.Username, Credential: s.Credential})
	}
	if relayOnly {
		cfg.ICETransportPolicy = webrtc.ICETransportPolicyRelay
	}
	return api.NewPeerConnection(cfg)
}

func settings(log *slog.Logger) webrtc.SettingEngine {
	own := proto.OwnNetworks()
	e := rtc.Settings(rtc.Log(log, nil), own, own.MayBePeer)
	e.SetPrflxAcceptanceMinWait(0)
	e.SetSrflxAcceptanceMinWait(srflxWait)
	e.SetRelayAcceptanceMinWait(relayWait)
	e.SetICETimeouts(disconnected, failed, keepalive)
	e.SetSRTPReplayProtectionWindow(replayWindow)
	return e
}

var errCredentials = errors.New("ICE credentials of other characters or lengths than theirs")

// checkAnswer returns an error if an SDP has malformed ICE credentials (RFC 8839 section
// 5.4): this machine would send them, as they are, to any address that the camera names.
func checkAnswer(sdp string) error {
	for line := range strings.Lines(sdp) {
		line = strings.TrimRight(line, "\r\n")
		ufrag, isUfrag := strings.CutPrefix(line, "a=ice-ufrag:")
		password, isPassword := strings.CutPrefix(line, "a=ice-pwd:")
		if isUfrag && !proto.IsICE(ufrag, proto.LeastUfrag) || isPassword && !proto.IsICE(password, proto.LeastPassword) {
			return errCredentials
		}
	}
	return nil
}

// limitBitrate writes b=TIAS (RFC 3890) into the video section of an offer.
func limitBitrate(sdp string, bps int) string {
	if bps <= 0 {
		return sdp
	}
	var out strings.Builder
	video := false
	for line := range strings.Lines(sdp) {
		out.WriteString(line)
		if strings.HasPrefix(line, "m=") {
			video = strings.HasPrefix(line, "m=video")
		}
		if video && strings.HasPrefix(line, "c=") { // b= follows c= (RFC 8866 section 5)
			fmt.Fprintf(&out, "b=TIAS:%d\r\n", bps)
		}
	}
	return out.String()
}

// ICEServer is a STUN or TURN server (RFC 7064, RFC 7065).
type ICEServer struct {
	URLs       []string
	Username   string
	Credential string
}
