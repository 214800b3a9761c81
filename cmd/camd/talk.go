package main

import (
	"context"

	"github.com/camd-project/camd/pkg/auth"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/talk"
)

// talkMember is a member as the floor knows it.
func talkMember(c auth.Caller) talk.Member { return talk.Member{Name: c.Name, Role: c.Role} }

// startTalk lets a member speak. The gate has decided, logged and told everyone when it is
// called; it returns when the room hears the voice.
func (d *daemon) startTalk(ctx context.Context, r auth.Request, q proto.TalkRequest) (any, auth.Running, error) {
	t, err := d.floor.Start(ctx, talk.Request{
		Client: r.Caller.Client, Account: r.Caller.Account, ID: r.Session, Live: q.Live, Member: talkMember(r.Caller),
		Accept: d.authority.Settings().Talk == proto.TalkAccepted,
		Ended: func(reason string) {
			if reason != proto.EndBye && reason != proto.EndSession {
				r.Signal(proto.SignalEnd, proto.End{Reason: reason})
			}
		},
	})
	if err != nil {
		return nil, nil, err // not a nil *Talk in an interface
	}
	return nil, t, nil
}
