package client

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

var errMute = errors.New("this session was not begun for talking")

// Talk is the permission to speak through the camera, which has announced it in the room.
// It ends with Close, with its session, and when the camera ends it. The caller must call
// Close in every case.
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

// AskToTalk asks the camera to play the sound that comes through the live session of this
// name, which any program of this client may have started. It returns when the room has
// heard who speaks. ctx applies to the request only. Errors: those of Call.
func (c *Camera) AskToTalk(ctx context.Context, live string) (*Talk, error) {
	return c.askToTalk(ctx, live, nil)
}

// askToTalk calls announced, which may be nil, when the camera begins to tell the room, and
// not after it has returned.
func (c *Camera) askToTalk(ctx context.Context, live string, announced func()) (*Talk, error) {
	t := &Talk{id: randomID(), camera: c, done: make(chan struct{})}
	signals, cancel, err := c.Signals(ctx, t.id)
	if err != nil {
		return nil, err
	}
	t.cancelSignals = cancel
	t.wg.Go(func() {
		for m := range signals {
			var end proto.End
			if m.Kind != proto.SignalEnd || json.Unmarshal(m.Body, &end) != nil {
				continue
			}
			err := home.NewProblem(ErrLost, "%s", TalkEndSentence(end.Reason))
			if end.Reason == proto.EndBye {
				err = nil
			}
			t.finish(true, end.Reason, err)
		}
	})
	_ = c.do(ctx, func(s *state) { s.asked[t.id] = announced }) // fails if Call does
	_, err = c.Call(ctx, proto.OpTalk, t.id, proto.TalkRequest{Live: live})
	_ = c.do(context.WithoutCancel(ctx), func(s *state) { delete(s.asked, t.id) })
	if err != nil {
		var refused *Refused
		t.finish(errors.As(err, &refused) || errors.Is(err, ErrOffline), "", nil)
		t.Close() //nolint:contextcheck // a talk that was requested may have started, even without an answer
		if refused != nil && refused.Code == proto.CodeTalking {
			err = c.whoSpeaks(ctx, err)
		}
		return nil, err
	}
	return t, nil
}

// announce calls what waits for the camera to announce a talk: the camera does so once the
// talk is in the access log, of which this client gets a notice.
func (s *state) announce(m proto.Notice) {
	if e, err := accesslog.Parse([]byte(m.Entry)); err == nil && e.Kind == accesslog.KindTalk && s.asked[e.Session] != nil {
		s.asked[e.Session]()
		s.asked[e.Session] = nil // the notice may come twice
	}
}

// whoSpeaks returns an error that says who speaks through the camera, if that is known.
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

// Talk asks to speak through the camera. After that, the camera plays what Write sends.
// The session must have been started with WatchOptions.Talk. announced is called when the
// camera begins to tell the room, unless the notice of that is lost; it may be nil, must not
// block, and is not called after Talk has returned. Errors: those of Call, such as *Refused
// with someone_speaks or quiet_hours.
func (s *Session) Talk(ctx context.Context, announced func()) (*Talk, error) {
	if s.voice == nil {
		return nil, home.NewProblem(errMute, "This session carries no voice to the camera. Start another one for talking.")
	}
	t, err := s.camera.askToTalk(ctx, s.id, announced)
	if err != nil {
		return nil, err
	}
	s.voice.begin()
	t.voice = s.voice
	t.wg.Go(func() {
		select {
		case <-s.done:
			t.finish(true, "", cmp.Or(s.Err(), ErrClosed))
		case <-t.done:
		}
	})
	return t, nil
}

// Write sends one Opus packet of so many samples at 48 kHz. The caller keeps the pace: the
// camera drops what comes faster than it can be played.
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

// Done returns a channel that is closed when the talk has ended.
func (t *Talk) Done() <-chan struct{} { return t.done }

// Reason returns why the camera ended the talk, as in proto.End; empty while it is active,
// and if Close or the end of the session ended it.
func (t *Talk) Reason() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.reason
}

// Err returns why the talk ended; nil while it is active, and if Close ended it.
func (t *Talk) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// finish ends the talk. Only the first reason is kept.
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

// Close ends the talk, and tells the camera unless the talk has ended already. The session
// goes on.
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
			t.camera.log.Info("bye was not answered", "error", err)
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
	proto.EndSession:  "The live session ended, and the talk with it.",
	proto.EndSpeaker:  "The camera's speaker failed, so it ended the talk.",
	proto.EndRevoked:  "The right to speak through this camera has ended.",
	proto.EndShutdown: "The camera is shutting down.",
}

// talkEndCodes are codes with which a talk can end, besides those of a session.
var talkEndCodes = []proto.Code{proto.CodeQuiet, proto.CodeBlocked, proto.CodeNoSpeaker, proto.CodeNoChime, proto.CodeNoSession}

// TalkEndSentence returns the sentence for the reason for which a talk ended.
func TalkEndSentence(reason string) string {
	if s, ok := talkEnds[reason]; ok {
		return s
	}
	if slices.Contains(endCodes, proto.Code(reason)) || slices.Contains(talkEndCodes, proto.Code(reason)) {
		return proto.Code(reason).Sentence()
	}
	return "The camera ended the talk: " + reason + "."
}
