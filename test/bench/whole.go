package main

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/nack"
	receiver "github.com/pion/interceptor/pkg/report"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/camd-project/camd/pkg/client/receive"
)

// asBrowser is pion with H.264 alone, sent again by RTX, that asks for a lost packet as soon as
// a browser does, and reports the arrival of every packet.
func asBrowser() (*webrtc.MediaEngine, *interceptor.Registry, error) {
	m, r := &webrtc.MediaEngine{}, &interceptor.Registry{}
	for i, profile := range []string{"42e01f", "42001f", "4d001f", "64001f"} {
		number := webrtc.PayloadType(102 + 2*i)
		if err := errors.Join(
			m.RegisterCodec(codec(webrtc.MimeTypeH264, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id="+profile, number, feedback...), webrtc.RTPCodecTypeVideo),
			m.RegisterCodec(codec(webrtc.MimeTypeRTX, fmt.Sprintf("apt=%d", number), number+1), webrtc.RTPCodecTypeVideo),
		); err != nil {
			return nil, nil, err
		}
	}
	lost, err := nack.NewGeneratorInterceptor(nack.GeneratorInterval(20*time.Millisecond), nack.GeneratorMaxNacksPerPacket(10))
	if err != nil {
		return nil, nil, err
	}
	reports, err := receiver.NewReceiverInterceptor()
	if err != nil {
		return nil, nil, err
	}
	r.Add(lost)
	r.Add(reports)
	return m, r, webrtc.ConfigureTWCCSender(m, r)
}

// feedback is what libwebrtc offers for H.264, but for transport-cc, which pion adds.
var feedback = []webrtc.RTCPFeedback{{Type: "goog-remb"}, {Type: "ccm", Parameter: "fir"}, {Type: "nack"}, {Type: "nack", Parameter: "pli"}}

func codec(kind, parameters string, number webrtc.PayloadType, f ...webrtc.RTCPFeedback) webrtc.RTPCodecParameters {
	return webrtc.RTPCodecParameters{PayloadType: number, RTPCodecCapability: webrtc.RTPCodecCapability{
		MimeType: kind, ClockRate: 90000, SDPFmtpLine: parameters, RTCPFeedback: f,
	}}
}

// receiveWhole counts the frames that pkg/client's receiver gives: those that are complete, and
// that a decoder can show because nothing before them is missing.
func (x *viewer) receiveWhole(t *webrtc.TrackRemote) {
	r := receive.NewVideo(time.Now())
	for {
		if r.Missing() { // what comes again is in another stream, which pion looks at before it waits
			_ = t.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
		}
		p, _, err := t.ReadRTP()
		var e net.Error
		if errors.As(err, &e) && e.Timeout() {
			_ = t.SetReadDeadline(time.Time{})
			continue
		}
		if err != nil {
			return
		}
		key := x.arrived(r, p)
		if key {
			_ = x.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(t.SSRC())}}) // asked for again
		}
	}
}

func (x *viewer) arrived(r *receive.Track, p *rtp.Packet) (askKeyframe bool) {
	now := time.Now()
	ask := r.Packet(p, now, func(f receive.Frame) {
		x.frame(now)
		x.mu.Lock()
		x.stamp = f.Timestamp
		x.mu.Unlock()
	})
	s := r.Stats()
	x.mu.Lock()
	defer x.mu.Unlock()
	x.missing += s.Lost - x.lost
	x.packets++
	x.lost = s.Lost
	return ask
}
