// Package rtc sets up pion/webrtc in the ways that the camera and its viewers share:
// where a peer may be, which codecs and header extensions there are, and where pion's
// messages go.
//
// It opens nothing and starts no goroutine. It knows H.264 and Opus alone.
package rtc

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"

	"github.com/pion/ice/v4"
	"github.com/pion/logging"
	"github.com/pion/webrtc/v4"

	"github.com/camd-project/camd/pkg/proto"
)

// RTP clocks in Hz.
const (
	VideoClock = 90000 // RFC 6184 section 8.2.1
	AudioClock = 48000 // RFC 7587 section 4.1
)

// URIs of header extensions.
const (
	// PlayoutDelay asks a viewer to show pictures at once.
	PlayoutDelay = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
	// TransportCC numbers all packets of a transport, so that the viewer can report when
	// each one came.
	TransportCC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
)

// Settings returns the settings that both sides begin with: UDP and relays only, no
// mDNS, and loopback only on a machine that has no other network. remote reports
// whether a peer may have an address.
func Settings(log logging.LoggerFactory, own proto.Networks, remote func(netip.Addr) bool) webrtc.SettingEngine {
	e := webrtc.SettingEngine{LoggerFactory: log}
	e.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	e.DisableActiveTCP(true)
	e.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6})
	e.SetIncludeLoopbackCandidate(own.OnlyLoopback())
	e.SetRemoteIPFilter(func(ip net.IP) bool {
		a, _ := netip.AddrFromSlice(ip)
		return remote(a)
	})
	return e
}

// H264 is an H.264 payload type and its parameters (RFC 6184 section 8.1).
type H264 struct {
	PayloadType uint8
	FMTP        string
	RTX         uint8 // payload type of what is sent again (RFC 4588); 0: none
}

// MediaEngine returns an engine that knows Opus with the given parameters and, unless
// there are none, the H.264 formats.
func MediaEngine(opusFMTP string, formats ...H264) (*webrtc.MediaEngine, error) {
	m := &webrtc.MediaEngine{}
	opus := webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeOpus, ClockRate: AudioClock, Channels: 2, SDPFmtpLine: opusFMTP,
		RTCPFeedback: []webrtc.RTCPFeedback{{Type: webrtc.TypeRTCPFBTransportCC}},
	}
	err := m.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: opus, PayloadType: 111}, webrtc.RTPCodecTypeAudio)
	if err != nil {
		return nil, fmt.Errorf("register Opus: %w", err)
	}
	if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: TransportCC}, webrtc.RTPCodecTypeAudio); err != nil {
		return nil, err
	}
	for _, f := range formats {
		if err := registerH264(m, f); err != nil {
			return nil, fmt.Errorf("register H.264: %w", err)
		}
	}
	if len(formats) == 0 {
		return m, nil
	}
	for _, uri := range []string{PlayoutDelay, TransportCC} {
		if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: uri}, webrtc.RTPCodecTypeVideo); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func registerH264(m *webrtc.MediaEngine, f H264) error {
	h264 := webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeH264, ClockRate: VideoClock, SDPFmtpLine: f.FMTP,
		RTCPFeedback: []webrtc.RTCPFeedback{
			{Type: webrtc.TypeRTCPFBNACK}, {Type: webrtc.TypeRTCPFBNACK, Parameter: "pli"}, {Type: webrtc.TypeRTCPFBCCM, Parameter: "fir"},
			{Type: webrtc.TypeRTCPFBTransportCC}, {Type: webrtc.TypeRTCPFBGoogREMB},
		},
	}
	err := m.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: h264, PayloadType: webrtc.PayloadType(f.PayloadType)}, webrtc.RTPCodecTypeVideo)
	if err != nil || f.RTX == 0 {
		return err
	}
	rtx := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeRTX, ClockRate: VideoClock, SDPFmtpLine: RTXParameters(f.PayloadType)}
	return m.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: rtx, PayloadType: webrtc.PayloadType(f.RTX)}, webrtc.RTPCodecTypeVideo)
}

// RTXParameters returns the parameters of the RTX format that repeats a payload type
// (RFC 4588 section 8.6), in the only form that pion knows.
func RTXParameters(payloadType uint8) string { return fmt.Sprintf("apt=%d", payloadType) }

// Log returns a factory of loggers that write pion's warnings and errors to log at
// debug level, since what matters of them ends the session. Each also goes to warned,
// unless that is nil.
func Log(log *slog.Logger, warned func(message string)) logging.LoggerFactory {
	return loggerFactory{log, warned}
}

type loggerFactory struct {
	log    *slog.Logger
	warned func(string)
}

func (f loggerFactory) NewLogger(scope string) logging.LeveledLogger {
	return logger{f.log.With("scope", scope), f.warned}
}

type logger loggerFactory

func (l logger) warn(msg string) {
	if l.warned != nil {
		l.warned(msg)
	}
	l.log.Debug("webrtc", "message", msg)
}

func (logger) Trace(string)                {}
func (logger) Tracef(string, ...any)       {}
func (logger) Debug(string)                {}
func (logger) Debugf(string, ...any)       {}
func (logger) Info(string)                 {}
func (logger) Infof(string, ...any)        {}
func (l logger) Warn(msg string)           { l.warn(msg) }
func (l logger) Warnf(f string, a ...any)  { l.warn(fmt.Sprintf(f, a...)) }
func (l logger) Error(msg string)          { l.warn(msg) }
func (l logger) Errorf(f string, a ...any) { l.warn(fmt.Sprintf(f, a...)) }
