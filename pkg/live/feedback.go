package live

import (
	"encoding/binary"
	"time"

	"github.com/pion/rtcp"

	"github.com/camd-project/camd/pkg/media"
)

// Bounds of what a viewer's reports may cost. A browser sends about 30 a second.
const (
	reportRate  = 100 // RTCP packets a second that are read; the others are dropped and counted
	reportBurst = 100
	reportQueue = 32 // reports that wait for the viewer's goroutine
	// nackQueue is how many numbers of packets that are asked for again wait for it. The
	// receiver asks again for those that find no place.
	nackQueue = 64
)

// report is what a viewer says about the path.
type report struct {
	at        time.Duration          // when it came
	transport *rtcp.TransportLayerCC // nil: it is of another kind
	limit     int                    // REMB, bit/s; 0: it is of another kind
	lost      uint8                  // fraction of the first track, in 1/256, if it is a receiver report
	trip      time.Duration          // round trip, if it is a receiver report; 0: it doesn't say it
}

// feedback takes one RTCP packet that names one of the session's sources. pion has
// authenticated it, and calls feedback from one goroutine. Any packet shows that the viewer
// is alive. What it says is for the viewer's goroutine, since only that one sends. A NACK
// wakes it; the rest waits until something else does.
func (v *viewer) feedback(source uint32, packet []byte) {
	v.reported.Store(true)
	if !v.allowance.Allow() || overstates(packet) {
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

// overstates reports whether a transport-wide report in packet names more packets than
// mostStatuses, or says of more that they have arrived than it has times for. pion makes
// room for each before it looks for its time, so 40 bytes could cost megabytes.
func overstates(packet []byte) bool {
	const header = 4
	for len(packet) >= header {
		size := header + 4*int(binary.BigEndian.Uint16(packet[2:]))
		if size > len(packet) {
			return false // pion refuses it
		}
		if packet[0]&0x1f == rtcp.FormatTCC && packet[1] == byte(rtcp.TypeTransportSpecificFeedback) && overstated(packet[:size]) {
			return true
		}
		packet = packet[size:]
	}
	return false
}

// overstated is overstates for one report: draft-holmer-rmcat-transport-wide-cc-extensions-01
// section 3.1.
func overstated(report []byte) bool {
	const count, chunks = 14, 20 // where they are
	if len(report) < chunks {
		return false // pion refuses it
	}
	left := int(binary.BigEndian.Uint16(report[count:]))
	if left > mostStatuses {
		return true
	}
	arrived, at := 0, chunks
	note := func(symbol uint16, n int) {
		if symbol == rtcp.TypeTCCPacketReceivedSmallDelta || symbol == rtcp.TypeTCCPacketReceivedLargeDelta {
			arrived += n
		}
		left -= n
	}
	for ; left > 0 && at+2 <= len(report); at += 2 {
		chunk := binary.BigEndian.Uint16(report[at:])
		switch {
		case chunk>>15 == 0: // a run of one symbol
			note(chunk>>13&3, min(int(chunk&0x1fff), left))
		case chunk>>14&1 == 0: // 14 symbols of one bit
			for i := range min(14, left) {
				note(chunk>>(13-i)&1, 1)
			}
		default: // 7 of two
			for i := range min(7, left) {
				note(chunk>>(12-2*i)&3, 1)
			}
		}
	}
	return arrived > len(report)-at // each time has at least one byte
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

// reception takes what a receiver report says: of the first track for the path, and of
// sound for its encoder.
func (v *viewer) reception(source uint32, l []rtcp.ReceptionReport) {
	for _, r := range l {
		if r.SSRC != source {
			continue
		}
		if sound := v.tracks[len(v.tracks)-1]; !sound.video() && source == sound.track.ssrc {
			v.counters.soundLoss.Store(uint32(r.FractionLost))
			v.counters.soundLossAt.Store(int64(media.Now()))
		}
		if source == v.tracks[0].track.ssrc {
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

// listen passes the reports that have come on to the controller.
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
