package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/live/packets"
	"github.com/camd-project/camd/pkg/live/rtc"
	"github.com/camd-project/camd/pkg/live/sdp"
	"github.com/camd-project/camd/pkg/media"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/watchdog"
)

const maxSession = 64 // bytes of a session's name

// Deps are the other parts that a Server uses.
type Deps struct {
	Video  *media.Feed[*media.AccessUnit]
	Audio  *media.Feed[*media.AudioFrame]
	Camera Camera

	// The second stream, of the same pictures with fewer bits; nil: there is none.
	LowVideo  *media.Feed[*media.AccessUnit]
	LowCamera Camera

	Bitrate    int        // bit/s that Camera is configured for; 0: not known
	Microphone Microphone // the source of Audio; nil: it can't be prepared for loss
	Indicator  Indicator  // nil: there is none
}

// Viewer is one session, for the status.
type Viewer struct {
	Client  proto.ClientID
	Session string
	View    bool
	Listen  bool
	Since   time.Time
	Stream  *proto.StreamState // of the pictures; nil: none
	Stats   Stats
}

// Server holds the live sessions of one camera. It is a supervise.Component.
type Server struct {
	cfg    Config
	log    *slog.Logger
	deps   Deps
	health *health.Condition

	video, audio   *packets.Buffer
	high, low      *stream       // low is nil if there is none
	connect        time.Duration // how long a session may take to connect
	indicatorCheck time.Duration
	certificates   chan webrtc.Certificate
	turns          watchdog.Loop
	socket         sharedSocket
	control        cameraControl

	mu       sync.Mutex
	ctx      context.Context // of Run; nil while it does not run
	sessions map[sessionKey]*Session
	running  sync.WaitGroup

	steers    sync.Mutex // held during SetBitrate and SetLoss, which do not block, so that the last wish is set last
	steering  steering
	soundLoss soundLoss
}

// New returns a server, or an error if the configuration is not valid. Run starts it.
func New(cfg Config, log *slog.Logger, board *health.Board, deps Deps) (*Server, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	s := &Server{
		cfg: cfg, log: log.With("component", "live"), deps: deps, health: board.Condition("live"),
		video: packets.New(rtc.VideoClock, true), audio: packets.New(rtc.AudioClock, false),
		connect:        connectTimeout,
		control:        cameraControl{Camera: deps.Camera},
		indicatorCheck: indicatorCheck,
		steering:       newSteering(cfg, deps.Bitrate),
		certificates:   make(chan webrtc.Certificate), turns: watchdog.NewLoop(), sessions: map[sessionKey]*Session{},
	}
	s.high = &stream{name: proto.StreamHigh, buffer: s.video, feed: deps.Video, control: &s.control}
	if deps.LowVideo != nil {
		s.low = &stream{
			name: proto.StreamLow, buffer: s.video.Alternative(), feed: deps.LowVideo, control: &cameraControl{Camera: deps.LowCamera},
		}
	}
	return s, nil
}

func (s *Server) String() string { return "live" }

// Turn returns nil when the loop of Run has come round and sessions could be looked at.
func (s *Server) Turn(ctx context.Context) error { return s.turns.Turn(ctx) }

// Run fills the packet buffers and serves until ctx ends; then it ends every session and
// waits for their last write.
func (s *Server) Run(ctx context.Context, ready func()) error {
	defer s.deps.Video.Subscribe(s.video.AppendUnit)()
	defer s.deps.Audio.Subscribe(s.audio.AppendAudio)()
	if s.low != nil {
		defer s.low.feed.Subscribe(s.low.buffer.AppendUnit)()
	}
	s.mu.Lock()
	s.ctx = ctx
	s.mu.Unlock()
	s.health.Set(health.OK, "")
	ready()
	watched, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		watchIndicator(watched, s.deps.Indicator, s.indicatorCheck, func(err error) {
			s.log.Error("live LED has gone out: ending every session", "error", err)
			s.endAll(endReason(proto.EndLight))
		})
	})
	// Turning takes the lock over the sessions, which nobody may hold for long.
	err := makeCertificates(ctx, s.certificates, s.turns, func() { _ = s.stopping() })
	s.mu.Lock()
	s.ctx = nil // no new sessions
	s.mu.Unlock()
	s.endAll(endReason(proto.EndShutdown))
	s.running.Wait()
	cancel()
	watching.Wait()
	return err
}

// Forget drops the pictures and the sound that are kept for new viewers and for NACKs.
// If the sources are closed (privacy mode), nobody who comes later gets anything from
// before.
func (s *Server) Forget() {
	s.video.Clear()
	s.audio.Clear()
	if s.low != nil {
		s.low.buffer.Clear()
	}
}

func (s *Server) endAll(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.sessions {
		x.end(why)
	}
}

func (s *Server) stopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ctx == nil || s.ctx.Err() != nil
}

