package live

import (
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
)

// readFeedback reads the viewer's reports on one track until the session closes it.
// Any report shows that the viewer is alive.
func (v *viewer) readFeedback(s *webrtc.RTPSender, t *trackSender) {
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
		v.reported.Store(true)
		for _, p := range packets {
			v.handle(p, t)
		}
	}
}

// handle passes NACKs on to the viewer's goroutine, since only that one sends.
func (v *viewer) handle(p rtcp.Packet, t *trackSender) {
	switch p := p.(type) {
	case *rtcp.TransportLayerNack:
		if !t.video() || p.MediaSSRC != t.track.ssrc {
			return
		}
		for _, pair := range p.Nacks {
			pair.Range(func(seq uint16) bool {
				v.counters.nacks.Add(1)
				select {
				case v.nacks <- seq:
					return true
				default:
					return false
				}
			})
		}
	case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
		v.counters.keyframes.Add(1)
		v.asked.Store(true)
		v.keyframe()
	}
}
