package auth

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/proto"
)

func TestHelloAndStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run()
		a := w.ask(nil)
		if a.Code != proto.CodeOK || string(a.Body) != "1" || a.Sequence != w.seq || a.Nonce == "" ||
			a.Issuer != w.gate.device || a.Audience != w.anna.id || a.Epoch != 1 {
			t.Errorf("answer: %+v", a)
		}
		if len(w.journal.all()) != 0 {
			t.Errorf("a read was logged: %v", w.journal.all())
		}
	})
}

// What is wrong with a message: it is dropped without an answer, counted under
// its kind, and no handler is called.
func TestDrops(t *testing.T) {
	bob := newKeys(t)
	for name, c := range map[string]struct {
		message func(w *world) []byte
		want    accesslog.Drops
	}{
		"garbled":   {func(*world) []byte { return []byte("hello") }, accesslog.Drops{Garbled: 1}},
		"empty":     {func(*world) []byte { return nil }, accesslog.Drops{Garbled: 1}},
		"oversized": {func(*world) []byte { return bytes.Repeat([]byte("x"), proto.MaxMessage+1) }, accesslog.Drops{Oversized: 1}},
		"one bit": {func(w *world) []byte {
			m := w.seal(w.request(nil))
			m[len(m)/2] ^= 1
			return m
		}, accesslog.Drops{Garbled: 1}},
		"for another household": {func(w *world) []byte {
			m, err := envelope.SealRequest(w.request(nil), w.anna.sig, bob.enc.PublicKey())
			if err != nil {
				t.Fatal(err)
			}
			return m
		}, accesslog.Drops{Garbled: 1}},
		"unknown key": {func(w *world) []byte {
			m, err := envelope.SealRequest(w.request(nil), bob.sig, w.gate.keys.enc.PublicKey())
			if err != nil {
				t.Fatal(err)
			}
			return m
		}, accesslog.Drops{Unknown: 1}},
		"audience (T4)": {func(w *world) []byte {
			return w.seal(w.request(func(r *proto.Request) { r.Audience = proto.NewDeviceID() }))
		}, accesslog.Drops{Audience: 1}},
		"epoch": {func(w *world) []byte {
			return w.seal(w.request(func(r *proto.Request) { r.Epoch++ }))
		}, accesslog.Drops{Epoch: 1}},
		"no jti": {func(w *world) []byte {
			return w.seal(w.request(func(r *proto.Request) { r.ID = "" }))
		}, accesslog.Drops{Claims: 1}},
		"jti with a line end": {func(w *world) []byte {
			return w.seal(w.request(func(r *proto.Request) { r.ID = "a\nb" }))
		}, accesslog.Drops{Claims: 1}},
		"sequence beyond what JSON keeps": {func(w *world) []byte {
			return w.seal(w.request(func(r *proto.Request) { r.Sequence = maxInteger + 1 }))
		}, accesslog.Drops{Claims: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.run()
				if l := w.receive(c.message(w)); len(l) != 0 {
					t.Errorf("answered: %v", l)
				}
				if got := w.gate.Drops(); got != c.want {
					t.Errorf("counted %+v, want %+v", got, c.want)
				}
				if len(w.done()) != 0 {
					t.Errorf("done: %v", w.done())
				}
			})
		})
	}
}

// Bob is a member too; what he publishes on Anna's topic is not taken.
func TestWrongTopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run()
		w.gate.Receive(t.Context(), newKeys(t).id, w.seal(w.request(nil)))
		synctest.Wait()
		if got := w.gate.Drops(); got != (accesslog.Drops{Topic: 1}) || len(w.out.take()) != 0 || len(w.done()) != 0 {
			t.Errorf("drops %+v, done %v", got, w.done())
		}
	})
}

// What a member gets told. Nothing of it calls a handler.
func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*proto.Request)
		want   proto.Code
	}{
		"no nonce":        {func(r *proto.Request) { r.Nonce = "" }, proto.CodeStale},
		"invented nonce":  {func(r *proto.Request) { r.Nonce = "AAAAAAAAAAAAAAAAAAAAAA" }, proto.CodeStale},
		"no sequence":     {func(r *proto.Request) { r.Sequence = 0 }, proto.CodeStale},
		"unknown op":      {func(r *proto.Request) { r.Op = "open-the-door" }, proto.CodeUnknownOp},
		"body":            {func(r *proto.Request) { r.Op, r.Session, r.Body = proto.OpLive, "s", json.RawMessage(`7`) }, proto.CodeBadRequest},
		"no session":      {forLive("", proto.ScopeView), proto.CodeBadRequest},
		"bad session":     {forLive("a b", proto.ScopeView), proto.CodeBadRequest},
		"missing scope":   {forLive("s", proto.ScopeView, proto.ScopeListen), proto.CodeScope},
		"no such scope":   {forLive("s", "everything"), proto.CodeBadRequest},
		"repeated scopes": {forLive("s", slices.Repeat([]proto.Scope{proto.ScopeView}, 90)...), proto.CodeBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, proto.ScopeView)
				w.run()
				if a := w.ask(c.change); a.Code != c.want || a.Nonce == "" {
					t.Errorf("answer: %+v", a)
				}
				if slices.Contains(w.done(), "live") || slices.Contains(w.done(), "status") {
					t.Errorf("done: %v", w.done())
				}
			})
		})
	}
}

