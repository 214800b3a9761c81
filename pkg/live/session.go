package live

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/webrtc/v4"

	"github.com/camd-project/camd/pkg/live/packets"
	"github.com/camd-project/camd/pkg/live/rtc"
	"github.com/camd-project/camd/pkg/live/sdp"
	"github.com/camd-project/camd/pkg/live/udp"
	"github.com/camd-project/camd/pkg/proto"
)

// Time-outs of a session. docs/protocol.md 7.5.
const (
	connectTimeout = 20 * time.Second
	// Host candidates come within a millisecond of one another; the answer waits for
	// them, the others are trickled.
	firstCandidate = time.Second // a machine without any address has none
	lastCandidate  = 5 * time.Millisecond
)

// Offer is an authorised and logged request for a session.
type Offer struct {
	Client  proto.ClientID
	Sponsor proto.ClientID // itself, or the member who invited it as a guest
	Owner   bool
	Session string // the client's name for it
	SDP     string
	View    bool         // pictures may be sent
	Listen  bool         // sound may be sent
	Stream  proto.Stream // of the pictures: which one the viewer asks for
	Signal  func(kind proto.SignalKind, body any)
}

type sessionKey struct {
	client  proto.ClientID
	session string
}

// Session is one viewer's live session.
type Session struct {
	server *Server
	log    *slog.Logger
	offer  Offer
	since  time.Time
	tias   int  // bit/s, 0: no wish
	fec    bool // it listens, and uses in-band FEC

	ctx context.Context // ends with the right, with camd, or by end
	end context.CancelCauseFunc

	net       *sessionNet
	pc        *webrtc.PeerConnection
	viewer    *viewer
	streams   *streams // of pictures; nil: it gets none
	counters  counters
	opened    chan struct{} // closed when pc takes candidates
	relay     relayTrouble
	release   []func() // undoes, last first, what the session took
	writer    sync.WaitGroup
	connected chan struct{} // holds one value when ICE and DTLS are up
	up        atomic.Bool   // they have been
	trickle   trickle
	bounds    bounds
	haste     haste
	inbound   *inboundAudio

	done   chan struct{}
	reason string // set before done is closed
}

// Done is closed when the last write has been done: no media packet, answer to a
// NACK or report leaves after it.
func (s *Session) Done() <-chan struct{} { return s.done }

// Reason returns why the session ended: one of proto's End constants, or the code of the
// *proto.Refusal that is the cause of its context's end; it is valid after Done.
func (s *Session) Reason() string { return s.reason }

// Stream returns which stream of pictures it is sent, and why; nil: none.
func (s *Session) Stream() *proto.StreamState {
	select {
	case <-s.opened:
	default:
		return nil
	}
	if s.streams == nil {
		return nil
	}
	state := s.streams.state()
	return &state
}

// onLow reports whether the viewer is sent the second stream.
func (s *Session) onLow() bool {
	is := s.Stream()
	return is != nil && is.Stream == proto.StreamLow
}

// Stats returns what the session has sent and received so far.
func (s *Session) Stats() Stats { return s.counters.snapshot() }

// run is the session from the answer to its end.
func (s *Session) run() {
	timeout := time.NewTimer(s.server.connect)
	defer timeout.Stop()
	for s.ctx.Err() == nil {
		select {
		case <-s.ctx.Done():
		case <-s.connected:
			timeout.Stop()
			s.log.Info("viewer connected", "after", time.Since(s.since))
			s.writer.Go(func() {
				if err := s.viewer.run(s.ctx); err != nil {
					s.end(err)
				}
			})
		case <-s.streams.changed():
			s.offer.Signal(proto.SignalStream, s.streams.state())
			s.server.steer(time.Now())
		case <-s.trickle.wake:
			c, relay := s.trickle.take()
			if len(c.Candidates) > 0 || c.Done {
				s.offer.Signal(proto.SignalCandidate, c)
			}
			if c.Done {
				s.server.relayGathered(relay, s.relay.String())
			}
		case <-timeout.C:
			switch s.pc.ICEConnectionState() {
			case webrtc.ICEConnectionStateConnected, webrtc.ICEConnectionStateCompleted:
				s.end(endReason(proto.EndMedia)) // the path is there, DTLS is not
			default:
				s.end(endReason(proto.EndICE))
			}
		}
	}
	s.finish()
}

