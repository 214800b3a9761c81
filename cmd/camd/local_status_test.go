package main

import (
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/proto"
)

func TestStatusNamesWhatIsUsed(t *testing.T) {
	var out strings.Builder
	err := printStatus(&out, &proto.StatusAnswer{Sessions: []proto.Viewer{
		{Name: "Anna", Scopes: []proto.Scope{proto.ScopeView, proto.ScopeListen}}}})
	if err != nil || !strings.Contains(out.String(), "  view, listen\n") {
		t.Errorf("status prints %q (%v)", out.String(), err)
	}
}
