package main

import (
	"context"

	"github.com/camd-project/camd/pkg/auth"
	"github.com/camd-project/camd/pkg/proto"
)

// operations returns all that a member can ask of the camera; only hello is the gate's own.
// docs/protocol.md 4.4 and 5.1 say the same, and a test compares them.
func (d *daemon) operations() map[proto.Op]auth.Operation {
	household := d.authority
	l := map[proto.Op]auth.Operation{
		proto.OpStatus: auth.Query[auth.None]{Answer: func(context.Context, auth.Request, auth.None) (auth.Result, error) {
			return auth.Result{Body: d.status()}, nil
		}},

		proto.OpLive: auth.Session[proto.LiveRequest]{
			Scopes: func(q proto.LiveRequest) []proto.Scope { return q.Scopes },
			Begin:  d.startLive,
		},
		proto.OpCandidate: auth.Query[proto.Candidates]{Always: true, Answer: d.candidate},
		proto.OpStream:    auth.Query[proto.StreamRequest]{Always: true, Answer: d.stream},
		proto.OpTalk: auth.Session[proto.TalkRequest]{
			Scopes: auth.Needs[proto.TalkRequest](proto.ScopeTalk),
			Check:  func(by auth.Caller, _ proto.TalkRequest) error { return d.floor.Check(talkMember(by)) },
			Slow:   true, // it waits until the room has heard who will speak
			Begin:  d.startTalk,
		},
		proto.OpBye: auth.Query[auth.None]{Always: true, Answer: d.bye},

		proto.OpSnapshot: auth.Session[auth.None]{Scopes: auth.Needs[auth.None](proto.ScopeSnapshot), Begin: d.snapshot},
		proto.OpEvents:   auth.Query[proto.EventsRequest]{Optional: true, Scopes: proto.EventsRequest.Scopes, Answer: d.keptEvents},

		proto.OpMembers:     household.OpMembers(),
		proto.OpGrant:       household.OpGrant(),
		proto.OpRevoke:      household.OpRevoke(),
		proto.OpSettings:    household.OpSettings(),
		proto.OpSetSettings: household.OpSetSettings(),
		proto.OpPrivacy:     household.OpPrivacy(),
		proto.OpLog:         household.OpLog(),
		proto.OpAlarm:       household.OpAlarm(),

		proto.OpPush:   household.OpPush(d.push),
		proto.OpUpdate: auth.Query[proto.UpdateRequest]{Scopes: proto.UpdateRequest.Scopes, Answer: d.update},
		// A member who chose a bad network could put the camera out of everyone's reach, and
		// the names of the networks around tell where it stands.
		proto.OpWiFi: auth.Query[proto.WiFiRequest]{
			Scopes: auth.Needs[proto.WiFiRequest](proto.ScopeSettings),
			Check:  auth.OwnersOnly[proto.WiFiRequest],
			Answer: d.wifi,
		},
	}
	if d.certificate != nil {
		l[proto.OpCertificate] = auth.Query[proto.CertificateRequest]{
			Scopes: proto.CertificateRequest.Scopes, Check: auth.CheckCertificate, Answer: d.brokerCertificate,
		}
	}
	return l
}
