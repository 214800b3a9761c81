package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/camd-project/camd/pkg/audio"
	"github.com/camd-project/camd/pkg/audio/prompt"
	"github.com/camd-project/camd/pkg/auth"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/talk"
)

// loudspeaker is the camera's as the floor wants it.
type loudspeaker struct{ *audio.Speaker }

// Voice lets a voice in.
func (l loudspeaker) Voice(ctx context.Context) (talk.Voice, error) {
	v, err := l.Speaker.Voice(ctx)
	if errors.Is(err, audio.ErrUnannounced) {
		return nil, fmt.Errorf("%w: %w", talk.ErrStale, err)
	}
	if err != nil {
		return nil, err // not a nil *Voice in an interface
	}
	return v, nil
}

// Announce plays what is to be heard. What can't be heard at all is as good as missing.
func (l loudspeaker) Announce(ctx context.Context, clip [][]byte) error {
	err := l.Speaker.Announce(ctx, clip)
	if errors.Is(err, audio.ErrClip) {
		return fmt.Errorf("%w: %w", err, proto.Refuse(proto.CodeNoChime))
	}
	return err
}

// words are what the room hears of whoever speaks.
type words struct{ archive *prompt.Archive }

// Speaking is a chime, and who speaks.
func (w words) Speaking(m talk.Member) ([][]byte, error) {
	return w.archive.Speaking(prompt.Person(m))
}

// Asking is a chime, and who wants to.
func (w words) Asking(m talk.Member) ([][]byte, error) {
	return w.archive.AsksToSpeak(prompt.Person(m))
}

// present are the members, and those who are watching or listening now.
func present(authority *auth.Authority) (all, watching []prompt.Person) {
	for _, m := range authority.Members() {
		p := prompt.Person{Name: m.Name, Role: m.Role}
		all = append(all, p)
		if len(m.Watching) > 0 {
			watching = append(watching, p)
		}
	}
	return all, watching
}

// talkRule is what a talk needs. docs/protocol.md 8.
func (s *service) talkRule() auth.Rule {
	return auth.Rule{
		Scopes: talkScopes,
		Logged: true, Slow: true,
		Check: func(r auth.Request) error { return s.floor.Check(member(r)) },
	}
}

func member(r auth.Request) talk.Member {
	return talk.Member{Name: r.Caller.Name, Role: r.Caller.Role}
}

// talkScopes refuses what is no request before anything is logged.
func talkScopes(body json.RawMessage) ([]proto.Scope, error) {
	if _, err := talkRequest(body); err != nil {
		return nil, err
	}
	return []proto.Scope{proto.ScopeTalk}, nil
}

func talkRequest(body json.RawMessage) (q proto.TalkRequest, err error) {
	if err = envelope.Decode(body, &q); err == nil && q.Live == "" {
		err = errors.New("a talk needs a live session")
	}
	return q, err
}

// talk lets a member speak. The gate has decided, logged and told everyone when it is
// called; it returns when the room hears the voice.
func (s *service) talk(ctx context.Context, r auth.Request) (auth.Result, error) {
	q, err := talkRequest(r.Body)
	if err != nil {
		return auth.Result{}, proto.Refuse(proto.CodeBadRequest)
	}
	t, err := s.floor.Start(ctx, talk.Request{
		Client: r.Caller.Client, Account: r.Caller.Account, ID: r.Session, Live: q.Live, Member: member(r),
		Accept: s.authority.Settings().Talk == proto.TalkAccepted,
		Ended: func(reason string) {
			if reason != proto.EndBye {
				r.Signal(proto.SignalEnd, proto.End{Reason: reason})
			}
		},
	})
	if err != nil {
		return auth.Result{}, err
	}
	return auth.Result{Running: t}, nil
}

// bye ends a session of the caller's own, or its talk.
func (s *service) bye(_ context.Context, r auth.Request) (auth.Result, error) {
	if s.floor.Bye(r.Caller.Client, r.Session) {
		return auth.Result{}, nil
	}
	return auth.Result{}, s.sessions.Bye(r.Caller.Client, r.Session)
}

type talkCmd struct {
	configFlag
	What string `arg:"positional,required" help:"accept or end" placeholder:"accept|end"`
}

// Run does what a press of the button would.
func (c talkCmd) Run(env *environment) error {
	said, ok := map[string]string{
		"accept": "The voice is let in.",
		"end":    "The talk is ended. Nobody may speak through the camera for ten minutes.",
	}[c.What]
	if !ok {
		return &codedError{2, fmt.Errorf("talk is accept or end, not %q", c.What)}
	}
	if _, err := (localCmd{configFlag: c.configFlag}).do(adminRequest{Cmd: "talk", Press: c.What}); err != nil {
		return err
	}
	_, err := fmt.Fprintln(env.out, said)
	return err
}
