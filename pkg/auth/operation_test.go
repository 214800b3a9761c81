package auth

import (
	"context"
	"encoding/json"
	"slices"
	"testing"

	"github.com/camd-project/camd/pkg/proto"
)

func TestScopesOfLive(t *testing.T) {
	live := Session[proto.LiveRequest]{Scopes: func(q proto.LiveRequest) []proto.Scope { return q.Scopes }}
	for body, want := range map[string][]proto.Scope{
		`{"sdp":"v=0","scopes":["view","listen"]}`: {proto.ScopeView, proto.ScopeListen},
		`{"scopes":["listen"],"later":1}`:          {proto.ScopeListen},
		`{"sdp":"v=0","Scopes":["view"]}`:          nil, // docs/protocol.md 2.6: names match exactly
		`{"scopes":["view"],"SCOPES":["view"]}`:    nil,
		`{"scopes":["view","view"]}`:               nil,
		`{"scopes":["talk"]}`:                      nil,
		`{"scopes":[]}`:                            nil,
		`{"scopes":["view"]} {}`:                   nil,
		`null`:                                     nil,
		``:                                         nil,
	} {
		c := live.read(json.RawMessage(body))
		if !slices.Equal(c.scopes, want) || c.bad != (want == nil) {
			t.Errorf("%s: %v, bad %v, want %v", body, c.scopes, c.bad, want)
		}
	}
}

func TestScopesOfEvents(t *testing.T) {
	events := Query[proto.EventsRequest]{Optional: true, Scopes: proto.EventsRequest.Scopes}
	for body, want := range map[string]proto.Scope{
		``: proto.ScopeEvents, `{}`: proto.ScopeEvents, `{"from":3}`: proto.ScopeEvents, `{"event":3,"offset":4096}`: proto.ScopeEvents,
		`{"snapshot":"s1"}`: proto.ScopeSnapshot, `{"snapshot":"s1","offset":4096}`: proto.ScopeSnapshot,
		`{"snapshot":"s1","event":3}`: "", `{"offset":-1}`: "", `{"event":-1}`: "", `{"event":3,"Event":4}`: "", `[]`: "", `{"from":1.5}`: "",
	} {
		c := events.read(json.RawMessage(body))
		if want == "" && !c.bad || want != "" && (c.bad || len(c.scopes) != 1 || c.scopes[0] != want) {
			t.Errorf("%s needs %v, bad %v; want %q", body, c.scopes, c.bad, want)
		}
	}
}

// What a request may do is decided by its scopes: what reads a kept event never passes
// for a snapshot of one's own.
func FuzzScopesOfEvents(f *testing.F) {
	for _, s := range []string{``, `{}`, `{"event":1}`, `{"snapshot":"s","offset":1}`, `{"event":1,"snapshot":""}`, `{"snapshot":"s","event":0}`} {
		f.Add([]byte(s))
	}
	var q proto.EventsRequest
	events := Query[proto.EventsRequest]{Optional: true, Scopes: proto.EventsRequest.Scopes, Answer: func(_ context.Context, _ Request, body proto.EventsRequest) (Result, error) {
		q = body
		return Result{}, nil
	}}
	f.Fuzz(func(t *testing.T, body []byte) {
		c := events.read(body)
		if c.bad {
			return
		}
		if _, err := c.answer(t.Context(), Request{}); err != nil || len(c.scopes) != 1 || (c.scopes[0] == proto.ScopeSnapshot) != (q.Snapshot != "") || q.Snapshot != "" && (q.Event != 0 || q.From != 0) {
			t.Errorf("%q needs %v and asks for %+v", body, c.scopes, q)
		}
	})
}

// Whatever a request for a talk holds, it is refused or needs the right to talk.
func FuzzScopesOfTalk(f *testing.F) {
	for _, s := range []string{``, `{}`, `{"live":"s"}`, `{"live":""}`, `{"live":"s","Live":""}`, `{"live":1}`, `{"live":"s","more":1}`, `[]`} {
		f.Add([]byte(s))
	}
	var q proto.TalkRequest
	talk := Session[proto.TalkRequest]{Scopes: Needs[proto.TalkRequest](proto.ScopeTalk), Begin: func(_ context.Context, _ Request, body proto.TalkRequest) (any, Running, error) {
		q = body
		return nil, nil, nil
	}}
	f.Fuzz(func(t *testing.T, body []byte) {
		c := talk.read(body)
		if c.bad {
			return
		}
		if _, _, err := c.begin(t.Context(), Request{}); err != nil || q.Live == "" || !slices.Equal(c.scopes, []proto.Scope{proto.ScopeTalk}) {
			t.Errorf("%q needs %v and talks in %q", body, c.scopes, q.Live)
		}
	})
}

// A body that is bad is refused before anything else, whatever kind of operation it is for,
// and one that is not looked at is not.
func TestBadBodies(t *testing.T) {
	for name, c := range map[string]struct {
		o    Operation
		body string
		bad  bool
	}{
		"none":                   {Query[None]{}, ``, false},
		"none, though there is":  {Query[None]{}, `{`, false},
		"optional":               {Query[proto.LogRequest]{Optional: true}, ``, false},
		"optional, bad":          {Query[proto.LogRequest]{Optional: true}, `{"from":-1}`, true},
		"query":                  {Query[proto.MembersRequest]{}, ``, true},
		"query, invalid":         {Query[proto.MembersRequest]{}, `{"from":-1}`, true},
		"change":                 {Change[proto.Privacy]{}, ``, true},
		"change, a name twice":   {Change[proto.Privacy]{}, `{"on":true,"on":false}`, true},
		"change, invalid":        {Change[proto.Revoke]{}, `{"client":"Eve"}`, true},
		"session":                {Session[proto.TalkRequest]{}, ``, true},
		"session, invalid":       {Session[proto.TalkRequest]{}, `{}`, true},
		"what is to be answered": {Session[proto.TalkRequest]{}, `{"live":"s"}`, false},
	} {
		if got := c.o.read(json.RawMessage(c.body)).bad; got != c.bad {
			t.Errorf("%s: bad %v", name, got)
		}
	}
}
