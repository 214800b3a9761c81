package live

import (
	"runtime"

	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/logging"
	"github.com/pion/webrtc/v4"

	"github.com/camd-project/camd/pkg/live/rtc"
)

// settingEngine returns the settings for one session.
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
