package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/proto"
)

func TestEntryComesBeforeTheHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run()
		if a := w.ask(forLive("s1", proto.ScopeView, proto.ScopeListen)); a.Code != proto.CodeOK || string(a.Body) != `"started"` {
			t.Errorf("answer: %+v", a)
		}
		if got := strings.Join(w.done(), ", "); got != "log live, live, log end" {
			t.Errorf("done: %s", got)
		}
		start, end := w.journal.all()[0], w.journal.all()[1]
		if start.Client != w.anna.id || start.Name != "Anna" || start.Op != proto.OpLive || start.Session != "s1" ||
			start.Network != accesslog.NetMQTT || !slices.Equal(start.Scopes, []proto.Scope{proto.ScopeView, proto.ScopeListen}) {
			t.Errorf("start: %+v", start)
		}
		if end.Kind != accesslog.KindEnd || end.Start != 1 || end.Client != w.anna.id || end.Session != "s1" {
			t.Errorf("end: %+v", end)
		}
	})
}

func TestNothingStartsWithoutItsEntry(t *testing.T) { // T15
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run()
		w.journal.fail = true
		retry := func(r *proto.Request) { forLive("s1", proto.ScopeView)(r); r.ID = "same" }
		if a := w.ask(retry); a.Code != proto.CodeStorage {
			t.Errorf("answer: %+v", a)
		}
		if len(w.done()) != 0 {
			t.Errorf("done: %v", w.done())
		}
		w.journal.fail = false // what was not executed may be tried again
		if a := w.ask(retry); a.Code != proto.CodeOK {
			t.Errorf("when the log works again: %+v", a)
		}
	})
}

func TestHandlerErrors(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want proto.Code
	}{
		"refusal":         {proto.Refuse(proto.CodeTooManySessions), proto.CodeTooManySessions},
		"wrapped refusal": {fmt.Errorf("start: %w", proto.Refuse(proto.CodeNoMedia)), proto.CodeNoMedia},
		"fault":           {errors.New("secret detail"), proto.CodeInternal},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				var right context.Context
				w.gate.Handle(proto.OpLive, forSession(func(ctx context.Context, _ Request) (any, Running, error) {
					right = ctx
					return nil, nil, c.err
				}))
				w.run()
				a := w.ask(forLive("s1", proto.ScopeView))
				if a.Code != c.want || a.Body != nil {
					t.Errorf("answer: %+v", a)
				}
				if right.Err() == nil {
					t.Error("the right did not end")
				}
				end := w.journal.all()[1]
				if end.Kind != accesslog.KindEnd || end.Reason != string(c.want) {
					t.Errorf("end: %+v", end)
				}
			})
		})
	}
}

func TestRunningIsLoggedWhenItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		l := &live{make(chan struct{}), proto.EndBye}
		var right context.Context
		w.gate.Handle(proto.OpLive, forSession(func(ctx context.Context, _ Request) (any, Running, error) {
			right = ctx
			return nil, l, nil
		}))
		w.run()
		w.ask(forLive("s1", proto.ScopeView))
		if len(w.journal.all()) != 1 || right.Err() != nil {
			t.Errorf("while it lives: %v, right %v", w.journal.all(), right.Err())
		}
		if a := w.ask(forLive("s1", proto.ScopeView)); a.Code != proto.CodeBadRequest {
			t.Errorf("the same session once more: %+v", a)
		}
		close(l.done)
		synctest.Wait()
		if all := w.journal.all(); len(all) != 2 || all[1].Reason != proto.EndBye || all[1].Start != 1 || right.Err() == nil {
			t.Errorf("after its end: %+v, right %v", all, right.Err())
		}
		if a := w.ask(forLive("s1", proto.ScopeView)); a.Code != proto.CodeOK {
			t.Errorf("the name is free again: %+v", a)
		}
	})
}

// At the end of Run every right ends, and Run waits until what was living is
// done and logged.
func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.gate.Handle(proto.OpLive, forSession(func(ctx context.Context, _ Request) (any, Running, error) {
			l := &live{make(chan struct{}), proto.EndRevoked}
			go func() {
				<-ctx.Done()
				time.Sleep(time.Second) // a last write
				w.did("last write")
				close(l.done)
			}()
			return nil, l, nil
		}))
		w.run()
		w.ask(forLive("s1", proto.ScopeView))
		late := w.seal(w.request(nil))
		w.stop()
		if got := strings.Join(w.done(), ", "); got != "log live, last write, log end" {
			t.Errorf("done: %s", got)
		}
		if l := w.receive(late); len(l) != 0 || w.gate.Drops().Busy != 1 {
			t.Errorf("after the end: %v, %+v", l, w.gate.Drops())
		}
	})
}

