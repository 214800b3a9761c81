package live

import (
	"fmt"
	"runtime"

	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/webrtc/v4"

	"github.com/camd-project/camd/pkg/live/rtc"
	"github.com/camd-project/camd/pkg/live/udp"
)

// rtcpQueue bounds what a viewer's reports may hold in memory, in bytes for each stream.
const rtcpQueue = 16 << 10

// api makes pion's API for one session, and the shared socket unless everything goes
// through relays. The network and the payload types are the session's own.
func (s *Server) api(x *Session, format rtc.H264, log logging.LoggerFactory) (*udp.Socket, *webrtc.API, error) {
	var socket *udp.Socket
	var mux ice.UDPMux
	if !s.cfg.RelayOnly {
		var err error
		if socket, mux, err = s.socket.acquire(x.net, log.NewLogger("mux")); err != nil {
			return nil, nil, err
		}
		x.release = append(x.release, func() {
			if err := s.socket.release(); err != nil {
				s.log.Warn("close UDP socket", "error", err)
			}
		})
	}
	var formats []rtc.H264 // the one that was chosen from the offer
	if format.FMTP != "" {
		formats = []rtc.H264{format}
	}
	m, err := rtc.MediaEngine("", formats...)
	if err != nil {
		return nil, nil, fmt.Errorf("set up WebRTC: %w", err)
	}
	return socket, webrtc.NewAPI(
		webrtc.WithMediaEngine(m),
		webrtc.WithSettingEngine(settingEngine(x.net, mux, &x.bounds, log)),
		// Empty, not nil: nil would bring a retransmission buffer for each viewer.
		webrtc.WithInterceptorRegistry(&interceptor.Registry{}),
	), nil
}

func settingEngine(n *sessionNet, mux ice.UDPMux, limit *bounds, log logging.LoggerFactory) webrtc.SettingEngine {
	e := rtc.Settings(log, limit.own, limit.address)
	e.BufferFactory = limit.buffer
	e.SetNet(n)
	if mux != nil {
		e.SetICEUDPMux(mux)
	}
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
