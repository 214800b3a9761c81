package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/pion/webrtc/v4"

	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/client/receive"
	"github.com/camd-project/camd/pkg/proto"
)

// WatchOptions say what a session is to carry and who takes it. Video and Audio
// are called in order, each from one goroutine of the session; they must not block
// for long, and not call Close.
type WatchOptions struct {
	Video      func(Frame) // nil: no picture
	Audio      func(Frame) // nil: no sound
	Talk       bool        // the session is to carry a voice later, for which Session.Talk asks; the camera's sound comes too
	ICEServers []ICEServer
	RelayOnly  bool // use TURN only
	MaxBitrate int  // bits per second asked of the camera's encoder; 0: no limit
}

// Frame is one access unit of H.264 in Annex B form, or one Opus packet.
type Frame = receive.Frame

func (o WatchOptions) scopes() []proto.Scope {
	var l []proto.Scope
	if o.Video != nil {
		l = append(l, proto.ScopeView)
	}
	if o.Audio != nil || o.Talk {
		l = append(l, proto.ScopeListen)
	}
	return l
}

// Watch asks the camera for a live session. ctx is for the asking only; the
// session lives until Close or until Done. Errors: those of Call, and of WebRTC.
func (c *Camera) Watch(ctx context.Context, o WatchOptions) (*Session, error) {
	s, err := newSession(ctx, c, o)
	if err != nil {
		return nil, err
	}
	if err := s.start(ctx); err != nil {
		var refused *Refused
		s.ended.Store(!s.asked || errors.As(err, &refused) || errors.Is(err, ErrOffline))
		s.Close() //nolint:contextcheck // what was asked for and not answered may have begun
		return nil, explainWatch(err)
	}
	return s, nil
}

func explainWatch(err error) error {
	var p *home.Problem
	var refused *Refused
	if errors.As(err, &p) || errors.As(err, &refused) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return home.NewProblem(err, "The live session can't be started: %v.", err)
}

// start sends the offer at once, without candidates: they follow, and a camera
// that can be reached learns ours from the first check.
func (s *Session) start(ctx context.Context) error {
	offer, err := s.offer()
	if err != nil {
		return err
	}
	signals, cancel, err := s.camera.Signals(ctx, s.id)
	if err != nil {
		return err
	}
	s.cancelSignals = cancel
	s.asked = true
	answer, err := s.camera.Call(ctx, proto.OpLive, s.id, proto.LiveRequest{SDP: limitBitrate(offer, s.options.MaxBitrate), Scopes: s.options.scopes()})
	if err != nil {
		return err
	}
	var live proto.LiveAnswer
	if err := json.Unmarshal(answer.Body, &live); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if err := checkAnswer(live.SDP); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	s.scopes = live.Scopes
	if err := s.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: live.SDP}); err != nil {
		return fmt.Errorf("apply answer: %w", err)
	}
	s.wg.Go(func() { s.readSignals(signals) })
	s.wg.Go(s.sendCandidates)
	s.wg.Go(s.watchSilence)
	return nil
}

func (s *Session) offer() (string, error) {
	for _, m := range []struct {
		wanted bool
		kind   webrtc.RTPCodecType
	}{{s.options.Video != nil, webrtc.RTPCodecTypeVideo}, {s.options.Audio != nil && !s.options.Talk, webrtc.RTPCodecTypeAudio}} {
		if !m.wanted {
			continue
		}
		if _, err := s.pc.AddTransceiverFromKind(m.kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
			return "", fmt.Errorf("add %s: %w", m.kind, err)
		}
	}
	if err := s.addVoice(); err != nil {
		return "", fmt.Errorf("add voice: %w", err)
	}
	offer, err := s.pc.CreateOffer(nil)
	if err != nil {
		return "", fmt.Errorf("make offer: %w", err)
	}
	if err := s.pc.SetLocalDescription(offer); err != nil {
		return "", fmt.Errorf("apply offer: %w", err)
	}
	return offer.SDP, nil
}

// addVoice lets sound go both ways from the start, so that talking negotiates nothing.
func (s *Session) addVoice() error {
	if !s.options.Talk {
		return nil
	}
	v, err := newVoice()
	if err != nil {
		return err
	}
	t, err := s.pc.AddTransceiverFromTrack(v.track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendrecv})
	if err != nil {
		return err
	}
	s.voice = v
	s.wg.Go(func() { drainReports(t.Sender()) })
	return nil
}

// drainReports lets nothing pile up of what is reported about the voice.
func drainReports(s *webrtc.RTPSender) {
	b := make([]byte, 1500)
	for {
		if _, _, err := s.Read(b); err != nil {
			return
		}
	}
}

// readSignals takes the camera's candidates, and its word that the session ended.
func (s *Session) readSignals(signals <-chan Signal) {
	for m := range signals {
		switch m.Kind {
		case proto.SignalCandidate:
			s.addCandidates(m.Body)
		case proto.SignalEnd:
			var end proto.End
			if json.Unmarshal(m.Body, &end) == nil {
				s.ended.Store(true)
				s.finish(explainEnd(end.Reason))
			}
		}
	}
}

func (s *Session) addCandidates(body json.RawMessage) {
	var l proto.Candidates
	if err := json.Unmarshal(body, &l); err != nil {
		s.camera.log.Info("candidates can't be read", "error", err)
		return
	}
	for _, c := range l.Candidates {
		if err := s.pc.AddICECandidate(webrtc.ICECandidateInit(c)); err != nil {
			s.camera.log.Info("candidate can't be used", "error", err)
		}
	}
}

// sendCandidates sends ours, as many at a time as there are.
func (s *Session) sendCandidates() {
	for {
		l := batch{proto.Candidates{Candidates: []proto.Candidate{}}}
		select {
		case c := <-s.candidates:
			l.add(c)
		case <-s.done:
			return
		}
		for len(s.candidates) > 0 {
			l.add(<-s.candidates)
		}
		if _, err := s.camera.Call(s.ctx, proto.OpCandidate, s.id, l.Candidates); err != nil && s.ctx.Err() == nil {
			s.camera.log.Info("candidates were not sent", "error", err)
		}
		if l.Done {
			return
		}
	}
}

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

// endCodes are the codes that a session can end with when a right does.
var endCodes = []proto.Code{proto.CodeScope, proto.CodeSchedule, proto.CodeExpired, proto.CodeRevoked, proto.CodeSuspended,
	proto.CodePrivacy, proto.CodeClock, proto.CodeStorage}

// EndSentence is what a person reads of a proto.End's reason.
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

// batch is Candidates under collection.
type batch struct{ proto.Candidates }

func (b *batch) add(c *webrtc.ICECandidate) {
	if c == nil {
		b.Done = true
		return
	}
	b.Candidates.Candidates = append(b.Candidates.Candidates, proto.Candidate(c.ToJSON()))
}
