package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/camd-project/camd/pkg/audio"
	"github.com/camd-project/camd/pkg/audio/prompt"
	"github.com/camd-project/camd/pkg/auth"
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

// speaker is a member as the floor knows it.
func speaker(c auth.Caller) talk.Member { return talk.Member{Name: c.Name, Role: c.Role} }

// talk lets a member speak. The gate has decided, logged and told everyone when it is
// called; it returns when the room hears the voice.
func (s *service) talk(ctx context.Context, r auth.Request, q proto.TalkRequest) (any, auth.Running, error) {
	t, err := s.floor.Start(ctx, talk.Request{
		Client: r.Caller.Client, Account: r.Caller.Account, ID: r.Session, Live: q.Live, Member: speaker(r.Caller),
		Accept: s.authority.Settings().Talk == proto.TalkAccepted,
		Ended: func(reason string) {
			if reason != proto.EndBye {
				r.Signal(proto.SignalEnd, proto.End{Reason: reason})
			}
		},
	})
	if err != nil {
		return nil, nil, err // not a nil *Talk in an interface
	}
	return nil, t, nil
}

// bye ends a session of the caller's own, or its talk.
func (s *service) bye(_ context.Context, r auth.Request, _ auth.None) (auth.Result, error) {
	if s.floor.Bye(r.Caller.Client, r.Session) {
		return auth.Result{}, nil
	}
	return auth.Result{}, s.sessions.Bye(r.Caller.Client, r.Session)
}

type talkCmd struct {
	localFlags
	What string `arg:"positional,required" help:"accept or end" placeholder:"accept|end"`
}

// Run does what a press of the button would.
func (c talkCmd) Run(env *environment) error {
	said, ok := map[string]string{
		"accept": "The request to speak is accepted.",
		"end":    "The talk is ended. Nobody may speak through the camera for ten minutes.",
	}[c.What]
	if !ok {
		return &codedError{2, fmt.Errorf("talk is accept or end, not %q", c.What)}
	}
	if _, err := c.ask(adminRequest{Cmd: "talk", Press: c.What}); err != nil {
		return err
	}
	_, err := fmt.Fprintln(env.out, said)
	return err
}
