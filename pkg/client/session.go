package client

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/client/receive"
	"github.com/camd-project/camd/pkg/proto"
)

const (
	candidateQueue = 64
	byeTimeout     = 3 * time.Second
	endGrace       = time.Second
)

// Session is one live session. It ends with Close, and by itself when the camera
// ends it or can't be reached any more; Close is to be called in every case.
type Session struct {
	id      string
	camera  *Camera
	options WatchOptions
	pc      *webrtc.PeerConnection
	began   time.Time
	scopes  []proto.Scope // what the camera granted; set before Watch returns
	asked   bool          // the camera may have begun the session

	candidates    chan *webrtc.ICECandidate // nil: no more will come
	cancelSignals func()
	ctx           context.Context // ends with the session
	cancel        context.CancelFunc
	done          chan struct{}
	wg            sync.WaitGroup
	ended         atomic.Bool // by the camera: it needs no bye
	connected     atomic.Int64

	video, audio *receive.Track
	voice        *voice // nil: the camera hears nothing of this session

	mu     sync.Mutex
	tracks map[webrtc.RTPCodecType]bool // that came
	over   bool
	err    error
	closed bool
}

func newSession(ctx context.Context, c *Camera, o WatchOptions) (*Session, error) {
	began := time.Now()
	pc, err := newPeer(o, c.log)
	if err != nil {
		return nil, home.NewProblem(err, "WebRTC can't be started: %v.", err)
	}
	s := &Session{id: randomID(), camera: c, options: o, pc: pc, began: began,
		candidates: make(chan *webrtc.ICECandidate, candidateQueue), done: make(chan struct{}), tracks: map[webrtc.RTPCodecType]bool{}, cancelSignals: func() {}}
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.video, s.audio = receive.NewVideo(began), receive.NewAudio(began)
	pc.OnICECandidate(func(c *webrtc.ICECandidate) {
		select {
		case s.candidates <- c:
		default: // 64 are enough
		}
	})
	pc.OnConnectionStateChange(s.changed)
	pc.OnTrack(func(t *webrtc.TrackRemote, r *webrtc.RTPReceiver) { s.receive(t, r) })
	return s, nil
}

// ID names the session in requests and signals.
func (s *Session) ID() string { return s.id }

// Scopes are what the session carries.
func (s *Session) Scopes() []proto.Scope { return s.scopes }

// Done is closed when the session has ended, by whomever.
func (s *Session) Done() <-chan struct{} { return s.done }

// Err says why the session ended; nil while it lives and when it ended by a bye.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *Session) changed(state webrtc.PeerConnectionState) {
	switch state {
	case webrtc.PeerConnectionStateConnected:
		s.connected.CompareAndSwap(0, int64(time.Since(s.began)))
	case webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed:
		if s.connected.Load() == 0 {
			s.finish(home.NewProblem(ErrLost, "There is no way for picture and sound between this computer and the camera. Both may be behind strict firewalls; a TURN server helps."))
			return
		}
		// A camera that ends the session also says why, by another way.
		time.AfterFunc(endGrace, func() { s.finish(home.NewProblem(ErrLost, "The connection to the camera was lost.")) })
	}
}

// receive is run by pion in a goroutine for each track, until the track ends.
func (s *Session) receive(t *webrtc.TrackRemote, from *webrtc.RTPReceiver) {
	r, give := s.video, s.options.Video
	if t.Kind() == webrtc.RTPCodecTypeAudio {
		r, give = s.audio, s.options.Audio
	}
	if give == nil || !s.join(t.Kind()) {
		return
	}
	defer s.wg.Done()
	reports := make(chan struct{})
	go func() {
		defer close(reports)
		for {
			packets, _, err := from.ReadRTCP()
			if err != nil {
				return
			}
			for _, p := range packets {
				if report, ok := p.(*rtcp.SenderReport); ok {
					r.Report(report)
				}
			}
		}
	}()
	for {
		p, _, err := t.ReadRTP()
		if err != nil {
			break
		}
		if !r.Packet(p, time.Now(), give) {
			continue
		}
		if err := s.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(t.SSRC())}}); err != nil {
			s.camera.log.Debug("keyframe was not asked for", "error", err)
		}
	}
	<-reports
}

// join reports whether a track may be received: the first of its kind, in a session
// that has not ended.
func (s *Session) join(kind webrtc.RTPCodecType) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	again := s.tracks[kind]
	s.tracks[kind] = true
	if again || s.over {
		return false
	}
	s.wg.Add(1)
	return true
}

// finish ends the session once; the first reason stays.
func (s *Session) finish(reason error) {
	s.mu.Lock()
	first := !s.over
	if first {
		s.over, s.err = true, reason
	}
	s.mu.Unlock()
	if first {
		s.cancel()
		close(s.done)
	}
}

// Close says bye, unless the camera ended the session, and has joined everything
// when it returns.
func (s *Session) Close() {
	s.mu.Lock()
	again := s.closed
	s.closed = true
	s.mu.Unlock()
	if again {
		return
	}
	s.finish(nil)
	if !s.ended.Load() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), byeTimeout)
		_, err := s.camera.Call(ctx, proto.OpBye, s.id, nil)
		cancel()
		if err != nil {
			s.camera.log.Info("bye was not heard", "error", err)
		}
	}
	s.cancelSignals()
	if err := s.pc.GracefulClose(); err != nil {
		s.camera.log.Info("WebRTC did not end well", "error", err)
	}
	s.wg.Wait()
}
