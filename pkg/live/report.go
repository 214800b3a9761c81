package live

import (
	"time"

	"github.com/pion/rtcp"

	"github.com/camd-project/camd/pkg/media"
)

// senderReport tells where the stream's RTP clock stood at a moment of the capture
// clock (RFC 3550 section 6.4.1), by which a receiver lays sound and picture side
// by side. It extrapolates from no packet: both rings count from the capture clock.
func senderReport(l *lane, now time.Duration) []rtcp.Packet {
	return []rtcp.Packet{
		&rtcp.SenderReport{
			SSRC:        l.track.ssrc,
			NTPTime:     ntpTime(media.Wall(now)),
			RTPTime:     l.walker.ring.timestamp(now),
			PacketCount: l.packets,
			OctetCount:  l.bytes,
		},
		&rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{
			Source: l.track.ssrc,
			Items:  []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: l.track.stream}},
		}}},
	}
}

// ntpTime is the 64-bit format of RFC 3550 section 4: seconds since 1900 and their fraction.
func ntpTime(t time.Time) uint64 {
	const from1900 = 2208988800
	return uint64(t.Unix()+from1900)<<32 | uint64(t.Nanosecond())<<32/uint64(time.Second)
}
