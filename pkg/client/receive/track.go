package receive

import (
	"sync"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"github.com/camd-project/camd/pkg/live/rtc"
	"github.com/camd-project/camd/pkg/media/avc"
)

// keyframePause is the time between two requests for an IDR picture (RFC 4585 section
// 6.3.1). A new session gets its first one without a request, unless it comes incomplete.
const keyframePause = time.Second

// Frame is one access unit of H.264 in Annex B form, or one Opus packet.
type Frame struct {
	Data      []byte
	Timestamp int64     // RTP timestamp, continued beyond 32 bits: 90 kHz, sound 48 kHz
	Captured  time.Time // by the camera's clock; zero until it has sent a report
	Arrived   time.Time // of its last packet
	Key       bool      // a decoder can begin here, at an IDR or a recovery point, and has the parameter sets for it
}

// Stats count since the session began.
type Stats struct {
	FirstPacket time.Duration // from the request to the first packet; 0: none yet
	FirstFrame  time.Duration // from the request to the first frame
	Packets     uint64
	Bytes       uint64 // of payload
	Lost        uint64 // packets that no retransmission brought
	Late        uint64 // packets that came twice, or after they were given up
	Frames      uint64
	Keyframes   uint64
	Dropped     uint64 // access units that were incomplete or could not be shown
	Jitter      time.Duration
	Waiting     bool // for a picture that a decoder can begin with
	Width       int  // luma samples
	Height      int
}

// Track receives one track. Packet is called by one goroutine at a time; the other
// methods are safe for concurrent use.
type Track struct {
	rate  int
	began time.Time
	video bool

	order   reorder
	stamps  unwrap
	builder depacketizer
	asked   time.Time // for a keyframe, or when the first packet came; zero: neither
	missed  bool      // the session's first picture came incomplete, and another was asked for

	mu     sync.Mutex
	last   time.Time // when a packet came last
	sets   avc.Sets
	clock  senderClock
	jitter jitter
	counts Stats
}

// NewVideo returns a track of H.264 that was asked for at began.
func NewVideo(began time.Time) *Track {
	return &Track{rate: rtc.VideoClock, began: began, video: true, clock: senderClock{rate: rtc.VideoClock}}
}

// NewAudio returns a track of Opus that was asked for at began.
func NewAudio(began time.Time) *Track {
	return &Track{rate: rtc.AudioClock, began: began, clock: senderClock{rate: rtc.AudioClock}}
}

// Packet takes the packet that came at now, and calls give with the frames that it
// completes. It reports whether the camera should be asked for an IDR picture.
func (t *Track) Packet(p *rtp.Packet, now time.Time, give func(Frame)) (askKeyframe bool) {
	t.mu.Lock()
	t.last = now
	if t.counts.FirstPacket == 0 {
		t.counts.FirstPacket = now.Sub(t.began)
	}
	t.counts.Bytes += uint64(len(p.Payload))
	t.jitter.add(p.Timestamp, now, t.rate)
	t.counts.Jitter = time.Duration(t.jitter.value / float64(t.rate) * float64(time.Second))
	t.mu.Unlock()
	t.order.push(p, now, func(p *rtp.Packet, gap bool) {
		if t.video {
			t.builder.push(p, gap, func(u unit) { give(t.frame(u.timestamp, now, u.Unit)) })
		} else if len(p.Payload) > 0 {
			give(t.frame(p.Timestamp, now, avc.Unit{Data: p.Payload}))
		}
	})
	waiting := t.video && !t.builder.running
	t.mu.Lock()
	t.counts.Packets, t.counts.Lost, t.counts.Late = t.order.received, t.order.lost, t.order.late
	t.counts.Dropped, t.counts.Waiting = t.builder.dropped, waiting
	t.mu.Unlock()
	if waiting && t.asked.IsZero() {
		t.asked = now
	}
	missed := !t.missed && t.builder.dropped > 0
	if !waiting || !missed && now.Sub(t.asked) < keyframePause {
		return false
	}
	t.missed = t.missed || missed
	t.asked = now
	return true
}

// Missing reports whether a packet is missing that may still come. It is for the goroutine
// that calls Packet.
func (t *Track) Missing() bool { return t.order.held > 0 }

// frame counts a complete frame and places it in time.
func (t *Track) frame(timestamp uint32, now time.Time, u avc.Unit) Frame {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts.FirstFrame == 0 {
		t.counts.FirstFrame = now.Sub(t.began)
	}
	t.counts.Frames++
	key := begins(u)
	if key {
		t.counts.Keyframes++
		t.sets.Learn(u.Data)
		if sps, err := avc.ParseSPS(t.sets.SPS(u.Data)); err == nil {
			t.counts.Width, t.counts.Height = sps.Width, sps.Height
		}
	}
	return Frame{Data: u.Data, Timestamp: t.stamps.add(timestamp), Captured: t.clock.at(timestamp),
		Arrived: now, Key: key}
}

// Report takes the camera's clock from its report about this track.
func (t *Track) Report(r *rtcp.SenderReport) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clock.report(r)
}

// LastPacket returns when the last packet came; zero before the first.
func (t *Track) LastPacket() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last
}

// Stats returns the counters.
func (t *Track) Stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts
}