// What waits in a queue when the gate stops is not begun any more.
func TestShutdownStartsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		release := w.slow()
		w.run()
		w.receive(w.seal(w.request(func(r *proto.Request) { r.ID = "first" })))
		w.receive(w.seal(w.request(forLive("s1", proto.ScopeView))))
		go w.stop()
		synctest.Wait()
		release()
		w.stop()
		if l := w.done(); !slices.Equal(l, []string{"first"}) {
			t.Errorf("done: %v", l)
		}
	})
}

// slow makes status block until the returned function is called.
func (w *world) slow() (release func()) {
	gate := make(chan struct{})
	w.gate.Handle(proto.OpStatus, forQuery(func(_ context.Context, r Request) (Result, error) {
		<-gate
		w.did(r.ID)
		return Result{}, nil
	}))
	return func() { close(gate) }
}

func TestInFlightDuplicateIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		release := w.slow()
		w.run()
		same := func(r *proto.Request) { r.ID = "same" }
		for range 3 {
			if l := w.receive(w.seal(w.request(same))); len(l) != 0 {
				t.Errorf("answered while in flight: %v", l)
			}
		}
		release()
		synctest.Wait()
		if l := w.answers(); len(l) != 1 || l[0].Code != proto.CodeOK || w.gate.Drops().Duplicate != 2 {
			t.Errorf("answers %v, drops %+v", l, w.gate.Drops())
		}
		if l := w.done(); len(l) != 1 {
			t.Errorf("executed %v", l)
		}
	})
}

func TestQueueIsBoundedAndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		release := w.slow()
		w.run()
		var want []string
		for i := range maxQueue + 1 { // one is being carried out
			id := fmt.Sprint("r", i)
			want = append(want, id)
			if l := w.receive(w.seal(w.request(func(r *proto.Request) { r.ID = id }))); len(l) != 0 {
				t.Errorf("request %d answered: %v", i, l)
			}
		}
		if a := w.ask(nil); a.Code != proto.CodeBusy {
			t.Errorf("one too many: %+v", a)
		}
		release()
		synctest.Wait()
		if !slices.Equal(w.done(), want) {
			t.Errorf("order: %v", w.done())
		}
	})
}

func TestSlowClientHoldsNobodyElseUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		release := w.slow()
		defer release()
		bob := newKeys(t)
		card, err := envelope.NewKeyCard(bob.sig, bob.enc.PublicKey())
		if err != nil {
			t.Fatal(err)
		}
		m := &member{Card: string(card), Name: "Bob", Role: proto.RoleOwner, Scopes: proto.OwnerScopes(), id: bob.id,
			key: envelope.PublicKey{Sig: &bob.sig.PublicKey, Enc: bob.enc.PublicKey()}}
		if err := w.gate.members.update(func(all *snapshot) { all.put(m) }, nil); err != nil {
			t.Fatal(err)
		}
		w.run()
		w.receive(w.seal(w.request(nil)))
		r := w.request(forLive("s1", proto.ScopeView))
		msg, err := envelope.SealRequest(r, bob.sig, w.gate.keys.enc.PublicKey())
		if err != nil {
			t.Fatal(err)
		}
		w.gate.Receive(t.Context(), bob.id, msg)
		synctest.Wait()
		if !slices.Contains(w.done(), "live") {
			t.Errorf("Bob waits for Anna: %v", w.done())
		}
	})
}

func TestRefusalIsLoggedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, proto.ScopeView)
		w.run()
		for range 5 {
			w.ask(forLive("s1", proto.ScopeListen))
		}
		all := w.journal.all()
		if len(all) != 1 || all[0].Kind != accesslog.KindRefused || all[0].Code != proto.CodeScope || all[0].Client != w.anna.id {
			t.Errorf("entries: %+v", all)
		}
		time.Sleep(refusalsPerLog)
		w.hello()
		w.ask(forLive("s1", proto.ScopeListen))
		if n := len(w.journal.all()); n != 2 {
			t.Errorf("a minute later: %d entries", n)
		}
	})
}

func TestStartsAreLimited(t *testing.T) { // T18
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run()
		begin := func(n int) (busy int) {
			for range n {
				if w.ask(forLive("s1", proto.ScopeView)).Code == proto.CodeBusy {
					busy++
				}
			}
			return busy
		}
		if busy := begin(maxStarts + 10); busy != 10 {
			t.Errorf("%d of %d refused, want 10", busy, maxStarts+10)
		}
		if n := len(w.journal.all()); n != 2*maxStarts {
			t.Errorf("%d entries, want two for each start", n)
		}
		if a := w.ask(nil); a.Code != proto.CodeOK {
			t.Errorf("status: %s", a.Code)
		}
		time.Sleep(3 * startEvery)
		w.hello()
		if busy := begin(10); busy != 7 {
			t.Errorf("after a while %d of 10 refused, want 7", busy)
		}
	})
}

