package client

import (
	"sync"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/camd-project/camd/pkg/media/avc"
)

// receiver is the state of one track: the reading goroutine's, but for what mu
// guards.
type receiver struct {
	rate  int
	began time.Time

	order   reorder
	stamps  unwrap
	builder assembler
	asker   keyframeAsker

	mu     sync.Mutex
	taken  bool      // the one track of this kind
	last   time.Time // when a packet came last
	sets   avc.Sets
	clock  senderClock
	jitter jitter
	counts TrackStats
}

// receive is run by pion in a goroutine for each track, until the track ends.
func (s *Session) receive(t *webrtc.TrackRemote, from *webrtc.RTPReceiver) {
	r, give := &s.video, s.options.Video
	if t.Kind() == webrtc.RTPCodecTypeAudio {
		r, give = &s.audio, s.options.Audio
	}
	if give == nil || !s.join(r) {
		return
	}
	defer s.wg.Done()
	reports := make(chan struct{})
	go func() { defer close(reports); r.readReports(from) }()
	for {
		p, _, err := t.ReadRTP()
		if err != nil {
			break
		}
		if t.Kind() == webrtc.RTPCodecTypeAudio {
			r.takeAudio(p, time.Now(), give)
		} else if r.takeVideo(p, time.Now(), give) {
			s.askKeyframe(t)
		}
	}
	<-reports
}

// join refuses a second track of a kind, and any once Close waits.
func (s *Session) join(r *receiver) bool {
	r.mu.Lock()
	again := r.taken
	r.taken = true
	r.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if again || s.over {
		return false
	}
	s.wg.Add(1)
	return true
}

func (r *receiver) readReports(from *webrtc.RTPReceiver) {
	for {
		packets, _, err := from.ReadRTCP()
		if err != nil {
			return
		}
		for _, p := range packets {
			if sr, ok := p.(*rtcp.SenderReport); ok {
				r.mu.Lock()
				r.clock.report(sr)
				r.mu.Unlock()
			}
		}
	}
}

func (r *receiver) takeAudio(p *rtp.Packet, now time.Time, give func(Frame)) {
	r.note(p, now)
	r.order.push(p, now, func(p *rtp.Packet, _ bool) {
		if len(p.Payload) == 0 {
			return
		}
		give(r.frame(p.Timestamp, now, avc.Unit{Data: p.Payload}))
	})
	r.settle(false)
}

// takeVideo tells whether to ask for an IDR.
func (r *receiver) takeVideo(p *rtp.Packet, now time.Time, give func(Frame)) bool {
	r.note(p, now)
	r.order.push(p, now, func(p *rtp.Packet, gap bool) {
		r.builder.push(p, gap, func(u assembled) { give(r.frame(u.timestamp, now, u.Unit)) })
	})
	r.settle(!r.builder.running)
	return !r.builder.running && r.asker.due(now)
}

// note counts a packet as it came.
func (r *receiver) note(p *rtp.Packet, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = now
	if r.counts.FirstPacket == 0 {
		r.counts.FirstPacket = now.Sub(r.began)
	}
	r.counts.Bytes += uint64(len(p.Payload))
	r.jitter.add(p.Timestamp, now, r.rate)
	r.counts.Jitter = time.Duration(r.jitter.value / float64(r.rate) * float64(time.Second))
}

// frame counts a complete frame and places it in time.
func (r *receiver) frame(timestamp uint32, now time.Time, u avc.Unit) Frame {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.counts.FirstFrame == 0 {
		r.counts.FirstFrame = now.Sub(r.began)
	}
	r.counts.Frames++
	key := begins(u)
	if key {
		r.counts.Keyframes++
		r.sets.Learn(u.Data)
		if sps, err := avc.ParseSPS(r.sets.SPS(u.Data)); err == nil {
			r.counts.Width, r.counts.Height = sps.Width, sps.Height
		}
	}
	return Frame{Data: u.Data, Timestamp: r.stamps.add(timestamp), Captured: r.clock.at(timestamp),
		Arrived: now, Key: key}
}

// settle copies the counters that the reading goroutine owns.
func (r *receiver) settle(waiting bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts.Packets, r.counts.Lost, r.counts.Late = r.order.received, r.order.lost, r.order.late
	r.counts.Dropped, r.counts.Waiting = r.builder.dropped, waiting
}

func (s *Session) askKeyframe(t *webrtc.TrackRemote) {
	if err := s.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(t.SSRC())}}); err != nil {
		s.camera.log.Debug("keyframe was not asked for", "error", err)
	}
}