func TestReplay(t *testing.T) { // T3
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run()
		msg := w.seal(w.request(forLive("s1", proto.ScopeView)))
		if l := w.receive(msg); len(l) != 1 || l[0].Code != proto.CodeOK {
			t.Fatalf("first: %v", l)
		}
		if l := w.receive(msg); len(l) != 1 || l[0].Code != proto.CodeStale || l[0].Sequence != w.seq {
			t.Errorf("at once: %v", l)
		}
		time.Sleep(3 * nonceLife)
		if l := w.receive(msg); len(l) != 1 || l[0].Code != proto.CodeStale {
			t.Errorf("after the nonce's life: %v", l)
		}
		w.hello() // the client goes on, the old message does not
		if a := w.ask(nil); a.Code != proto.CodeOK {
			t.Errorf("next request: %+v", a)
		}
		if l := w.receive(msg); len(l) != 1 || l[0].Code != proto.CodeStale {
			t.Errorf("later: %v", l)
		}
		if n := count(w.done(), "live"); n != 1 {
			t.Errorf("the handler was called %d times", n)
		}
		if d := w.gate.Drops(); d.Replay != 1 || d.Stale != 2 {
			t.Errorf("counted %+v", d)
		}
	})
}

func count(l []string, s string) (n int) {
	for _, x := range l {
		if x == s {
			n++
		}
	}
	return n
}

// After a restart nothing of before is fresh, though no counter was stored.
func TestReplayAfterRestart(t *testing.T) { // T3
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run()
		msg := w.seal(w.request(nil))
		if l := w.receive(msg); len(l) != 1 || l[0].Code != proto.CodeOK {
			t.Fatalf("first: %v", l)
		}
		w.stop()
		a := w.gate.authority
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		again := openAuthority(t, a.cfg.State).NewGate(Deps{Sender: w.out})
		again.journal, again.ops = w.journal, w.gate.ops
		w.gate = again
		w.run()
		if l := w.receive(msg); len(l) != 1 || l[0].Code != proto.CodeStale {
			t.Errorf("after a restart: %v", l)
		}
		if n := count(w.done(), "status"); n != 1 {
			t.Errorf("the handler was called %d times", n)
		}
	})
}

// An operation held back and delivered after a later one is stale.
func TestReorder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run()
		early, late := w.seal(w.request(nil)), w.seal(w.request(nil))
		if l := w.receive(late); len(l) != 1 || l[0].Code != proto.CodeOK {
			t.Errorf("the later one: %v", l)
		}
		if l := w.receive(early); len(l) != 1 || l[0].Code != proto.CodeStale {
			t.Errorf("the earlier one: %v", l)
		}
	})
}

// A message that does not verify never moves the sequence.
func TestOnlyVerifiedRequestsMoveTheSequence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run()
		for _, f := range []func(*proto.Request){
			func(r *proto.Request) { r.Sequence, r.Nonce = 1<<52, "AAAAAAAAAAAAAAAAAAAAAA" },
			func(r *proto.Request) { r.Sequence, r.Epoch = 1<<52, 9 },
			func(r *proto.Request) { r.Sequence, r.Op = 1<<52, proto.OpHello },
		} {
			w.receive(w.seal(w.request(f)))
		}
		if a := w.ask(nil); a.Code != proto.CodeOK {
			t.Errorf("answer: %+v", a)
		}
	})
}

func TestRetryGetsTheFirstAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run()
		retry := func(r *proto.Request) { r.ID = "same" }
		for range 3 {
			if a := w.ask(retry); a.Code != proto.CodeOK || string(a.Body) != "1" || a.Sequence != w.seq {
				t.Errorf("answer: %+v", a)
			}
		}
		other := w.ask(func(r *proto.Request) { r.ID, r.Body = "same", json.RawMessage(`1`) })
		if other.Code != proto.CodeBadRequest {
			t.Errorf("another body under the same jti: %+v", other)
		}
		time.Sleep(answerLife + time.Second)
		w.hello()
		if a := w.ask(retry); string(a.Body) != "2" {
			t.Errorf("after ten minutes: %+v", a)
		}
	})
}

func TestFirstAnswersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run()
		for range 3 * maxAnswers {
			w.ask(nil)
		}
		w.gate.queues.mu.Lock()
		defer w.gate.queues.mu.Unlock()
		if n := len(w.gate.queues.byMember[w.anna.id].executions); n != maxAnswers {
			t.Errorf("%d first answers are kept", n)
		}
	})
}
