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

// PlayoutDelay is the URI of the header extension that asks a viewer to show pictures
// at once.
const PlayoutDelay = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"

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
}

// MediaEngine returns an engine that knows Opus with the given parameters and, unless
// there are none, the H.264 formats. It has no RTX: packets are sent again under the
// stream's own numbers.
func MediaEngine(opusFMTP string, formats ...H264) (*webrtc.MediaEngine, error) {
	m := &webrtc.MediaEngine{}
	opus := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: AudioClock, Channels: 2, SDPFmtpLine: opusFMTP}
	err := m.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: opus, PayloadType: 111}, webrtc.RTPCodecTypeAudio)
	if err != nil {
		return nil, fmt.Errorf("register Opus: %w", err)
	}
	for _, f := range formats {
		h264 := webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeH264, ClockRate: VideoClock, SDPFmtpLine: f.FMTP,
			RTCPFeedback: []webrtc.RTCPFeedback{{Type: "nack"}, {Type: "nack", Parameter: "pli"}, {Type: "ccm", Parameter: "fir"}},
		}
		err := m.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: h264, PayloadType: webrtc.PayloadType(f.PayloadType)}, webrtc.RTPCodecTypeVideo)
		if err != nil {
			return nil, fmt.Errorf("register H.264: %w", err)
		}
	}
	if len(formats) == 0 {
		return m, nil
	}
	return m, m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: PlayoutDelay}, webrtc.RTPCodecTypeVideo)
}

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
