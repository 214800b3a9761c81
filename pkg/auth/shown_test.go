package auth

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/proto"
)

func shownBy(t testing.TB, k keys, code string, s proto.SetupSettings) Shown {
	t.Helper()
	card, err := envelope.NewKeyCard(k.sig, k.enc.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	return Shown{Code: code, Card: card, Settings: s}
}

func noStep(proto.SetupStep) {}

func TestACodeMakesTheFirstOwner(t *testing.T) {
	state := newState(t)
	a := openAuthority(t, state)
	p := &fakeProvisioner{t: t}
	a.NewGate(Deps{Provisioner: p})
	anna := newKeys(t)
	if err := a.PairByCode(t.Context(), shownBy(t, anna, "one", newSettings), noStep); !errors.Is(err, ErrWindowClosed) {
		t.Errorf("with the window closed: %v", err)
	}
	openWindow(t, a, time.Minute)
	if err := a.PairByCode(t.Context(), shownBy(t, anna, "one", newSettings), noStep); err != nil {
		t.Fatal(err)
	}
	p.expect("a code that sets", "apply", "settled")
	if m := a.members.get(anna.id); m == nil || m.Role != proto.RoleOwner || m.ShownCode != "one" {
		t.Errorf("member: %+v", m)
	}
	if last := lastEntry(t, a); last.Kind != accesslog.KindPair || last.Client != anna.id {
		t.Errorf("entry: %+v", last)
	}
	// It is shown another one, since no answer came: only that is noted.
	before := entryCount(t, a)
	if err := a.PairByCode(t.Context(), shownBy(t, anna, "two", proto.SetupSettings{}), noStep); err != nil {
		t.Fatal(err)
	}
	if entryCount(t, a) != before || a.members.count() != 1 {
		t.Error("showing a code again left something behind")
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if m := openAuthority(t, state).members.get(anna.id); m == nil || m.ShownCode != "two" {
		t.Errorf("after a restart: %+v", m)
	}
}

// A code sets once. Who has filmed it and shows it later, while pairing is open for
// something else, does not bring back what it set.
func TestACodeSetsOnce(t *testing.T) {
	state, anna := newState(t), newKeys(t)
	a := openAuthority(t, state)
	p := &fakeProvisioner{t: t}
	show := func(code string) {
		t.Helper()
		if err := a.PairByCode(t.Context(), shownBy(t, anna, code, newSettings), noStep); err != nil {
			t.Fatal(err)
		}
	}
	again := func() {
		t.Helper()
		if !a.clearShownCode(anna.id) { // it was heard
			t.Fatal("busy")
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		a = openAuthority(t, state)
		a.NewGate(Deps{Provisioner: p})
		openWindow(t, a, time.Minute)
	}
	a.NewGate(Deps{Provisioner: p})
	openWindow(t, a, time.Minute)
	show("film")
	p.expect("a code", "apply", "settled")
	again()
	show("film")
	p.expect("the same one later")
	if m := a.members.get(anna.id); m.ShownCode != "film" {
		t.Error("whoever shows it again is not answered")
	}
	for i := range maxUsedCodes - 1 {
		show(fmt.Sprint(i))
		p.expect("another code", "apply", "settled")
	}
	again()
	show("film")
	p.expect("the first one after others")
	show("last")
	p.expect("one code more", "apply", "settled")
	if n := len(a.members.get(anna.id).UsedCodes); n != maxUsedCodes {
		t.Errorf("%d codes are remembered", n)
	}
}

// What a code sets does not work: nothing is kept, and it is no failure of the window.
func TestACodeThatDoesNotWork(t *testing.T) {
	a := openAuthority(t, newState(t))
	p := &fakeProvisioner{t: t, try: func() error { return &proto.SetupProblem{Code: proto.CodeWiFiPassword} }}
	a.NewGate(Deps{Provisioner: p})
	openWindow(t, a, time.Minute)
	for i := range 2 * maxFailures {
		if err := a.PairByCode(t.Context(), shownBy(t, newKeys(t), fmt.Sprint(i), newSettings), noStep); !isProblem(err, proto.CodeWiFiPassword) {
			t.Fatal(err)
		}
	}
	bad := newSettings
	bad.Broker = &proto.SetupBroker{URL: "http://broker"}
	if err := a.PairByCode(t.Context(), shownBy(t, newKeys(t), "bad", bad), noStep); !isProblem(err, proto.CodeBadRequest) {
		t.Error(err)
	}
	if a.Owned() || !a.WindowState().Open {
		t.Errorf("owned %v, window %+v", a.Owned(), a.WindowState())
	}
}

// T12: label, button and a code are not enough on an owned camera. Nothing is tried, and
// nothing left.
func TestT12AnOwnedDeviceTakesNoCode(t *testing.T) {
	a := openAuthority(t, newState(t))
	p := &fakeProvisioner{t: t}
	a.NewGate(Deps{Provisioner: p})
	openWindow(t, a, time.Minute)
	if _, err := pair(t, a, a.Identity().Label(), newKeys(t)); err != nil {
		t.Fatal(err)
	}
	before, thief := entryCount(t, a), newKeys(t)
	for _, s := range []proto.SetupSettings{{}, newSettings} {
		if err := a.PairByCode(t.Context(), shownBy(t, thief, "one", s), noStep); !refused(err, proto.CodeOwned) {
			t.Error(err)
		}
	}
	p.expect("a stranger's code")
	if a.members.get(thief.id) != nil || entryCount(t, a) != before {
		t.Error("the key left something behind")
	}
	if n := a.current.failures; n != 1 {
		t.Errorf("one code, seen twice, is %d failures", n)
	}
}

// T10: five codes of another label close the window; one that stays in front of the camera
// is one.
func TestT10WrongCodesCloseTheWindow(t *testing.T) {
	a := openAuthority(t, newState(t))
	a.CountWrongCode("before") // nobody opened it
	openWindow(t, a, time.Minute)
	for i := range maxFailures {
		if !a.WindowState().Open {
			t.Fatalf("closed after %d codes", i)
		}
		for range 20 {
			a.CountWrongCode(fmt.Sprint(i))
		}
	}
	if a.WindowState().Open {
		t.Error("it is open after five codes of another label")
	}
	if err := a.PairByCode(t.Context(), shownBy(t, newKeys(t), "right", proto.SetupSettings{}), noStep); !errors.Is(err, ErrWindowClosed) {
		t.Errorf("the right one after them: %v", err)
	}
}

func TestACodeWithABadCard(t *testing.T) {
	a := openAuthority(t, newState(t))
	openWindow(t, a, time.Minute)
	s := shownBy(t, newKeys(t), "one", proto.SetupSettings{})
	s.Card = append(s.Card[:len(s.Card)-4], "AAAA"...)
	if err := a.PairByCode(t.Context(), s, noStep); err == nil || a.Owned() || a.current.failures != 1 {
		t.Errorf("%v, owned %v, %d failures", err, a.Owned(), a.current.failures)
	}
}

// seeker follows in which contexts codes are looked for.
func seeker(t *testing.T, a *Authority) <-chan context.Context {
	seeks := make(chan context.Context)
	go func() {
		for {
			seek, err := a.AwaitSeeking(t.Context())
			if err != nil {
				return
			}
			select {
			case seeks <- seek:
				<-seek.Done()
			case <-t.Context().Done(): // nobody asks any more
				return
			}
		}
	}()
	return seeks
}

func TestCodesAreLookedForInAWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := openAuthority(t, newState(t))
		seeks := seeker(t, a)
		none(t, seeks, "it was not opened yet")
		for range 2 {
			openWindow(t, a, time.Minute)
			seek := <-seeks
			time.Sleep(59 * time.Second)
			synctest.Wait()
			if seek.Err() != nil {
				t.Error("it closed before its time")
			}
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if seek.Err() == nil {
				t.Error("it did not close")
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for _, what := range []string{"closed", "open"} { // at the end of camd, too
			if _, err := a.AwaitSeeking(ctx); err == nil {
				t.Errorf("it waits after the end, with a window that is %s", what)
			}
			openWindow(t, a, time.Minute)
		}
	})
}

func none(t *testing.T, seeks <-chan context.Context, when string) {
	t.Helper()
	synctest.Wait()
	select {
	case <-seeks:
		t.Errorf("codes are looked for: %s", when)
	default:
	}
}

// The lens rests while somebody pairs in another way: on a small board it takes from the
// radio what the conversation needs.
func TestTheLensRestsWhileSomebodyPairs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := openAuthority(t, newState(t))
		a.NewGate(Deps{Provisioner: &fakeProvisioner{t: t}})
		seeks := seeker(t, a)
		openWindow(t, a, time.Hour)
		seek := <-seeks
		resting := func(talk *pairing.Talk) error {
			none(t, seeks, "somebody pairs")
			if seek.Err() == nil {
				t.Error("codes are looked for all the while that somebody pairs")
			}
			return ask(talk)
		}
		here, there := net.Pipe() // connected, and no more
		done := make(chan error, 1)
		go func() { done <- a.Join(t.Context(), pairing.NewFramed(there)) }()
		synctest.Wait()
		if seek.Err() != nil {
			t.Error("who only connects has the lens rest")
		}
		_ = here.Close()
		if err := <-done; err == nil {
			t.Error("a handshake of nothing is a pairing")
		}
		wrong := a.Identity().Label()
		wrong.Secret = pairing.NewSecret()
		if client, _ := pair(t, a, wrong, newKeys(t)); client == nil || seek.Err() != nil {
			t.Errorf("who does not know the label: %v, %v", client, seek.Err())
		}
		lost := errors.New("the phone went away")
		if _, client, device := settle(t, a, newKeys(t), func(talk *pairing.Talk) error { return errors.Join(resting(talk), lost) }); !errors.Is(client, lost) || device == nil {
			t.Errorf("client %v, device %v", client, device)
		}
		seek = <-seeks // nobody was let in
		if _, client, device := settle(t, a, newKeys(t), func(talk *pairing.Talk) error { return errors.Join(resting(talk), set(talk)) }); client != nil || device != nil {
			t.Errorf("client %v, device %v", client, device)
		}
		none(t, seeks, "a client was let in")
		openWindow(t, a, time.Minute)
		seek = <-seeks
		if err := a.PairByCode(t.Context(), shownBy(t, newKeys(t), "one", proto.SetupSettings{}), noStep); !refused(err, proto.CodeOwned) || seek.Err() != nil {
			t.Errorf("a stranger's code: %v, %v", err, seek.Err())
		}
		a.CloseWindow()
	})
}

