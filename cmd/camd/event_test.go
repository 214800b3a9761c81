package main

import (
	"testing"

	"github.com/camd-project/camd/pkg/proto"
)

func TestScopesOfEvents(t *testing.T) {
	for body, want := range map[string]proto.Scope{
		``: proto.ScopeEvents, `{}`: proto.ScopeEvents, `{"from":3}`: proto.ScopeEvents, `{"event":3,"offset":4096}`: proto.ScopeEvents,
		`{"snapshot":"s1"}`: proto.ScopeSnapshot, `{"snapshot":"s1","offset":4096}`: proto.ScopeSnapshot,
		`{"snapshot":"s1","event":3}`: "", `{"offset":-1}`: "", `{"event":-1}`: "", `{"event":3,"Event":4}`: "", `[]`: "", `{"from":1.5}`: "",
	} {
		got, err := eventsScopes([]byte(body))
		if want == "" && err == nil || want != "" && (err != nil || len(got) != 1 || got[0] != want) {
			t.Errorf("%s needs %v, %v; want %q", body, got, err, want)
		}
	}
}

// What a request may do is decided by its scopes: what reads a kept event never passes
// for a snapshot of one's own.
func FuzzEventsScopes(f *testing.F) {
	for _, s := range []string{``, `{}`, `{"event":1}`, `{"snapshot":"s","offset":1}`, `{"event":1,"snapshot":""}`, `{"snapshot":"s","event":0}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		l, err := eventsScopes(body)
		if err != nil {
			return
		}
		q, err := eventsRequest(body)
		if err != nil || len(l) != 1 || (l[0] == proto.ScopeSnapshot) != (q.Snapshot != "") || q.Snapshot != "" && (q.Event != 0 || q.From != 0) {
			t.Errorf("%q needs %v and asks for %+v, %v", body, l, q, err)
		}
	})
}
