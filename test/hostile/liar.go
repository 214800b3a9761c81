package hostile

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/camd-project/camd/pkg/live/rtc"
)

// Liar is a viewer that reports what is not so. It has agreed on every way to report: NACK,
// PLI, FIR, REMB and transport-wide feedback. By itself it reports nothing.
type Liar struct {
	*Viewer

	source atomic.Uint32 // of the pictures; 0: none has come
	number atomic.Uint32 // sequence number of the newest packet of pictures
	wide   atomic.Uint32 // its transport-wide number
}

// NewLiar makes one that wants to be sent at most so many bit/s (b=TIAS). It ends with the
// test.
func NewLiar(tb testing.TB, most string) *Liar {
	tb.Helper()
	m, err := rtc.MediaEngine("", rtc.H264{PayloadType: 102, RTX: 103, FMTP: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"})
	if err != nil {
		tb.Fatal(err)
	}
	l := &Liar{Viewer: newViewer(tb, false, func(*webrtc.SettingEngine) {},
		webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(&interceptor.Registry{}))}
	l.look = l.note
	before, video, _ := strings.Cut(l.Offer, "m=video")
	format, rest, _ := strings.Cut(video, "c=IN")
	address, rest, _ := strings.Cut(rest, "\r\n")
	l.Offer = before + "m=video" + format + "c=IN" + address + "\r\nb=TIAS:" + most + "\r\n" + rest
	return l
}

func (l *Liar) note(p *rtp.Packet) {
	const size = 2 // of a transport-wide number; the other extension has three bytes
	for _, id := range p.GetExtensionIDs() {
		if x := p.GetExtension(id); len(x) == size {
			l.wide.Store(uint32(x[0])<<8 | uint32(x[1]))
		}
	}
	l.number.Store(uint32(p.SequenceNumber))
	l.source.Store(p.SSRC)
}

// Report sends each packet by itself. An error is of a session that has ended.
func (l *Liar) Report(packets []rtcp.Packet) error {
	for _, p := range packets {
		if err := l.pc.WriteRTCP([]rtcp.Packet{p}); err != nil {
			return err
		}
	}
	return nil
}

// reported is how many packets its transport-wide feedback is about, if it is about some
// that were sent.
const reported = 50

// SaysNothingArrives returns reports of a path that carries nothing.
func (l *Liar) SaysNothingArrives() []rtcp.Packet {
	return []rtcp.Packet{
		&rtcp.ReceiverEstimatedMaximumBitrate{Bitrate: 1, SSRCs: []uint32{l.source.Load()}},
		l.reception(255),
		l.feedback(l.first(), reported, rtcp.TypeTCCPacketNotReceived, 0),
		l.feedback(l.first(), 1<<16-1, rtcp.TypeTCCPacketNotReceived, 0),
	}
}

// SaysEverythingArrives returns reports of a path that carries any bitrate at once.
func (l *Liar) SaysEverythingArrives() []rtcp.Packet {
	return []rtcp.Packet{
		&rtcp.ReceiverEstimatedMaximumBitrate{Bitrate: 1 << 60, SSRCs: []uint32{l.source.Load()}},
		l.reception(0),
		l.feedback(l.first(), reported, rtcp.TypeTCCPacketReceivedSmallDelta, reported),
		l.feedback(l.first(), 1<<16-1, rtcp.TypeTCCPacketReceivedSmallDelta, 0),
	}
}

// SaysTooMuch returns requests for key frames and for packets again, without a reason, and a
// report of packets that were never sent.
func (l *Liar) SaysTooMuch() []rtcp.Packet {
	source, number := l.source.Load(), uint16(l.number.Load()) //nolint:gosec // of 16 bits
	var again []rtcp.NackPair
	for i := range uint16(15) {
		again = append(again, rtcp.NackPair{PacketID: number - 17*i, LostPackets: 0xffff})
	}
	return []rtcp.Packet{
		&rtcp.PictureLossIndication{MediaSSRC: source},
		&rtcp.FullIntraRequest{MediaSSRC: source, FIR: []rtcp.FIREntry{{SSRC: source}}},
		&rtcp.TransportLayerNack{MediaSSRC: source, Nacks: again},
		l.feedback(l.first()+1<<14, reported, rtcp.TypeTCCPacketReceivedSmallDelta, reported),
	}
}

// first is the transport-wide number of the oldest packet to report.
func (l *Liar) first() uint16 { return uint16(l.wide.Load()) - reported + 1 } //nolint:gosec // of 16 bits

func (l *Liar) reception(lost uint8) rtcp.Packet {
	return &rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{{SSRC: l.source.Load(), FractionLost: lost, LastSequenceNumber: l.number.Load()}}}
}

// feedback says the same about n packets. It has times for some of those that arrived: all at
// once, and in the far future.
func (l *Liar) feedback(from uint16, n int, symbol uint16, times int) rtcp.Packet {
	f := &rtcp.TransportLayerCC{
		Header:    rtcp.Header{Count: rtcp.FormatTCC, Type: rtcp.TypeTransportSpecificFeedback},
		MediaSSRC: l.source.Load(), BaseSequenceNumber: from, PacketStatusCount: uint16(n), ReferenceTime: 1<<23 - 1, //nolint:gosec // at most 65535
	}
	const run = 1<<13 - 1 // the longest
	for ; n > 0; n -= run {
		f.PacketChunks = append(f.PacketChunks, &rtcp.RunLengthChunk{PacketStatusSymbol: symbol, RunLength: uint16(min(n, run))})
	}
	for range times {
		f.RecvDeltas = append(f.RecvDeltas, &rtcp.RecvDelta{Type: symbol})
	}
	f.Header.Length = uint16(f.MarshalSize()/4 - 1) //nolint:gosec // small
	return f
}
