package main

import (
	"slices"
	"testing"

	"github.com/camd-project/camd/pkg/proto"
)

// Whatever a request for a talk holds, it is refused or needs the right to talk.
func FuzzTalkRequest(f *testing.F) {
	for _, s := range []string{``, `{}`, `{"live":"s"}`, `{"live":""}`, `{"live":"s","Live":""}`, `{"live":1}`, `{"live":"s","more":1}`, `[]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		l, err := talkScopes(body)
		q, wrong := talkRequest(body)
		switch {
		case (err == nil) != (wrong == nil):
			t.Errorf("%q: %v, but %v", body, err, wrong)
		case err == nil && (q.Live == "" || !slices.Equal(l, []proto.Scope{proto.ScopeTalk})):
			t.Errorf("%q needs %v and talks in %q", body, l, q.Live)
		}
	})
}
