package live

import (
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
)

// nackQueue bounds the requests that wait for the viewer's goroutine; what does
// not fit is asked for again by the receiver.
const nackQueue = 64

// feedback reads what the viewer reports on one track, until the session closes it.
// Any report shows that the viewer lives.
func (v *viewer) feedback(s *webrtc.RTPSender, l *lane) {
	buf := make([]byte, 1500)
	for {
		n, _, err := s.Read(buf)
		if err != nil {
			return
		}
		packets, err := rtcp.Unmarshal(buf[:n])
		if err != nil {
			continue // pion has authenticated it, so it is a viewer's mistake
		}
		v.heard.Store(true)
		for _, p := range packets {
			v.heed(p, l)
		}
	}
}

func (v *viewer) heed(p rtcp.Packet, l *lane) {
	switch p := p.(type) {
	case *rtcp.TransportLayerNack:
		if l.video() && p.MediaSSRC == l.track.ssrc {
			v.nacked(p.Nacks)
		}
	case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
		v.counters.keyframes.Add(1)
		v.begs.Store(true)
		v.keyframe()
	}
}

// nacked hands requests to the viewer's goroutine, which alone sends.
func (v *viewer) nacked(pairs []rtcp.NackPair) {
	for _, p := range pairs {
		p.Range(func(seq uint16) bool {
			v.counters.nacks.Add(1)
			select {
			case v.nacks <- seq:
				return true
			default:
				return false
			}
		})
	}
}