// Start answers an offer. The caller has authorised it and logged it durably. The
// session lives under ctx; what is gathered after the answer goes out by o.Signal.
// Errors are *proto.Refusal where the viewer may know the cause.
func (s *Server) Start(ctx context.Context, o Offer) (*Session, string, error) {
	parsed, err := sdp.Parse(o.SDP)
	if err != nil {
		s.log.Info("offer refused", "client", o.Client, "error", brief(err))
		return nil, "", proto.Refuse(proto.CodeBadRequest)
	}
	x, err := s.reserve(ctx, o, parsed)
	if err != nil {
		return nil, "", err
	}
	answer, err := s.prepare(x, parsed)
	if err != nil {
		x.abandon()
		s.running.Done()
		s.log.Warn("session not started", "client", o.Client, "error", brief(err))
		var refusal *proto.Refusal
		var bad *badOffer
		switch {
		case errors.As(err, &refusal):
			err = refusal
		case errors.As(err, &bad):
			err = proto.Refuse(proto.CodeBadRequest)
		}
		return nil, "", err
	}
	go func() {
		defer s.running.Done()
		x.run()
	}()
	return x, answer, nil
}

// brief shortens an error that may quote the viewer's offer, for the log.
func brief(err error) string { return fmt.Sprintf("%.200s", err.Error()) }

// reserve counts the session as one of those allowed, before anything is made for it.
func (s *Server) reserve(ctx context.Context, o Offer, parsed sdp.Offer) (*Session, error) {
	key := sessionKey{o.Client, o.Session}
	x := &Session{
		server: s, offer: o, since: time.Now(),
		log:    s.log.With("client", o.Client, "session", o.Session),
		opened: make(chan struct{}), connected: make(chan struct{}, 1), done: make(chan struct{}),
		trickle: trickle{wake: make(chan struct{}, 1), remote: parsed.Candidates},
		bounds:  bounds{own: proto.OwnNetworks()},
	}
	if o.View {
		x.tias = parsed.TIAS
	}
	x.fec = o.Listen && parsed.FEC
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ctx == nil || s.ctx.Err() != nil:
		return nil, proto.Refuse(proto.CodeBusy)
	case o.Session == "" || len(o.Session) > maxSession || s.sessions[key] != nil:
		return nil, proto.Refuse(proto.CodeBadRequest)
	}
	if code := place(o, s.sessions, s.cfg.MaxSessions); code != proto.CodeOK {
		return nil, proto.Refuse(code)
	}
	x.ctx, x.end = context.WithCancelCause(ctx)
	x.inbound = newInboundAudio(&x.counters)
	x.bounds.exceeded, x.bounds.media = x.exceeded, x.inbound.take
	x.bounds.reports = func(source uint32, packet []byte) { x.viewer.feedback(source, packet) }
	s.sessions[key] = x
	s.running.Add(1)
	x.release = append(x.release, func() { x.end(nil) }, func() {
		s.mu.Lock()
		delete(s.sessions, key)
		s.mu.Unlock()
		s.steer(time.Now())
	})
	return x, nil
}

// steer sets the encoders of pictures and sound by what is known of the viewers' paths.
func (s *Server) steer(now time.Time) {
	s.steers.Lock()
	defer s.steers.Unlock()
	s.limitBitrate(now)
	s.protectSound(now)
}

// protectSound prepares sound for the loss that viewers report.
func (s *Server) protectSound(now time.Time) {
	if s.deps.Microphone == nil {
		return
	}
	var lost []float64
	s.mu.Lock()
	for _, x := range s.sessions {
		if x.fec {
			lost = append(lost, x.counters.lostSound())
		}
	}
	s.mu.Unlock()
	before := s.soundLoss.percent
	if percent := s.soundLoss.next(now, lost); percent != before {
		s.deps.Microphone.SetLoss(percent)
	}
}

// limitBitrate sets the bitrate of the camera's encoder to what its viewers can be sent. It
// leaves out viewers that are sent the second stream, and, if they can be sent it, those
// that are not worth following (worthFollowing).
func (s *Server) limitBitrate(now time.Time) {
	var wishes []int
	s.mu.Lock()
	for _, x := range s.sessions {
		if x.offer.View && !x.onLow() {
			wishes = append(wishes, x.Stats().Path.wish(x.tias, now.Sub(x.since)))
		}
	}
	s.mu.Unlock()
	if s.low != nil && s.low.fits(s.high) {
		wishes = worthFollowing(wishes, s.deps.Bitrate)
	}
	before := s.steering.set
	if bps := s.steering.next(now, wishes); bps != before {
		s.deps.Camera.SetBitrate(bps)
	}
}