// finish ends everything in the order that Done promises. Nothing is heard any more;
// what is queued in relays is thrown away, and writes that are blocked in them fail; the
// writer ends; then the PeerConnection closes, which sends only DTLS's close_notify.
func (s *Session) finish() {
	s.inbound.close()
	s.net.abort()
	s.writer.Wait()
	s.reason = s.whyEnded()
	if s.reason != proto.EndBye {
		s.offer.Signal(proto.SignalEnd, proto.End{Reason: s.reason})
	}
	if err := s.pc.GracefulClose(); err != nil {
		s.log.Debug("close peer connection", "error", err)
	}
	s.log.Info("session ended", "reason", s.reason, "lasted", time.Since(s.since), "sent", s.Stats())
	s.free()
	close(s.done)
}

func (s *Session) whyEnded() string {
	var own endReason
	var refusal *proto.Refusal
	switch cause := context.Cause(s.ctx); {
	case errors.As(cause, &own):
		return string(own)
	case errors.As(cause, &refusal): // the right ended, and whoever ended it says why
		return string(refusal.Code)
	case s.server.stopping():
		return proto.EndShutdown
	}
	return proto.EndRevoked
}

func (s *Session) free() {
	for _, undo := range slices.Backward(s.release) {
		undo()
	}
	s.release = nil
}

// open makes the PeerConnection and answers the offer. After an error the caller
// calls abandon.
func (s *Session) open(o sdp.Offer, format rtc.H264, force bool) (answer string, err error) {
	if s.net, err = newSessionNet(s.ctx); err != nil {
		return "", err
	}
	log := rtc.Log(s.log, s.relay.note)
	socket, api, err := s.api(format, log)
	if err != nil {
		return "", err
	}
	c := webrtc.Configuration{BundlePolicy: webrtc.BundlePolicyMaxBundle}
	if c.ICEServers, err = s.iceServers(); err != nil {
		return "", err
	}
	if s.server.cfg.RelayOnly {
		c.ICETransportPolicy = webrtc.ICETransportPolicyRelay
	}
	select {
	case cert := <-s.server.certificates:
		c.Certificates = []webrtc.Certificate{cert}
	default: // the pool is empty: pion makes one
	}
	if s.pc, err = api.NewPeerConnection(c); err != nil {
		return "", fmt.Errorf("make peer connection: %w", err)
	}
	s.pc.OnICECandidate(s.trickle.add)
	s.pc.OnConnectionStateChange(s.connectionStateChanged)
	return s.negotiate(o, format, socket, force)
}

// iceServers returns the STUN and TURN servers. If there are credentials for none of the relays
// through which alone media may go, the viewer is told at once.
func (s *Session) iceServers() ([]webrtc.ICEServer, error) {
	servers, err := s.server.cfg.iceServers()
	if err == nil {
		return servers, nil
	}
	s.server.relayGathered(false, "")
	relay := func(x webrtc.ICEServer) bool {
		return slices.ContainsFunc(x.URLs, func(u string) bool { return strings.HasPrefix(u, "turn") })
	}
	if s.server.cfg.RelayOnly && !slices.ContainsFunc(servers, relay) {
		return nil, err
	}
	return servers, nil
}

