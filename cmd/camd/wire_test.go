package main

import (
	"slices"
	"testing"

	"github.com/camd-project/camd/pkg/proto"
)

func TestLiveScopes(t *testing.T) {
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
		got, err := liveScopes([]byte(body))
		if !slices.Equal(got, want) || (err == nil) != (want != nil) {
			t.Errorf("%s: %v, %v, want %v", body, got, err, want)
		}
	}
}
