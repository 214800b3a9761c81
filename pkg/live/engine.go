package live

import (
	"runtime"

	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"
)

// rtcpQueue bounds what a viewer's reports may hold in memory, in bytes for each stream.
const rtcpQueue = 16 << 10

// engine makes pion's API for one session: the socket, the network and the payload
// types are the session's own.
func engine(n *sessionNet, mux ice.UDPMux, format h264, limit *bounds, log logFactory) (*webrtc.API, error) {
	m, err := mediaEngine(format)
	if err != nil {
		return nil, err
	}
	return webrtc.NewAPI(
		webrtc.WithMediaEngine(m),
		webrtc.WithSettingEngine(settingEngine(n, mux, limit, log)),
		// Empty, not nil: nil would bring a retransmission buffer for each viewer.
		webrtc.WithInterceptorRegistry(&interceptor.Registry{}),
	), nil
}

func settingEngine(n *sessionNet, mux ice.UDPMux, limit *bounds, log logFactory) webrtc.SettingEngine {
	var e webrtc.SettingEngine
	e.LoggerFactory = log
	e.BufferFactory = limit.buffer
	e.SetNet(n)
	if mux != nil {
		e.SetICEUDPMux(mux)
	}
	e.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	e.DisableActiveTCP(true)
	e.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6})
	e.SetIncludeLoopbackCandidate(limit.own.OnlyLoopback())
	e.SetRemoteIPFilter(limit.address)
	// As DTLS server the camera chooses the cipher, and may send half a round trip
	// earlier. ICE has shown that the viewer's address is its own, which is all that
	// the hello's cookie would (RFC 6347 section 4.2.1).
	_ = e.SetAnsweringDTLSRole(webrtc.DTLSRoleServer)
	e.SetDTLSInsecureSkipHelloVerify(true)
	e.SetSRTPProtectionProfiles(srtpProfiles(runtime.GOARCH)...)
	return e
}

// srtpProfiles puts the cheaper one first: Go has AES in assembly on amd64 and
// arm64, on 32-bit ARM counter mode with SHA-1 is faster.
func srtpProfiles(arch string) []dtls.SRTPProtectionProfile {
	if arch == "arm" {
		return []dtls.SRTPProtectionProfile{dtls.SRTP_AES128_CM_HMAC_SHA1_80, dtls.SRTP_AEAD_AES_128_GCM}
	}
	return []dtls.SRTPProtectionProfile{dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80}
}

// mediaEngine knows the one H.264 format that was chosen from the offer, and Opus.
// No RTX: the ring retransmits under the stream's own numbers.
func mediaEngine(format h264) (*webrtc.MediaEngine, error) {
	m := &webrtc.MediaEngine{}
	opus := webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2},
		PayloadType:        111,
	}
	if err := m.RegisterCodec(opus, webrtc.RTPCodecTypeAudio); err != nil {
		return nil, err
	}
	if format.fmtp == "" {
		return m, nil
	}
	video := webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeH264, ClockRate: 90000, SDPFmtpLine: format.fmtp,
			RTCPFeedback: []webrtc.RTCPFeedback{{Type: "nack"}, {Type: "nack", Parameter: "pli"}, {Type: "ccm", Parameter: "fir"}},
		},
		PayloadType: webrtc.PayloadType(format.payloadType),
	}
	if err := m.RegisterCodec(video, webrtc.RTPCodecTypeVideo); err != nil {
		return nil, err
	}
	ext := webrtc.RTPHeaderExtensionCapability{URI: playoutDelayURI}
	return m, m.RegisterHeaderExtension(ext, webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverDirectionSendonly)
}
