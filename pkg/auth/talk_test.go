package auth

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/proto"
)

// talks lets the house's members talk; what check returns is the device's own refusal.
func (h *house) talks(check func(Caller, proto.TalkRequest) error) {
	h.stop()
	h.gate.Handle(proto.OpTalk, Session[proto.TalkRequest]{Scopes: Needs[proto.TalkRequest](proto.ScopeTalk), Slow: true, Check: check,
		Begin: func(ctx context.Context, r Request, _ proto.TalkRequest) (any, Running, error) { return h.live(ctx, r) }})
	h.run()
}

// A talk waits for people in the room; what its client asks for meanwhile does not wait
// for them, and a repetition of the talk's request begins no second one.
func TestOtherRequestsDoNotWaitForATalk(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		_, bob, _, _ := h.household()
		h.talks(nil)
		bob.must(proto.OpStatus, nil)
		entered := make(chan struct{})
		h.mu.Lock()
		h.entered = entered
		h.mu.Unlock()
		r := bob.request(proto.OpTalk, proto.TalkRequest{Live: "s1"}, in("t1"))
		bob.send(r)
		synctest.Wait()
		bob.must(proto.OpStatus, nil)
		bob.seq++
		r.Sequence = bob.seq
		bob.send(r)
		synctest.Wait()
		h.mu.Lock()
		if len(h.streams) != 1 {
			t.Errorf("%d talks began", len(h.streams))
		}
		h.mu.Unlock()
		close(entered)
		h.deliver()
		if n := len(bob.answers); n == 0 || bob.answers[n-1].Re != r.ID || bob.answers[n-1].Code != proto.CodeOK {
			t.Errorf("the talk is answered %+v", bob.answers)
		}
	})
}

// A client that lets go at once takes back a talk that is only being begun.
func TestATalkIsTakenBack(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		_, bob, _, _ := h.household()
		h.stop()
		h.gate.Handle(proto.OpTalk, Session[proto.TalkRequest]{Scopes: Needs[proto.TalkRequest](proto.ScopeTalk), Slow: true,
			Begin: func(ctx context.Context, _ Request, _ proto.TalkRequest) (any, Running, error) {
				<-ctx.Done()
				return nil, nil, context.Cause(ctx)
			}})
		h.gate.Handle(proto.OpBye, Query[None]{Always: true, Answer: func(_ context.Context, r Request, _ None) (Result, error) {
			if !r.Cancel(proto.CodeCancelled) {
				return Result{}, proto.Refuse(proto.CodeNoSession)
			}
			return Result{}, nil
		}})
		h.run()
		from := h.size()
		bob.want(proto.CodeNoSession, proto.OpBye, nil, in("t1"))
		talk, bye := bob.request(proto.OpTalk, proto.TalkRequest{Live: "s1"}, in("t1")), bob.request(proto.OpBye, nil, in("t1"))
		bob.answers = nil
		bob.send(talk)
		bob.send(bye)
		h.deliver()
		codes := map[string]proto.Code{}
		for _, a := range bob.answers {
			codes[a.Re] = a.Code
		}
		if codes[talk.ID] != proto.CodeCancelled || codes[bye.ID] != proto.CodeOK {
			t.Errorf("answers: talk %q, bye %q", codes[talk.ID], codes[bye.ID])
		}
		e := h.entries(from)
		if len(e) != 2 || e[0].Kind != accesslog.KindTalk || e[1].Kind != accesslog.KindEnd || e[1].Reason != string(proto.CodeCancelled) {
			t.Errorf("entries: %+v", e)
		}
	})
}

func (p *person) talk(sid string) proto.Code {
	return p.code(proto.OpTalk, proto.TalkRequest{Live: "s1"}, in(sid))
}

// A talk is announced to everyone before its handler is called, and is a session of
// which the end is told, too.
func TestTalkIsAnAccess(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna, bob, carl, _ := h.household()
		h.talks(nil)
		from := h.size()
		carl.heard()
		if c := bob.talk("t1"); c != proto.CodeOK {
			t.Fatal(c)
		}
		if got := h.a.sessions.scopes(bob.id); !slices.Equal(got, []proto.Scope{proto.ScopeTalk}) {
			t.Errorf("what Bob does: %v", got)
		}
		if got := carl.heard(); !slices.Equal(got, []accesslog.Kind{accesslog.KindTalk}) {
			t.Errorf("notices: %v", got)
		}
		anna.must(proto.OpRevoke, proto.Revoke{Client: bob.id})
		if got := h.kinds(from); !slices.Contains(got, accesslog.KindTalk) || !slices.Contains(got, accesslog.KindEnd) {
			t.Errorf("the log: %v", got)
		}
		if got := carl.talk("t1"); got != proto.CodeScope { // view and listen imply nothing
			t.Errorf("a guest: %s", got)
		}
	})
}

// What the device itself says against a talk is answered and logged as a refusal;
// nothing began.
func TestTalkThatTheDeviceRefuses(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		_, bob, _, _ := h.household()
		h.talks(func(by Caller, _ proto.TalkRequest) error {
			if by.Client != bob.id {
				t.Errorf("the caller is %+v", by)
			}
			return proto.Refuse(proto.CodeNoSpeaker)
		})
		from := h.size()
		h.deeds()
		if c := bob.talk("t1"); c != proto.CodeNoSpeaker {
			t.Fatal(c)
		}
		e := h.entries(from)
		if len(e) != 1 || e[0].Kind != accesslog.KindRefused || e[0].Code != proto.CodeNoSpeaker || e[0].Op != proto.OpTalk {
			t.Errorf("entries: %+v", e)
		}
		if len(h.streams) != 0 {
			t.Error("the handler was called")
		}
	})
}

func TestQuietHours(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna, bob, _, _ := h.household()
		h.talks(nil)
		anna.must(proto.OpSetSettings, proto.SettingsChange{QuietHours: new("13:00-15:00")})
		h.wall.set(noon.Add(59 * time.Minute))
		if c := bob.talk("t1"); c != proto.CodeOK {
			t.Fatal(c)
		}
		live := bob.watch("s1", proto.ScopeView, proto.ScopeListen)
		talk := h.streams[0]
		h.wall.set(noon.Add(time.Hour))
		time.Sleep(2 * reviewPeriod)
		if !talk.over() || talk.reason != string(proto.CodeQuiet) {
			t.Errorf("the talk is over: %v, %q", talk.over(), talk.reason)
		}
		if live.over() {
			t.Error("quiet hours end what makes no noise")
		}
		if c := bob.talk("t2"); c != proto.CodeQuiet {
			t.Errorf("within quiet hours: %s", c)
		}
		h.wall.set(noon.Add(3 * time.Hour))
		if c := bob.talk("t3"); c != proto.CodeOK {
			t.Errorf("after quiet hours: %s", c)
		}
	})
}

// Hours that nobody can be sure of are quiet; without any, no clock is needed.
func TestQuietHoursWithoutAClock(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		h.wall.unsynchronise(true)
		h.restart()
		anna, bob, _, _ := h.household()
		h.talks(nil)
		if c := bob.talk("t1"); c != proto.CodeOK {
			t.Errorf("without quiet hours: %s", c)
		}
		anna.must(proto.OpSetSettings, proto.SettingsChange{QuietHours: new("22:00-07:00")})
		if c := bob.talk("t2"); c != proto.CodeClock {
			t.Errorf("with quiet hours: %s", c)
		}
	})
}
