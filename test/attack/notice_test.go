package attack

import (
	"context"
	"fmt"
	"testing"

	"github.com/camd-project/camd/internal/pki"
	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/link/linktest"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/test/hostile"
	"github.com/camd-project/camd/test/rig"
)

// thinLine is a broker at the end of a line that can be thin.
type thinLine struct {
	*hostile.Broker
	line *linktest.Proxy
}

func (b thinLine) Address() string { return b.line.Address() }

// A guest fills the camera's way out with parts of a picture, and then watches: everyone
// else is told all the same, and nobody misses anything.
func TestWatchingIsToldOverASlowLine(t *testing.T) {
	var line *linktest.Proxy
	h := &house{t: t}
	h.Rig = rig.NewWith(t, synthetic, func(ca *pki.CA, _ string) (rig.Broker, error) {
		h.evil = hostile.Start(t, ca)
		line = linktest.NewProxy(t, h.evil.Address())
		return thinLine{h.evil, line}, nil
	})
	h.pair(newKeys(t))
	family := map[string]*client.Camera{"Anna": h.owner}
	for name, role := range map[string]proto.Role{"Ben": proto.RoleAdult, "Cara": proto.RoleGuest} {
		keys := h.invite(h.probe, proto.Grant{Name: name, Role: role})
		family[name] = h.Dial(keys, h.owner.Record())
	}
	eve := h.as(h.invite(h.probe, proto.Grant{Name: "Eve", Scopes: []proto.Scope{proto.ScopeView, proto.ScopeListen, proto.ScopeSnapshot}}))
	eve.Settle()
	told := map[string]<-chan client.Notice{}
	for name, c := range family {
		l, cancel, err := c.Notices(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer cancel()
		told[name] = l
	}
	if a := eve.Do(eve.Request(proto.OpSnapshot, "p", nil)); a.Code != proto.CodeOK {
		t.Fatalf("the picture: %s", a.Code)
	}

	line.Slow(true)
	const parts = 80 // at once, within its rate
	for range parts {
		eve.Send(eve.Request(proto.OpEvents, "", proto.EventsRequest{Snapshot: "p"}))
	}
	offer, try := hostile.NewViewer(t).LiveRequest(), 0
	h.Until("the guest watches", func() bool {
		try++
		eve.Send(eve.Request(proto.OpLive, fmt.Sprint("s", try), offer))
		return len(h.sessions()) > 0
	})
	for name, l := range told {
		h.heard(name, l)
	}
	if n := len(eve.Answers()); n > parts {
		t.Errorf("%d answers came: the way out was not full", n)
	}
}

// heard waits until a member is told that Eve watches.
func (h *house) heard(name string, l <-chan client.Notice) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), rig.Patience)
	defer cancel()
	for {
		select {
		case n := <-l:
			if n.Missed {
				h.t.Errorf("%s has missed something before %d", name, n.Index)
			}
			if n.Entry.Kind == accesslog.KindLive && n.Entry.Name == "Eve" {
				return
			}
		case <-ctx.Done():
			h.t.Errorf("%s is not told that Eve watches", name)
			return
		}
	}
}
