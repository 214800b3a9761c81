package live

import (
	"encoding/binary"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/camd-project/camd/pkg/live/congestion"
	"github.com/camd-project/camd/pkg/live/packets"
	"github.com/camd-project/camd/pkg/live/udp"
	"github.com/camd-project/camd/pkg/media"
)

// trackSender sends one track to one viewer. It is for the viewer's goroutine.
type trackSender struct {
	track  *track
	path   *congestion.Controller
	cursor *packets.Cursor
	batch  *udp.Batch // nil: packets leave one by one

	packet  packets.Packet
	header  rtp.Header
	packets uint32 // sent, for the sender report
	bytes   uint32 // of payload
	repeat  repeater
}

func newTrackSender(t *track, path *congestion.Controller, b *packets.Buffer) *trackSender {
	return &trackSender{track: t, path: path, cursor: b.NewCursor(), repeat: newRepeater()}
}

func (t *trackSender) video() bool { return t.track.kind == webrtc.RTPCodecTypeVideo }

// size is what a packet with a payload of n bytes has as a UDP payload.
func (t *trackSender) size(n int) int {
	const tag = 16 // of AES-GCM (RFC 7714 section 14.1)
	return t.track.header.MarshalSize() + n + tag
}

// send writes one packet for the first time, and returns its size.
func (t *trackSender) send(now time.Duration, p *packets.Packet, seq uint64) int {
	size := t.size(len(p.Payload))
	n := t.path.Sent(now, size)
	if t.track.number != nil {
		binary.BigEndian.PutUint16(t.track.number, n)
		if t.track.again == nil {
			t.repeat.keep(seq, n)
		}
	}
	t.write(&t.track.header, p, uint16(seq), p.Payload)
	return size
}

// write writes one packet whose transport-wide number is set. An error is the
// transport's, whose state ends the session.
func (t *trackSender) write(h *rtp.Header, p *packets.Packet, seq uint16, payload []byte) {
	t.header = *h
	t.header.SequenceNumber = seq
	t.header.Timestamp = p.Timestamp
	t.header.Marker = p.Marker
	_, _ = t.track.writer.WriteRTP(&t.header, payload)
}

// report makes a sender report: where the stream's RTP clock stood at a moment of the
// capture clock (RFC 3550 section 6.4.1), so that a receiver plays sound and picture in
// step. It extrapolates from no packet, since both buffers count from the capture clock.
func (t *trackSender) report(now time.Duration) []rtcp.Packet {
	return []rtcp.Packet{
		&rtcp.SenderReport{
			SSRC:        t.track.ssrc,
			NTPTime:     ntpTime(media.Wall(now)),
			RTPTime:     t.cursor.Buffer().Timestamp(now),
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
