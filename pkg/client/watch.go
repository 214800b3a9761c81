package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/pion/webrtc/v4"

	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

// Watch asks the camera for a live session. ctx applies to the request only; the session
// goes on until Close or Done. Errors: those of Call, and of WebRTC.
func (c *Camera) Watch(ctx context.Context, o WatchOptions) (*Session, error) {
	s, err := newSession(ctx, c, o)
	if err != nil {
		return nil, err
	}
	if err := s.start(ctx); err != nil {
		var p *home.Problem
		var refused *Refused
		s.ended.Store(!s.asked || errors.As(err, &refused) || errors.Is(err, ErrOffline))
		s.Close() //nolint:contextcheck // a session that was requested may have started, even without an answer
		if errors.As(err, &p) || errors.As(err, &refused) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return nil, err
		}
		return nil, home.NewProblem(err, "The live session can't be started: %v.", err)
	}
	return s, nil
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
	request := proto.LiveRequest{SDP: limitBitrate(offer, s.options.MaxBitrate), Stream: s.options.Stream}
	if s.options.Video != nil {
		request.Scopes = append(request.Scopes, proto.ScopeView)
	}
	if s.options.Audio != nil || s.options.Talk {
		request.Scopes = append(request.Scopes, proto.ScopeListen)
	}
	answer, err := s.camera.Call(ctx, proto.OpLive, s.id, request)
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
	s.stream.Store(live.Stream)
	if err := s.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: live.SDP}); err != nil {
		return fmt.Errorf("apply answer: %w", err)
	}
	s.wg.Go(func() { s.readSignals(signals) })
	s.wg.Go(s.sendCandidates)
	s.wg.Go(s.endIfGone)
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

// addVoice negotiates sound in both directions from the start, so that a talk needs no
// negotiation.
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
	s.wg.Go(func() { // nobody needs the reports about the voice, and unread ones would pile up
		b := make([]byte, 1500)
		for {
			if _, _, err := t.Sender().Read(b); err != nil {
				return
			}
		}
	})
	return nil
}

// readSignals handles the camera's candidates, and the end of the session.
func (s *Session) readSignals(signals <-chan Signal) {
	for m := range signals {
		switch m.Kind {
		case proto.SignalCandidate:
			var l proto.Candidates
			if err := json.Unmarshal(m.Body, &l); err != nil {
				s.camera.log.Info("candidates can't be read", "error", err)
				continue
			}
			for _, c := range l.Candidates {
				if err := s.pc.AddICECandidate(webrtc.ICECandidateInit(c)); err != nil {
					s.camera.log.Info("candidate can't be used", "error", err)
				}
			}
		case proto.SignalStream:
			var is proto.StreamState
			if json.Unmarshal(m.Body, &is) == nil {
				s.stream.Store(&is)
			}
		case proto.SignalEnd:
			var end proto.End
			if json.Unmarshal(m.Body, &end) == nil {
				s.ended.Store(true)
				s.finish(explainEnd(end.Reason))
			}
		}
	}
}

// sendCandidates sends this client's candidates, as many at a time as there are.
func (s *Session) sendCandidates() {
	for {
		l := proto.Candidates{Candidates: []proto.Candidate{}}
		add := func(c *webrtc.ICECandidate) {
			if c == nil {
				l.Done = true
			} else {
				l.Candidates = append(l.Candidates, proto.Candidate(c.ToJSON()))
			}
		}
		select {
		case c := <-s.candidates:
			add(c)
		case <-s.done:
			return
		}
		for len(s.candidates) > 0 {
			add(<-s.candidates)
		}
		if _, err := s.camera.Call(s.ctx, proto.OpCandidate, s.id, l); err != nil && s.ctx.Err() == nil {
			s.camera.log.Info("candidates were not sent", "error", err)
		}
		if l.Done {
			return
		}
	}
}
