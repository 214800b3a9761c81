package sound

import (
	"math"
	"sync"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/camd-project/camd/pkg/audio/opus"
)

// Wire is a track of a voice on which any RTP packet can be sent, in any order: as a
// network delivers them, or as an attacker would like. What is sent before the
// connection stands is lost.
type Wire struct {
	mu   sync.Mutex
	out  webrtc.TrackLocalWriter
	ssrc webrtc.SSRC
	kind webrtc.PayloadType
	next rtp.Header // of Say
}

// Packet is the RTP packet of the n-th 20 ms of a voice.
func Packet(n int, payload []byte) *rtp.Packet {
	return &rtp.Packet{Header: rtp.Header{
		SequenceNumber: 65300 + uint16(n), Timestamp: math.MaxUint32 - 30000 + uint32(n)*opus.FrameSamples, //nolint:gosec // they wrap
	}, Payload: payload}
}

// Say sends an Opus packet of 20 ms, which may be any bytes, after the one before.
func (w *Wire) Say(payload []byte) error {
	w.mu.Lock()
	h := w.next
	w.next.SequenceNumber++
	w.next.Timestamp += opus.FrameSamples
	w.mu.Unlock()
	return w.Send(&rtp.Packet{Header: h, Payload: payload})
}

// Send sends a packet. Source and payload type are those that were negotiated, where
// they are zero.
func (w *Wire) Send(p *rtp.Packet) error {
	w.mu.Lock()
	out, h := w.out, p.Header
	h.Version = 2
	if h.SSRC == 0 {
		h.SSRC = uint32(w.ssrc)
	}
	if h.PayloadType == 0 {
		h.PayloadType = uint8(w.kind)
	}
	w.mu.Unlock()
	if out == nil {
		return nil
	}
	_, err := out.WriteRTP(&h, p.Payload)
	return err
}

// Bind is called when the codec is negotiated.
func (w *Wire) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	for _, codec := range c.CodecParameters() {
		if codec.MimeType == webrtc.MimeTypeOpus {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.out, w.ssrc, w.kind = c.WriteStream(), c.SSRC(), codec.PayloadType
			return codec, nil
		}
	}
	return webrtc.RTPCodecParameters{}, webrtc.ErrUnsupportedCodec
}

// Unbind is called when the connection is over.
func (w *Wire) Unbind(webrtc.TrackLocalContext) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.out = nil
	return nil
}

// ID names the track.
func (*Wire) ID() string { return "voice" }

// RID is none.
func (*Wire) RID() string { return "" }

// StreamID names the stream.
func (*Wire) StreamID() string { return "voice" }

// Kind is sound.
func (*Wire) Kind() webrtc.RTPCodecType { return webrtc.RTPCodecTypeAudio }