// api makes pion's API for one session, and the shared socket unless everything goes
// through relays.
func (s *Session) api(format rtc.H264, log logging.LoggerFactory) (*udp.Socket, *webrtc.API, error) {
	var socket *udp.Socket
	var mux ice.UDPMux
	if !s.server.cfg.RelayOnly {
		var err error
		if socket, mux, err = s.server.socket.acquire(s.net, log.NewLogger("mux")); err != nil {
			return nil, nil, err
		}
		s.release = append(s.release, func() {
			if err := s.server.socket.release(); err != nil {
				s.log.Warn("close UDP socket", "error", err)
			}
		}, func() { s.haste.set(false) })
		s.haste.socket, s.inbound.hurry = socket, socket.Hurry
		s.haste.set(true) // until the viewer is connected, and is near
	}
	var formats []rtc.H264 // the one that was chosen from the offer
	if format.FMTP != "" {
		formats = []rtc.H264{format}
	}
	m, err := rtc.MediaEngine("", formats...)
	if err != nil {
		return nil, nil, fmt.Errorf("set up WebRTC: %w", err)
	}
	return socket, webrtc.NewAPI(
		webrtc.WithMediaEngine(m),
		webrtc.WithSettingEngine(settingEngine(s.net, mux, &s.bounds, log)),
		// Empty, not nil: nil would bring a retransmission buffer for each viewer.
		webrtc.WithInterceptorRegistry(&interceptor.Registry{}),
	), nil
}

func (s *Session) negotiate(o sdp.Offer, format rtc.H264, socket *udp.Socket, force bool) (string, error) {
	text, err := o.With(format)
	if err != nil {
		return "", &badOffer{err}
	}
	remote := webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: text}
	if err := s.pc.SetRemoteDescription(remote); err != nil {
		return "", &badOffer{err}
	}
	s.viewer = newViewer(&s.counters, s.server.control.keyframe, force)
	if s.streams != nil {
		s.viewer.use(s.streams, s.tias)
	}
	s.viewer.writeRTCP = s.pc.WriteRTCP
	if force { // nobody bounds the key frames of a camera that gives H.264 itself
		s.viewer.full = s.server.deps.Bitrate
		s.viewer.path.Need(s.viewer.full)
	}
	s.viewer.haste = &s.haste
	s.viewer.changed = func() { s.server.steer(time.Now()) }
	if err := s.addTracks(o); err != nil {
		return "", err
	}
	s.watchPath()
	local, err := s.pc.CreateAnswer(nil)
	if err != nil {
		return "", &badOffer{err}
	}
	if err := s.pc.SetLocalDescription(local); err != nil {
		return "", fmt.Errorf("apply answer: %w", err)
	}
	if err := s.useTracks(o, socket); err != nil {
		return "", err
	}
	close(s.opened)
	return s.answer(), nil
}

// addTracks adds what the viewer may have and can receive.
func (s *Session) addTracks(o sdp.Offer) error {
	video := s.server.video
	if s.streams != nil {
		video = s.streams.target.Load().buffer
	}
	stream := rand.Text() // a CNAME that reveals nothing (RFC 7022)
	for _, x := range []struct {
		wanted bool
		track  track
		buffer *packets.Buffer
	}{
		{o.Video && s.offer.View, track{kind: webrtc.RTPCodecTypeVideo, mime: webrtc.MimeTypeH264, id: "video", stream: stream}, video},
		{o.Audio && s.offer.Listen, track{kind: webrtc.RTPCodecTypeAudio, mime: webrtc.MimeTypeOpus, id: "audio", stream: stream}, s.server.audio},
	} {
		if !x.wanted {
			continue
		}
		if _, err := s.pc.AddTrack(&x.track); err != nil {
			return fmt.Errorf("add %s track: %w", x.track.id, err)
		}
		s.viewer.tracks = append(s.viewer.tracks, newTrackSender(&x.track, s.viewer.path, x.buffer))
	}
	return nil
}