// prepare does what needs no lock: it switches the indicator on, declares demand for
// the sources, waits for the camera's format, and makes the connection.
func (s *Server) prepare(x *Session, o sdp.Offer) (string, error) {
	video, audio := o.Video && x.offer.View, o.Audio && x.offer.Listen
	if !video && !audio {
		return "", &badOffer{errors.New("nothing of what it can receive is granted")}
	}
	if i := s.deps.Indicator; i != nil { // on before anything is sent, and off after the last write
		if err := i.On(); err != nil {
			return "", fmt.Errorf("switch the live LED on: %w: %w", err, proto.Refuse(proto.CodeNoLight))
		}
		x.release = append(x.release, i.Off)
	}
	var format rtc.H264
	var force bool
	if video {
		x.streams = newStreams(s.high, s.low, x.offer.Stream)
		x.release = append(x.release, x.streams.release)
		f, err := s.control.format(x.ctx)
		if err != nil {
			return "", err
		}
		var ok bool
		if format, ok = o.Choose(f.ProfileLevelID); !ok {
			s.log.Info("viewer can't decode the camera's profile", "profile", f.ProfileLevelID, "client", x.offer.Client)
			return "", proto.Refuse(proto.CodeCodec)
		}
		force = f.CanForceIDR
	}
	if audio {
		x.release = append(x.release, s.deps.Audio.Want())
	}
	answer, err := x.open(o, format, force)
	if err == nil {
		s.steer(time.Now())
	}
	return answer, err
}

// AddCandidates adds the viewer's candidates to its session.
func (s *Server) AddCandidates(client proto.ClientID, session string, c proto.Candidates) error {
	x, err := s.session(client, session)
	if err != nil {
		return err
	}
	return x.addCandidates(c)
}

// SetStream changes which stream of pictures a session is sent, and returns which one it is
// or will be. Errors: *proto.Refusal, with no_session, or bad_request if it has no pictures.
func (s *Server) SetStream(client proto.ClientID, session string, want proto.Stream) (proto.StreamState, error) {
	x, err := s.session(client, session)
	if err != nil {
		return proto.StreamState{}, err
	}
	select {
	case <-x.opened:
	case <-x.ctx.Done():
		return proto.StreamState{}, proto.Refuse(proto.CodeNoSession)
	}
	if x.streams == nil {
		return proto.StreamState{}, proto.Refuse(proto.CodeBadRequest)
	}
	return x.streams.ask(want), nil
}

// Bye ends the viewer's session.
func (s *Server) Bye(client proto.ClientID, session string) error {
	x, err := s.session(client, session)
	if err != nil {
		return err
	}
	x.end(endReason(proto.EndBye))
	return nil
}

func (s *Server) session(client proto.ClientID, session string) (*Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.sessions[sessionKey{client, session}]; x != nil {
		return x, nil
	}
	return nil, proto.Refuse(proto.CodeNoSession)
}

// Hear passes what the viewer speaks in its session to sink, on the goroutine that
// reads the session's media. When stop has returned, sink is not called any more; nor
// is it when done is closed, which the session's end does. Errors: *proto.Refusal, with
// no_session, or bad_request if the session's sound was not negotiated both ways, or
// someone_speaks while somebody else hears it.
func (s *Server) Hear(client proto.ClientID, session string, sink Sink) (stop func(), done <-chan struct{}, err error) {
	a, err := s.inboundAudio(client, session)
	if err != nil {
		return nil, nil, err
	}
	if stop, err = a.open(sink); err != nil {
		return nil, nil, err
	}
	return stop, a.ended, nil
}

// MayHear returns the error that Hear would return now, and changes nothing.
func (s *Server) MayHear(client proto.ClientID, session string) error {
	a, err := s.inboundAudio(client, session)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.refusal()
}

// inboundAudio returns a session's, once it is negotiated.
func (s *Server) inboundAudio(client proto.ClientID, session string) (*inboundAudio, error) {
	x, err := s.session(client, session)
	if err != nil {
		return nil, err
	}
	select {
	case <-x.opened:
		return x.inbound, nil
	case <-x.ctx.Done():
		return nil, proto.Refuse(proto.CodeNoSession)
	}
}

// Viewers lists the sessions, the oldest first.
func (s *Server) Viewers() []Viewer {
	s.mu.Lock()
	defer s.mu.Unlock()
	var l []Viewer
	for _, x := range s.sessions {
		l = append(l, Viewer{Client: x.offer.Client, Session: x.offer.Session, View: x.offer.View, Listen: x.offer.Listen, Since: x.since, Stream: x.Stream(), Stats: x.Stats()})
	}
	slices.SortFunc(l, func(a, b Viewer) int { return a.Since.Compare(b.Since) })
	return l
}

// relayGathered tells health whether the configured relays work. pion says nothing: it
// only leaves their candidates out.
func (s *Server) relayGathered(relay bool, trouble string) {
	if !s.cfg.hasRelay() {
		return
	}
	servers, err := s.cfg.iceServers()
	if relay && err == nil {
		s.health.Set(health.OK, "")
		return
	}
	why := "No TURN server answered. Check address, certificate name and login in live.ice_servers."
	if end, ended := endedAt(servers, time.Now()); ended {
		why = fmt.Sprintf("No TURN server answered, and the credentials ended at %s. Make new ones, or look at the program that writes live.ice_servers.credentials_file.", end.UTC().Format(time.RFC3339))
	}
	if err != nil {
		why = strings.ToUpper(err.Error()[:1]) + err.Error()[1:] + "."
	}
	s.log.Warn("relay does not work", "relay", relay, "trouble", trouble, "error", err)
	s.health.Set(health.Degraded, why)
}
