package attack

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/test/hostile"
)

// TestT18 floods as fast as messages can be sealed, beside other tests: it waits long.
// How long others wait meanwhile, and what it costs, make bench measures; that they are
// answered, and how much is written, is proved here.
func TestT18FloodsAreBoundedAndOthersAreAnswered(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	ben := h.Invite(h.owner, proto.Grant{Name: "Ben", Role: proto.RoleAdult, Scopes: []proto.Scope{proto.ScopeView, proto.ScopeSettings}})
	member := hostile.NewClient(t, h.evil, ben.Keys(), ben.Record())
	member.Hello()
	stranger := hostile.Stranger(t, h.evil, h.owner.Record())
	stranger.Nonce = member.Nonce
	began, before := time.Now(), len(h.entries())
	viewer := hostile.NewViewer(t)
	name := "flooded"
	live := func(scope proto.Scope) func(i int) *hostile.Forgery {
		return func(i int) *hostile.Forgery {
			return member.Request(proto.OpLive, fmt.Sprint(scope, i), proto.LiveRequest{SDP: viewer.Offer, Scopes: []proto.Scope{scope}})
		}
	}
	plain := func(c *hostile.Client, op proto.Op, body any) func(int) *hostile.Forgery {
		return func(int) *hostile.Forgery { return c.Request(op, "", body) }
	}
	for _, flood := range []struct {
		what string
		from *hostile.Client
		next func(i int) *hostile.Forgery
	}{
		{"live sessions", member, live(proto.ScopeView)},
		{"a stranger's requests", stranger, plain(stranger, proto.OpStatus, nil)},
		{"hellos", member, plain(member, proto.OpHello, nil)},
		{"requests", member, plain(member, proto.OpMembers, nil)},
		{"unknown operations", member, plain(member, "open-sesame", nil)},
		{"refusals", member, live(proto.ScopeTalk)},
		{"settings", member, plain(member, proto.OpSetSettings, proto.SettingsChange{Name: &name})},
		{"removals", member, plain(member, proto.OpRevoke, proto.Revoke{Client: h.owner.Keys().ID()})},
		{"stale requests", member, func(int) *hostile.Forgery {
			f := member.Request(proto.OpStatus, "", nil)
			f.Claims["non"] = "of-another-minute"
			return f
		}},
		{"garbled messages", member, func(int) *hostile.Forgery {
			f := member.Request(proto.OpStatus, "", nil)
			f.Inner = []byte("a.b.c")
			return f
		}},
	} {
		if n := h.amid(flood.from, flood.next); n < answers {
			t.Errorf("amid a flood of %s an owner got %d answers", flood.what, n)
		}
		member.Hello() // by then its allowance has grown again
	}
	// A start makes two entries, a change one, together 120 and one more each minute; a
	// refusal is logged once a minute, a counter of what is hostile once an hour.
	starts := 120 + int(time.Since(began)/time.Minute) + 1
	most := 2*starts + int(time.Since(began)/time.Minute) + 1 + 1
	if n := len(h.entries()) - before; n == 0 || n > most {
		t.Errorf("%d entries were made, want some, and at most %d", n, most)
	}
	for _, word := range []string{"on", "off"} { // ends the sessions of the flood
		if out, err := h.Run("privacy", word); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	h.sees(h.owner)
}

// answers is how many an owner asks for amid each flood, which has at least as many
// messages as one client's allowance lets pass at once.
const answers, atLeast = 5, 120

// amid floods, and has the owner ask for the status meanwhile. It returns how often the
// owner was answered.
func (h *house) amid(from *hostile.Client, next func(i int) *hostile.Forgery) (n int) {
	h.t.Helper()
	var over atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; i < atLeast || !over.Load(); i++ {
			from.Send(next(i))
		}
	})
	for range answers {
		if _, err := h.owner.Call(h.t.Context(), proto.OpStatus, "", nil); err != nil {
			h.t.Error(err)
			continue
		}
		n++
	}
	over.Store(true)
	wg.Wait()
	return n
}
