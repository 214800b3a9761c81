package attack

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/test/hostile"
	"github.com/camd-project/camd/test/rig"
)

// maxWrites is far above what one change takes.
const maxWrites = 100

// change is what is cut off.
type change struct {
	before   func()
	request  func() *hostile.Forgery
	old, new []string // the members before and after
}

// cut kills camd at its n-th write after the request, starts it again, and tells
// whether the request was answered, and whether all its writes were carried out.
func (h *house) cut(n int, c change) (answered, whole bool) {
	h.t.Helper()
	c.before()
	f := c.request()
	jti := f.Claims["jti"].(string)
	k := kill(h.t, h.PID(), n)
	h.probe.Send(f)
	gone, again, late := false, time.Tick(4*time.Second), time.After(rig.Patience)
	for !gone && !answered {
		select {
		case <-k.done: //nolint:errcheck // how it ended is in k
			gone = true
		case <-again: // as clients do
			f.Claims["seq"] = time.Now().UnixMicro()
			h.probe.Send(f)
		case <-late:
			h.t.Fatalf("at write %d: neither an answer nor an end", n)
		case <-time.After(2 * time.Millisecond):
		}
		answered = h.probe.Answers()[jti].Code != ""
	}
	if !gone {
		_ = syscall.Kill(h.PID(), syscall.SIGKILL) // it may be gone by now
		<-k.done                                   //nolint:errcheck // how it ended is in k
	}
	_ = h.Wait()
	whole = answered && !k.hit
	h.Start()
	h.Online()
	if len(h.names()) == 0 {
		h.t.Fatalf("killed at write %d, camd knows nobody any more", n)
	}
	h.probe.Hello()
	a, ok := h.probe.Answers()[jti]
	if answered = ok; ok && a.Code != proto.CodeOK {
		h.t.Fatalf("at write %d the request is answered %q", n, a.Code)
	}
	return answered, whole
}

// everyCut does that at one write after the other, and looks at what is there then.
func (h *house) everyCut(witness *client.Camera, c change) {
	h.t.Helper()
	seen := map[string]int{}
	for n, whole := 1, false; !whole; n++ {
		if n > maxWrites {
			h.t.Fatal("it never ends")
		}
		var answered bool
		answered, whole = h.cut(n, c)
		got := h.names()
		switch {
		case slices.Equal(got, c.new):
			seen["new"]++
		case slices.Equal(got, c.old):
			seen["old"]++
		default:
			h.t.Errorf("killed at write %d: the members are %v", n, got)
		}
		if answered && !slices.Equal(got, c.new) {
			h.t.Errorf("killed at write %d: it was answered, and the members are %v", n, got)
		}
		if answered {
			seen["answered"]++
		}
		// In the same epoch, with a log that continues the one that the witness knows.
		if _, err := witness.VerifyLog(h.t.Context()); err != nil || witness.Alarm() != nil {
			h.t.Errorf("killed at write %d: the log says %v, %+v", n, err, witness.Alarm())
		}
	}
	h.t.Logf("seen: %v", seen)
	if seen["old"] == 0 || seen["new"] <= seen["answered"] || seen["answered"] == 0 {
		h.t.Errorf("some cut must come before, some after the change, and some after the answer: %v", seen)
	}
}

func TestT16KilledAtEveryWriteOfARevoke(t *testing.T) {
	h := newHome(t)
	witness := h.Invite(h.owner, proto.Grant{Name: "Dora", Role: proto.RoleOwner})
	ben, cara := newKeys(t), newKeys(t)
	h.everyCut(witness, change{
		before: func() {
			h.does(h.probe, proto.OpGrant, rig.Complete(t, ben, proto.Grant{Name: "Ben", Role: proto.RoleAdult}), proto.CodeOK)
			h.does(h.as(ben), proto.OpGrant, rig.Complete(t, cara, proto.Grant{Name: "Cara"}), proto.CodeOK)
		},
		request: func() *hostile.Forgery {
			return h.probe.Request(proto.OpRevoke, "", proto.Revoke{Client: ben.ID()})
		},
		old: []string{"Anna", "Ben", "Cara", "Dora"}, new: []string{"Anna", "Dora"},
	})
}

func TestT16KilledAtEveryWriteOfAGrant(t *testing.T) {
	h := newHome(t)
	witness := h.Invite(h.owner, proto.Grant{Name: "Dora", Role: proto.RoleOwner})
	ben := newKeys(t)
	h.everyCut(witness, change{
		before: func() {
			h.does(h.probe, proto.OpRevoke, proto.Revoke{Client: ben.ID()}, proto.CodeOK)
		},
		request: func() *hostile.Forgery {
			return h.probe.Request(proto.OpGrant, "", rig.Complete(t, ben, proto.Grant{Name: "Ben"}))
		},
		old: []string{"Anna", "Dora"}, new: []string{"Anna", "Ben", "Dora"},
	})
	if !slices.ContainsFunc(h.entries(), func(e accesslog.Entry) bool { return e.Reason == accesslog.ReasonNotApplied }) {
		t.Error("the log does not say of a grant that it did not happen")
	}
}
