package client

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"

	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

var errMute = errors.New("this session was not begun for talking")

// Talk is the right to speak through the camera, which has announced it in the room.
// It ends with Close, with its session, and when the camera ends it; Close is to be
// called in every case.
type Talk struct {
	id     string
	camera *Camera
	voice  *voice // nil: someone else sends the sound

	cancelSignals func()
	done          chan struct{}
	wg            sync.WaitGroup

	mu     sync.Mutex
	over   bool
	ended  bool // by the camera: it needs no bye
	closed bool
	reason string
	err    error
}

// AskToTalk asks the camera to let the voice be heard that comes through the live
// session of this name, which some program of this client carries. It returns when
// the room has heard who speaks. ctx is for the asking only. Errors: those of Call.
func (c *Camera) AskToTalk(ctx context.Context, live string) (*Talk, error) {
	t := &Talk{id: randomID(), camera: c, done: make(chan struct{})}
	signals, cancel, err := c.Signals(ctx, t.id)
	if err != nil {
		return nil, err
	}
	t.cancelSignals = cancel
	t.wg.Go(func() { t.follow(signals) })
	if _, err := c.Call(ctx, proto.OpTalk, t.id, proto.TalkRequest{Live: live}); err != nil {
		var refused *Refused
		t.finish(errors.As(err, &refused) || errors.Is(err, ErrOffline), "", nil)
		t.Close() //nolint:contextcheck // what was asked for and not answered may have begun
		if refused != nil && refused.Code == proto.CodeTalking {
			err = c.whoSpeaks(ctx, err)
		}
		return nil, err
	}
	return t, nil
}

// whoSpeaks says who speaks through the camera, if that can be learned.
func (c *Camera) whoSpeaks(ctx context.Context, refused error) error {
	var status proto.StatusAnswer
	a, err := c.Call(ctx, proto.OpStatus, "", nil)
	if err != nil || json.Unmarshal(a.Body, &status) != nil {
		return refused
	}
	for _, v := range status.Sessions {
		if slices.Contains(v.Scopes, proto.ScopeTalk) {
			return home.NewProblem(refused, "%s is speaking through the camera. Try again when they have stopped.", v.Name)
		}
	}
	return refused
}

// Talk asks to speak through the camera. What Write is given from then on is heard in
// the room. The session must have been begun with WatchOptions.Talk. Errors: those of
// Call, such as *Refused with someone_speaks or quiet_hours.
func (s *Session) Talk(ctx context.Context) (*Talk, error) {
	if s.voice == nil {
		return nil, home.NewProblem(errMute, "This session carries no voice to the camera. Start another one for talking.")
	}
	t, err := s.camera.AskToTalk(ctx, s.id)
	if err != nil {
		return nil, err
	}
	s.voice.begin()
	t.voice = s.voice
	t.wg.Go(func() {
		select {
		case <-s.done:
			t.sessionEnded(s.Err())
		case <-t.done:
		}
	})
	return t, nil
}

// Write sends one Opus packet of so many samples at 48 kHz. The caller keeps the
// pace: what comes faster than it sounds is dropped by the camera.
func (t *Talk) Write(opus []byte, samples int) error {
	select {
	case <-t.done:
		if err := t.Err(); err != nil {
			return err
		}
		return ErrClosed
	default:
	}
	if t.voice == nil {
		return errMute
	}
	return t.voice.write(opus, samples)
}

// Done is closed when the talk has ended, by whomever.
func (t *Talk) Done() <-chan struct{} { return t.done }

// Reason is why the camera ended the talk, a proto.End's; empty while it lives, and
// when Close or the session's end ended it.
func (t *Talk) Reason() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.reason
}

// Err says why the talk ended; nil while it lives and when Close ended it.
func (t *Talk) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// follow waits for the camera's word that the talk is over.
func (t *Talk) follow(signals <-chan Signal) {
	for m := range signals {
		var end proto.End
		if m.Kind == proto.SignalEnd && json.Unmarshal(m.Body, &end) == nil {
			t.finish(true, end.Reason, explainTalkEnd(end.Reason))
		}
	}
}

func (t *Talk) sessionEnded(err error) {
	if err == nil {
		err = ErrClosed
	}
	t.finish(true, "", err)
}

// finish ends the talk once; the first reason stays.
func (t *Talk) finish(ended bool, reason string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = t.ended || ended
	if t.over {
		return
	}
	t.over, t.reason, t.err = true, reason, err
	close(t.done)
}

// Close says bye to the talk, unless it has ended with its session or by the camera.
// The session goes on.
func (t *Talk) Close() {
	t.finish(false, "", nil)
	t.mu.Lock()
	again, ended := t.closed, t.ended
	t.closed = true
	t.mu.Unlock()
	if again {
		return
	}
	if !ended {
		ctx, cancel := context.WithTimeout(context.Background(), byeTimeout)
		if _, err := t.camera.Call(ctx, proto.OpBye, t.id, nil); err != nil {
			t.camera.log.Info("bye was not heard", "error", err)
		}
		cancel()
	}
	t.cancelSignals()
	t.wg.Wait()
}

var talkEnds = map[string]string{
	proto.EndBye:      "The talk was ended.",
	proto.EndIdle:     "Nobody spoke for a minute, so the camera ended the talk.",
	proto.EndPressed:  "Someone at the camera ended the talk.",
	proto.EndSpeaker:  "The camera's speaker failed, so it ended the talk.",
	proto.EndRevoked:  "The right to speak through this camera has ended.",
	proto.EndShutdown: "The camera is shutting down.",
}

// talkEndCodes are the codes that a talk can end with besides a session's.
var talkEndCodes = []proto.Code{proto.CodeQuiet, proto.CodeBlocked, proto.CodeNoSpeaker, proto.CodeNoChime, proto.CodeNoSession}

// TalkEndSentence is what a person reads of the reason for which a talk ended.
func TalkEndSentence(reason string) string {
	if s, ok := talkEnds[reason]; ok {
		return s
	}
	if slices.Contains(endCodes, proto.Code(reason)) || slices.Contains(talkEndCodes, proto.Code(reason)) {
		return proto.Code(reason).Sentence()
	}
	return "The camera ended the talk: " + reason + "."
}

func explainTalkEnd(reason string) error {
	if reason == proto.EndBye {
		return nil
	}
	return home.NewProblem(ErrLost, "%s", TalkEndSentence(reason))
}
