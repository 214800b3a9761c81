package client

import (
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/camd-project/camd/pkg/live/rtc"
)

// voice sends sound to the camera (RFC 7587): one RTP stream for all talks of a session,
// which is silent between them.
type voice struct {
	track *webrtc.TrackLocalStaticRTP

	mu     sync.Mutex
	packet rtp.Packet // the next one, without its payload
}

// newVoice returns a stream that begins at a random sequence number in the lower half (RFC 3711 section
// 3.3.1) and a random timestamp.
func newVoice() (*voice, error) {
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: rtc.AudioClock, Channels: 2}, "voice", randomID())
	if err != nil {
		return nil, err
	}
	v := &voice{track: track}
	v.packet.Version = 2
	v.packet.SequenceNumber, v.packet.Timestamp = uint16(rand.Uint32N(1<<15)), rand.Uint32() //nolint:gosec // no secret
	return v, nil
}

// begin marks the next packet as the first after silence (RFC 3551 section 4.1).
func (v *voice) begin() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.packet.Marker = true
}

func (v *voice) write(opus []byte, samples int) error {
	v.mu.Lock()
	p := v.packet
	v.packet.SequenceNumber++
	v.packet.Timestamp += uint32(samples)
	v.packet.Marker = false
	v.mu.Unlock()
	p.Payload = opus
	if err := v.track.WriteRTP(&p); err != nil {
		return fmt.Errorf("send sound: %w", err)
	}
	return nil
}
