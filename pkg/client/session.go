package client

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/client/receive"
	"github.com/camd-project/camd/pkg/live/rtc"
	"github.com/camd-project/camd/pkg/proto"
)

const (
	candidateQueue = 64
	byeTimeout     = 3 * time.Second
	endGrace       = time.Second
	repairLook     = 5 * time.Millisecond // between two looks at what has come again
)

// Session is one live session. It ends with Close, and by itself when the camera ends
// it or can't be reached any more. The caller must call Close in every case.
type Session struct {
	id      string
	camera  *Camera
	options WatchOptions
	pc      *webrtc.PeerConnection
	began   time.Time
	scopes  []proto.Scope // what the camera granted; set before Watch returns
	asked   bool          // the camera may have started the session

	candidates    chan *webrtc.ICECandidate // nil: there are no more
	cancelSignals func()
	ctx           context.Context // ends with the session
	cancel        context.CancelFunc
	done          chan struct{}
	wg            sync.WaitGroup
	ended         atomic.Bool // by the camera: it needs no bye
	connected     atomic.Int64
	stream        atomic.Pointer[proto.StreamState] // what the camera said last; nil: nothing
	path          atomic.Pointer[rtc.PathReport]    // the last one; nil: none has come

	video, audio *receive.Track
	voice        *voice // nil: the session sends no sound

	mu     sync.Mutex
	tracks map[webrtc.RTPCodecType]bool // that came
	over   bool
	err    error
	closed bool
}

func newSession(ctx context.Context, c *Camera, o WatchOptions) (*Session, error) {
	began := time.Now()
	pc, err := newPeer(o.ICEServers, o.RelayOnly, c.log)
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

// ID returns the name of the session in requests and signals.
func (s *Session) ID() string { return s.id }

// Scopes returns the scopes that the camera granted.
func (s *Session) Scopes() []proto.Scope { return s.scopes }

// Stream returns which stream of pictures the camera sends, and why. ok is false if the camera
// has not said so: an older one doesn't.
func (s *Session) Stream() (is proto.StreamState, ok bool) {
	if p := s.stream.Load(); p != nil {
		return *p, true
	}
	return is, false
}

// SetStream asks the camera for another stream of pictures, which comes with its next key
// frame. Errors: those of Call.
func (s *Session) SetStream(ctx context.Context, want proto.Stream) error {
	_, err := s.camera.Call(ctx, proto.OpStream, s.id, proto.StreamRequest{Stream: want})
	return err
}

// Done returns a channel that is closed when the session has ended.
func (s *Session) Done() <-chan struct{} { return s.done }

// Err returns why the session ended; nil while it is active, and if it ended by a bye.
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
		// A camera that ends the session also says why, through the broker.
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
				switch p := p.(type) {
				case *rtcp.SenderReport:
					r.Report(p)
				case *rtcp.ApplicationDefined:
					if path, ok := rtc.ReadPathReport(p); ok {
						s.path.Store(&path)
					}
				}
			}
		}
	}()
	for {
		p, err := readPacket(t, r)
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

// packetReader is a *webrtc.TrackRemote.
type packetReader interface {
	ReadRTP() (*rtp.Packet, interceptor.Attributes, error)
	SetReadDeadline(deadline time.Time) error
}

// readPacket returns the next packet of a track. A packet that comes again (repairs) is read
// before the reader waits for the next one of the stream, but it doesn't end the wait. So
// while a packet is missing, the reader doesn't wait for long.
func readPacket(t packetReader, r *receive.Track) (*rtp.Packet, error) {
	for {
		if r.Missing() {
			_ = t.SetReadDeadline(time.Now().Add(repairLook)) // it fails only on a track that has ended, as ReadRTP does
		}
		p, _, err := t.ReadRTP()
		var e net.Error
		if !errors.As(err, &e) || !e.Timeout() {
			return p, err
		}
		_ = t.SetReadDeadline(time.Time{})
	}
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

// finish ends the session. Only the first call has an effect.
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

// Close ends the session, and tells the camera unless it was the camera that ended it.
// All its goroutines have ended when Close returns.
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
			s.camera.log.Info("bye was not answered", "error", err)
		}
	}
	s.cancelSignals()
	if err := s.pc.GracefulClose(); err != nil {
		s.camera.log.Info("WebRTC did not close cleanly", "error", err)
	}
	s.wg.Wait()
}

// WatchOptions say what a session carries and who gets it. Video and Audio are called in
// order, each from one goroutine of the session. They must not block for long, and must
// not call Close.
type WatchOptions struct {
	Video      func(Frame) // nil: no picture
	Audio      func(Frame) // nil: no sound
	Talk       bool        // Session.Talk will be called; the session carries the camera's sound, too
	ICEServers []ICEServer
	RelayOnly  bool         // use TURN only
	MaxBitrate int          // bits per second asked of the camera's encoder; 0: no limit
	Stream     proto.Stream // of pictures; empty: whichever the connection carries
}

// Frame is one access unit of H.264 in Annex B form, or one Opus packet.
type Frame = receive.Frame

var endSentences = map[string]string{
	proto.EndBye:      "The session was ended.",
	proto.EndICE:      "The camera lost the way to this computer.",
	proto.EndSilent:   "The camera heard nothing from this computer for half a minute and ended the session.",
	proto.EndRevoked:  "The right to watch this camera has ended.",
	proto.EndShutdown: "The camera is shutting down.",
	proto.EndLight:    "The camera's live LED went out, so it shows nothing until it works again.",
	proto.EndMedia:    "The camera could not send picture and sound any more.",
	proto.EndPicture:  "The camera gives no picture with which this viewer can start. Look at its status for the reason.",
}

// endCodes are the codes with which a session can end because a right has ended.
var endCodes = []proto.Code{proto.CodeScope, proto.CodeSchedule, proto.CodeExpired, proto.CodeRevoked, proto.CodeSuspended,
	proto.CodePrivacy, proto.CodeClock, proto.CodeStorage}

// EndSentence returns the sentence for the reason of a proto.End.
func EndSentence(reason string) string {
	if s, ok := endSentences[reason]; ok {
		return s
	}
	if slices.Contains(endCodes, proto.Code(reason)) {
		return proto.Code(reason).Sentence()
	}
	return "The camera ended the session: " + reason + "."
}

func explainEnd(reason string) error {
	if reason == proto.EndBye {
		return nil
	}
	cause, code := ErrLost, proto.Code(reason)
	if reason == proto.EndRevoked {
		code = proto.CodeRevoked
	}
	if slices.Contains(endCodes, code) { // a right ended, and not the way
		cause = errors.Join(ErrLost, &Refused{Code: code})
	}
	return home.NewProblem(cause, "%s", EndSentence(reason))
}