// receipts are those among what was sent that confirm a code.
func receipts(t *testing.T, a *Authority, k keys, code string, out []sent) (n int) {
	t.Helper()
	c := pairing.Client{Label: a.Identity().Label(), Sig: k.sig, Enc: k.enc.PublicKey()}
	for _, s := range out {
		p, err := c.Confirmed(s.msg, k.enc, code)
		if errors.Is(err, pairing.ErrElse) {
			continue
		}
		if err != nil || s.to != k.id || p.Receipt.Name != "Anna" || p.Receipt.Broker.URL != testBroker("").URL {
			t.Fatalf("%v, %+v", err, p.Receipt)
		}
		n++
	}
	return n
}

// Who has shown a code is told every ten seconds, after a restart too, until it is heard.
func TestAShownCodeIsConfirmedUntilItsClientIsHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := newState(t)
		anna := newKeys(t)
		a := openAuthority(t, state)
		openWindow(t, a, time.Minute)
		if err := a.PairByCode(t.Context(), shownBy(t, anna, "code", proto.SetupSettings{}), noStep); err != nil {
			t.Fatal(err)
		}
		run := func(a *Authority, out Sender) (*Gate, func()) {
			g := a.NewGate(Deps{Sender: out})
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- g.Run(ctx, func() {}) }()
			return g, func() {
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
		}
		out := &inbox{}
		away := &line{to: deaf{}}
		_, stop := run(a, away)
		time.Sleep(time.Minute)
		away.use(out)
		time.Sleep(1500 * time.Millisecond)
		if n := receipts(t, a, anna, "code", out.take()); n != 1 {
			t.Errorf("%d receipts in the first second of a connection", n)
		}
		time.Sleep(time.Minute)
		if n := receipts(t, a, anna, "code", out.take()); n != 6 {
			t.Errorf("%d receipts in a minute", n)
		}
		stop()
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		a = openAuthority(t, state)
		var g *Gate
		g, stop = run(a, out)
		time.Sleep(5 * time.Second)
		if n := receipts(t, a, anna, "code", out.take()); n != 1 {
			t.Errorf("%d receipts after a restart", n)
		}
		hello, err := envelope.SealRequest(proto.Request{Audience: a.identity.DeviceID(), Epoch: 1, ID: "hello", Op: proto.OpHello}, anna.sig, a.keys.enc.PublicKey())
		if err != nil {
			t.Fatal(err)
		}
		g.Receive(t.Context(), anna.id, hello)
		time.Sleep(time.Minute)
		if n := receipts(t, a, anna, "code", out.take()); n != 0 {
			t.Errorf("%d receipts for one who was heard", n)
		}
		stop()
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		if m := openAuthority(t, state).members.get(anna.id); m == nil || m.ShownCode != "" {
			t.Errorf("after it was heard: %+v", m)
		}
	})
}
