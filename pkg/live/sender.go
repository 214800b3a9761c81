package live

import (
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/camd-project/camd/pkg/live/packets"
	"github.com/camd-project/camd/pkg/live/udp"
	"github.com/camd-project/camd/pkg/media"
)

// trackSender sends one track to one viewer. It is for the viewer's goroutine.
type trackSender struct {
	track  *track
	buffer *packets.Buffer
	cursor *packets.Cursor
	batch  *udp.Batch // nil: packets leave one by one

	packet, resent packets.Packet
	header         rtp.Header
	packets        uint32 // sent, for the sender report
	bytes          uint32 // of payload
}

func newTrackSender(t *track, b *packets.Buffer) *trackSender {
	return &trackSender{track: t, buffer: b, cursor: b.NewCursor()}
}

func (t *trackSender) video() bool { return t.track.kind == webrtc.RTPCodecTypeVideo }

// send writes one packet. The header of a packet is the same each time: AES-GCM
// must never see two under one number (RFC 7714 section 8.4). An error is the
// transport's, whose state ends the session.
func (t *trackSender) send(p *packets.Packet, seq uint64) {
	t.header = t.track.header
	t.header.SequenceNumber = uint16(seq)
	t.header.Timestamp = p.Timestamp
	t.header.Marker = p.Marker
	_, _ = t.track.writer.WriteRTP(&t.header, p.Payload)
}

// report makes a sender report: where the stream's RTP clock stood at a moment of the
// capture clock (RFC 3550 section 6.4.1), so that a receiver plays sound and picture in
// step. It extrapolates from no packet, since both buffers count from the capture clock.
func (t *trackSender) report(now time.Duration) []rtcp.Packet {
	return []rtcp.Packet{
		&rtcp.SenderReport{
			SSRC:        t.track.ssrc,
			NTPTime:     ntpTime(media.Wall(now)),
			RTPTime:     t.buffer.Timestamp(now),
			PacketCount: t.packets,
			OctetCount:  t.bytes,
		},
		&rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{
			Source: t.track.ssrc,
			Items:  []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: t.track.stream}},
		}}},
	}
}

// ntpTime returns the 64-bit format of RFC 3550 section 4: seconds since 1900 and their fraction.
func ntpTime(t time.Time) uint64 {
	const from1900 = 2208988800
	return uint64(t.Unix()+from1900)<<32 | uint64(t.Nanosecond())<<32/uint64(time.Second)
}
