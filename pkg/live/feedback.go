package live

import (
	"encoding/binary"
	"time"

	"github.com/pion/rtcp"

	"github.com/camd-project/camd/pkg/media"
)

// Bounds of what a viewer's reports may cost. Browsers send about 30 a second.
const (
	reportRate  = 100 // RTCP packets a second that are read; the others are dropped and counted
	reportBurst = 100
	reportQueue = 32 // reports that wait for the viewer's goroutine
	// nackQueue bounds the requests that wait for it; what does not fit is asked for
	// again by the receiver.
	nackQueue = 64
)

// report is what a viewer says about the path.
type report struct {
	at        time.Duration          // when it came
	transport *rtcp.TransportLayerCC // nil: it is another one
	limit     int                    // REMB, bit/s; 0: it is another one
	lost      uint8                  // of video, in 1/256, if it is neither
	trip      time.Duration          // 0: it does not tell
}

// feedback takes one RTCP packet that names one of the session's sources. pion has
// authenticated it, and calls from one goroutine. Any packet shows that the viewer is
// alive. What it says is for the viewer's goroutine, since only that one sends; a NACK
// wakes it, the rest waits until it is awake.
func (v *viewer) feedback(source uint32, packet []byte) {
	v.reported.Store(true)
	if !v.allowance.Allow() || namesTooMany(packet) {
		v.counters.unread.Add(1)
		return
	}
	l, err := rtcp.Unmarshal(packet)
	if err != nil {
		return // the viewer's mistake
	}
	for _, p := range l {
		v.handle(source, p)
	}
}

// mostStatuses is how many packets one transport-wide report may name: about two thirds of
// a second at the highest rate. Browsers report many times a second.
const mostStatuses = 4096

// namesTooMany reports whether a transport-wide report in packet names more than
// mostStatuses. pion makes room for each before it finds that the report ends too early,
// so 24 bytes could cost megabytes.
func namesTooMany(packet []byte) bool {
	const header, count = 4, 14 // where its count of statuses is
	for len(packet) >= header {
		if packet[0]&0x1f == rtcp.FormatTCC && packet[1] == byte(rtcp.TypeTransportSpecificFeedback) &&
			len(packet) >= count+2 && binary.BigEndian.Uint16(packet[count:]) > mostStatuses {
			return true
		}
		size := header + 4*int(binary.BigEndian.Uint16(packet[2:]))
		if size > len(packet) {
			return false // pion refuses it
		}
		packet = packet[size:]
	}
	return false
}

func (v *viewer) handle(source uint32, p rtcp.Packet) {
	video := v.tracks[0].video() && source == v.tracks[0].track.ssrc
	switch p := p.(type) {
	case *rtcp.TransportLayerNack:
		if video && p.MediaSSRC == source {
			v.nack(p.Nacks)
		}
	case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
		if video {
			v.counters.keyframes.Add(1)
			v.asked.Store(true)
			v.keyframe()
		}
	case *rtcp.TransportLayerCC:
		v.queue(report{at: media.Now(), transport: p})
	case *rtcp.ReceiverEstimatedMaximumBitrate:
		v.queue(report{at: media.Now(), limit: max(int(min(p.Bitrate, 1e9)), 1)})
	case *rtcp.ReceiverReport:
		v.reception(source, p.Reports)
	case *rtcp.SenderReport: // of a viewer that speaks
		v.reception(source, p.Reports)
	}
}

func (v *viewer) nack(l []rtcp.NackPair) {
	for _, pair := range l {
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
	select {
	case v.wake <- struct{}{}:
	default: // it has been woken already
	}
}

// reception takes what a receiver report says of the first track.
func (v *viewer) reception(source uint32, l []rtcp.ReceptionReport) {
	for _, r := range l {
		if r.SSRC == source && source == v.tracks[0].track.ssrc {
			now := media.Now()
			v.queue(report{at: now, lost: r.FractionLost, trip: roundTrip(now, r)})
		}
	}
}

// roundTrip returns how long a sender report and the answer to it were under way (RFC
// 3550 section 6.4.1), or 0.
func roundTrip(now time.Duration, r rtcp.ReceptionReport) time.Duration {
	const most = 10 << 16 // ten seconds, in 1/65536
	trip := uint32(ntpTime(media.Wall(now))>>16) - r.LastSenderReport - r.Delay
	if r.LastSenderReport == 0 || trip > most {
		return 0
	}
	return time.Duration(trip) * time.Second >> 16
}

func (v *viewer) queue(r report) {
	select {
	case v.reports <- r:
	default:
		v.counters.unread.Add(1)
	}
}

// listen gives the reports that have come to the controller.
func (v *viewer) listen() {
	for {
		select {
		case r := <-v.reports:
			switch {
			case r.transport != nil:
				v.known = true
				v.path.Feedback(r.at, r.transport)
			case r.limit > 0:
				v.known = true
				v.path.Limit(r.limit)
			default:
				v.path.Reception(r.at, r.lost, r.trip)
			}
		default:
			return
		}
	}
}