func TestHostileMessagesAreOneEntryAnHour(t *testing.T) { // T18
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run()
		for range 1000 {
			w.gate.Receive(t.Context(), w.anna.id, []byte("junk"))
		}
		if n := len(w.journal.all()); n != 0 {
			t.Errorf("%d entries at once", n)
		}
		time.Sleep(3*hostilePeriod + time.Minute)
		all := w.journal.all()
		if len(all) != 1 || all[0].Kind != accesslog.KindHostile || *all[0].Drops != (accesslog.Drops{Garbled: 1000}) {
			t.Errorf("entries: %+v", all)
		}
	})
}

// A broker can replay a hello for ever and take no answer.
func TestLostAnswersAreNotLogged(t *testing.T) { // T18
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var lines bytes.Buffer
		w.gate.log = slog.New(slog.NewTextHandler(&lines, nil))
		w.run()
		hello := w.seal(w.request(func(r *proto.Request) { r.Op, r.Nonce, r.Sequence = proto.OpHello, "", 0 }))
		w.gate.sender = deaf{}
		for range 100 {
			w.receive(hello)
		}
		if n := strings.Count(lines.String(), "\n"); n > 1 {
			t.Errorf("%d lines, the first: %.200s", n, lines.String())
		}
	})
}

type deaf struct{}

func (deaf) Send(proto.ClientID, []byte) error { return errors.New("the outbox is full") }

func (deaf) Notify(proto.ClientID, []byte, func(error)) error { return errors.New("offline") }

// lossy takes all, and loses it before the broker acknowledges it.
type lossy struct{ deaf }

func (lossy) Notify(_ proto.ClientID, _ []byte, done func(error)) error {
	done(errors.New("the connection is lost"))
	return nil
}

func TestSignals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		l := &live{make(chan struct{}), proto.EndBye}
		signals := map[proto.Op]func(proto.SignalKind, any){}
		w.gate.Handle(proto.OpLive, forSession(func(_ context.Context, r Request) (any, Running, error) {
			signals[proto.OpLive] = r.Signal
			r.Signal(proto.SignalCandidate, proto.Candidates{})
			return nil, l, nil
		}))
		w.gate.Handle(proto.OpCandidate, forQuery(func(_ context.Context, r Request) (Result, error) {
			signals[proto.OpCandidate] = r.Signal
			return Result{}, nil
		}))
		w.run()
		w.gate.Receive(t.Context(), w.anna.id, w.seal(w.request(forLive("s1", proto.ScopeView))))
		w.gate.Receive(t.Context(), w.anna.id, w.seal(w.request(func(r *proto.Request) { r.Op, r.Session = proto.OpCandidate, "s1" })))
		synctest.Wait()
		signals[proto.OpCandidate](proto.SignalCandidate, proto.Candidates{Done: true})
		signals[proto.OpLive](proto.SignalEnd, proto.End{Reason: proto.EndBye})
		close(l.done)
		var got []uint64
		for _, s := range w.out.take() {
			if o := w.open(s).Signal; o != nil {
				got = append(got, o.Index)
				if o.Session != "s1" || o.Audience != w.anna.id || o.Issuer != w.gate.device || o.Epoch != 1 {
					t.Errorf("signal: %+v", o)
				}
			}
		}
		if !slices.Equal(got, []uint64{1, 2, 3}) {
			t.Errorf("indexes: %v", got)
		}
	})
}

// Without a session that the client began there is nothing to signal.
func TestNoSignalOutsideASession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.gate.Handle(proto.OpCandidate, forQuery(func(_ context.Context, r Request) (Result, error) {
			r.Signal(proto.SignalEnd, nil)
			return Result{}, nil
		}))
		w.run()
		w.gate.Receive(t.Context(), w.anna.id, w.seal(w.request(func(r *proto.Request) { r.Op, r.Session = proto.OpCandidate, "s9" })))
		synctest.Wait()
		if l := w.out.take(); len(l) != 1 || w.open(l[0]).Answer == nil {
			t.Errorf("%d messages", len(l))
		}
	})
}

func TestAnswerThatIsTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.gate.Handle(proto.OpStatus, forQuery(func(context.Context, Request) (Result, error) {
			return Result{Body: strings.Repeat("x", proto.MaxMessage)}, nil
		}))
		w.run()
		if a := w.ask(nil); a.Code != proto.CodeInternal || a.Body != nil {
			t.Errorf("answer: %+v", a)
		}
	})
}

func TestAccounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		own, known := w.gate.Account(w.anna.id)
		_, stranger := w.gate.Account(newKeys(t).id)
		if !known || own != string(w.anna.id) || stranger || w.gate.String() != "auth" {
			t.Error("who is known is wrong")
		}
		w.gate.Receive(t.Context(), w.anna.id, w.seal(w.request(nil))) // Run was not called
		if w.gate.Drops().Busy != 1 {
			t.Errorf("%+v", w.gate.Drops())
		}
	})
}
