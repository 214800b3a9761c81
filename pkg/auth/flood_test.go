package auth

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/proto"
)

// flood is what an enrolled client may send as fast as it likes, and what of it comes
// to an entry in the log is bounded.
var flood = map[string]func(i int, r *proto.Request){
	"hello":   func(_ int, r *proto.Request) { r.Op, r.Nonce, r.Sequence = proto.OpHello, "", 0 },
	"stale":   func(_ int, r *proto.Request) { r.Nonce = "of-another-minute" },
	"replay":  func(_ int, r *proto.Request) { r.Sequence = 1 },
	"good":    func(int, *proto.Request) {},
	"same":    func(_ int, r *proto.Request) { r.ID = "same" },
	"unknown": func(i int, r *proto.Request) { r.Op = proto.Op(fmt.Sprint("op", i)) },
	"live":    func(i int, r *proto.Request) { forLive(fmt.Sprint("s", i), proto.ScopeView)(r) },
	"refused": func(i int, r *proto.Request) { forLive(fmt.Sprint("r", i), proto.ScopeTalk)(r) },
	"settings": func(i int, r *proto.Request) {
		name := fmt.Sprint("camera ", i)
		r.Op, r.Body = proto.OpSetSettings, mustJSON(proto.SettingsChange{Name: &name})
	},
	"privacy": func(i int, r *proto.Request) {
		r.Op, r.Body = proto.OpPrivacy, mustJSON(proto.Privacy{On: i%2 == 0})
	},
	"revoke": func(_ int, r *proto.Request) {
		r.Op, r.Body = proto.OpRevoke, mustJSON(proto.Revoke{Client: proto.ClientID(strings.Repeat("A", 43))})
	},
}

func mustJSON(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// TestFloodIsBounded has no limiter of pkg/link before it.
func TestFloodIsBounded(t *testing.T) { // T18
	synctest.Test(t, func(t *testing.T) {
		const each = 100
		w := newWorld(t, proto.ScopeView, proto.ScopeSettings)
		a := w.gate.authority
		ben := newKeys(t)
		enrol(t, a, ben, proto.OwnerScopes()...)
		stranger := newKeys(t)
		w.run()
		anyone := proto.PrivacyOffMembers
		if _, err := a.ChangeSettings(proto.SettingsChange{PrivacyOff: &anyone}); err != nil {
			t.Fatal(err)
		}
		before, err := a.journal.log.Head()
		if err != nil {
			t.Fatal(err)
		}
		for i := range each {
			for _, change := range flood {
				w.throw(w.anna, func(r *proto.Request) { change(i, r); r.Checkpoint = w.checkpoint() })
			}
			w.gate.Receive(t.Context(), w.anna.id, []byte("junk"))
			if l := w.throw(stranger, nil); len(l) != 0 {
				t.Fatalf("a stranger got %d messages", len(l))
			}
		}
		if code := w.askAs(ben); code != proto.CodeOK {
			t.Errorf("amid the flood another member is answered %q", code)
		}
		w.bounded()
		head, err := a.journal.log.Head()
		if err != nil {
			t.Fatal(err)
		}
		// Each start makes two entries, a change at most one; one refusal is logged.
		if n := len(w.journal.all()) + int(head-before); n < maxStarts/2 || n > 2*maxStarts+1 {
			t.Errorf("%d messages made %d entries, want at most %d", each*(len(flood)+2), n, 2*maxStarts+1)
		}
		time.Sleep(time.Minute)
		w.bounded()
	})
}

// checkpoint is the log's as it is now, so that nothing is refused for not knowing it.
func (w *world) checkpoint() string {
	w.t.Helper()
	cp, err := w.gate.authority.journal.log.Checkpoint()
	if err != nil {
		w.t.Fatal(err)
	}
	return cp.Note
}

// throw sends a request of these keys, changed by f, and returns what they are sent.
func (w *world) throw(k keys, f func(*proto.Request)) (got []sent) {
	w.t.Helper()
	msg, err := envelope.SealRequest(w.request(f), k.sig, w.gate.keys.enc.PublicKey())
	if err != nil {
		w.t.Fatal(err)
	}
	w.gate.Receive(w.t.Context(), k.id, msg)
	synctest.Wait()
	for _, s := range w.out.take() {
		if s.to == k.id {
			got = append(got, s)
		}
	}
	return got
}

// askAs asks for the status with other keys.
func (w *world) askAs(k keys) proto.Code {
	w.t.Helper()
	for _, s := range w.throw(k, nil) {
		out, err := envelope.OpenOut(s.msg, k.enc, &w.gate.keys.sig.PublicKey)
		if err == nil && out.Answer != nil {
			return out.Answer.Code
		}
	}
	return ""
}

// bounded looks at all that the gate keeps in RAM.
func (w *world) bounded() {
	w.t.Helper()
	w.gate.queues.mu.Lock()
	defer w.gate.queues.mu.Unlock()
	w.gate.sessions.mu.Lock()
	defer w.gate.sessions.mu.Unlock()
	if n, members := len(w.gate.queues.byMember), w.gate.members.count(); n > members {
		w.t.Errorf("of %d members %d are kept", members, n)
	}
	for id, p := range w.gate.queues.byMember {
		bytes := 0
		for _, f := range p.executions {
			bytes += len(f.outcome.body)
		}
		if len(p.executions) > maxAnswers+maxQueue+1 || bytes > maxAnswerBytes || len(p.jobs) > maxQueue || len(w.gate.sessions.of[id]) > maxStarts {
			w.t.Errorf("of %s are kept %d first answers of %d bytes, %d requests, %d sessions", id, len(p.executions), bytes, len(p.jobs), len(w.gate.sessions.of[id]))
		}
	}
	t := w.gate.notices
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, told := range t.deliveries {
		if len(told.owed) > maxSpans {
			w.t.Errorf("%s is owed %d spans", id, len(told.owed))
		}
	}
}