// useTracks prepares what was negotiated: video leaves in batches (an audio frame is one
// packet), and the viewer may be heard if its sound goes both ways.
func (s *Session) useTracks(o sdp.Offer, socket *udp.Socket) error {
	for _, t := range s.viewer.tracks {
		switch {
		case t.track.writer == nil:
			return &badOffer{errNoCodec}
		case t.video() && socket != nil:
			sources := []uint32{t.track.ssrc}
			if t.track.again != nil {
				sources = append(sources, t.track.again.SSRC)
			}
			b, err := socket.Batch(sources...)
			if err != nil {
				return err
			}
			t.batch = b
			s.release = append(s.release, b.Close)
		case !t.video() && o.Speaks:
			s.inbound.allow(o, t.track.header.PayloadType)
		}
	}
	return nil
}

// badOffer is an error that the viewer's offer caused.
type badOffer struct{ cause error }

func (e *badOffer) Error() string { return "offer: " + e.cause.Error() }
func (e *badOffer) Unwrap() error { return e.cause }

// abandon frees what a session took if it never ran.
func (s *Session) abandon() {
	s.end(endReason(proto.EndMedia))
	s.inbound.close()
	if s.net != nil {
		s.net.abort()
	}
	if s.pc != nil {
		_ = s.pc.GracefulClose()
	}
	s.free()
	close(s.done)
}

// connectionStateChanged is called by pion, each time on a goroutine of its own.
func (s *Session) connectionStateChanged(st webrtc.PeerConnectionState) {
	switch st {
	case webrtc.PeerConnectionStateConnected:
		// Once: after a short loss the writer still runs, and a second one would send
		// other packets under the same numbers (RFC 7714 section 8.4).
		if s.up.CompareAndSwap(false, true) {
			s.connected <- struct{}{}
		}
	case webrtc.PeerConnectionStateFailed:
		if s.pc.ICEConnectionState() == webrtc.ICEConnectionStateFailed {
			s.end(endReason(proto.EndICE))
			return
		}
		s.end(endReason(proto.EndMedia))
	case webrtc.PeerConnectionStateClosed: // by the viewer, or by DTLS that failed
		if s.up.Load() {
			s.end(endReason(proto.EndBye))
			return
		}
		s.end(endReason(proto.EndMedia))
	}
}

// exceeded ends a session whose viewer makes pion keep more and more.
func (s *Session) exceeded(what string) {
	if s.ctx.Err() == nil {
		s.log.Warn("viewer sends too many of something", "what", what)
	}
	s.end(endReason(proto.EndMedia))
}

// answer waits a moment for the host candidates and returns the answer with them.
func (s *Session) answer() string {
	limit := time.After(firstCandidate)
	if s.server.cfg.RelayOnly {
		limit = nil // there are none
	}
	for limit != nil {
		select {
		case <-limit:
			limit = nil
		case <-s.ctx.Done():
			limit = nil
		case <-s.trickle.wake:
			switch found, complete := s.trickle.gathered(); {
			case complete:
				limit = nil
			case found:
				limit = time.After(lastCandidate)
			}
		}
	}
	answer := s.pc.LocalDescription().SDP
	s.trickle.forget(func(c proto.Candidate) bool { return strings.Contains(answer, c.Candidate) })
	return answer
}

// addCandidates adds the viewer's. Those that pion can't use, such as mDNS names,
// are no error: the viewer is found as peer-reflexive.
func (s *Session) addCandidates(c proto.Candidates) error {
	select {
	case <-s.opened:
	case <-s.ctx.Done():
		return proto.Refuse(proto.CodeNoSession)
	}
	if !s.trickle.allow(len(c.Candidates)) {
		return proto.Refuse(proto.CodeBadRequest)
	}
	for _, x := range c.Candidates {
		if x.Candidate == "" {
			continue // Chromium's way to say that there are no more
		}
		if err := s.pc.AddICECandidate(webrtc.ICECandidateInit(x)); err != nil {
			s.log.Debug("candidate refused", "error", err)
			return proto.Refuse(proto.CodeBadRequest)
		}
	}
	return nil
}
