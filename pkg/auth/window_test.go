package auth

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/naming"
	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
)

func refused(err error, code proto.Code) bool {
	var r *proto.Refusal
	return errors.As(err, &r) && r.Code == code
}

func openWindow(t *testing.T, a *Authority, d time.Duration) {
	t.Helper()
	if err := a.OpenWindow(d, "Anna"); err != nil {
		t.Fatal(err)
	}
}

func TestFirstKeyBecomesOwner(t *testing.T) {
	state := newState(t)
	a := openAuthority(t, state)
	label, anna := a.Identity().Label(), newKeys(t)
	openWindow(t, a, time.Minute)
	if client, device := pair(t, a, label, anna); client != nil || device != nil {
		t.Fatal(client, device)
	}
	if !a.Owned() || a.journal.condition.Status().State != health.OK {
		t.Error("no owner after pairing")
	}
	last := lastEntry(t, a)
	if last.Kind != accesslog.KindPair || last.Client != anna.id || last.Name != "Anna" || last.Role != proto.RoleOwner || last.Network != accesslog.NetLocal {
		t.Errorf("entry: %+v", last)
	}
	if m := a.members.get(anna.id); m.Entry != 1 || !m.holds(proto.OwnerScopes()) {
		t.Errorf("member: %+v", m)
	}
	// Its receipt may have been lost: it gets it again, and nothing is added.
	if client, device := pair(t, a, label, anna); client != nil || device != nil {
		t.Error(client, device)
	}
	if n := entryCount(t, a); n != 2 {
		t.Errorf("%d entries", n)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	again := openAuthority(t, state)
	if m := again.members.get(anna.id); m == nil || m.Name != "Anna" || m.key.Sig == nil {
		t.Errorf("after a restart: %+v", m)
	}
	if again.WindowState().Open {
		t.Error("the window survived the restart")
	}
}

func TestOwnedDeviceStoresNoOtherKey(t *testing.T) { // T12
	a := openAuthority(t, newState(t))
	label := a.Identity().Label()
	openWindow(t, a, time.Minute)
	if _, err := pair(t, a, label, newKeys(t)); err != nil {
		t.Fatal(err)
	}
	before, thief := entryCount(t, a), newKeys(t)
	client, device := pair(t, a, label, thief)
	if !refused(client, proto.CodeOwned) || !refused(device, proto.CodeOwned) {
		t.Errorf("client %v, device %v", client, device)
	}
	if a.members.get(thief.id) != nil || entryCount(t, a) != before {
		t.Error("the key left something behind")
	}
}

// A member who shows another encryption key under the same name gets no receipt.
func TestOtherEncryptionKeyIsNoMembers(t *testing.T) {
	a := openAuthority(t, newState(t))
	label, anna := a.Identity().Label(), newKeys(t)
	openWindow(t, a, time.Minute)
	if _, err := pair(t, a, label, anna); err != nil {
		t.Fatal(err)
	}
	anna.enc = newKeys(t).enc
	if client, _ := pair(t, a, label, anna); !refused(client, proto.CodeOwned) {
		t.Errorf("client: %v", client)
	}
}

func TestWindowClosesAfterFailures(t *testing.T) { // T10
	a := openAuthority(t, newState(t))
	label := a.Identity().Label()
	if _, err := pair(t, a, label, newKeys(t)); !errors.Is(err, ErrWindowClosed) {
		t.Errorf("before it was opened: %v", err)
	}
	wrong := label
	wrong.Secret = pairing.NewSecret()
	openWindow(t, a, time.Minute)
	for i := range maxFailures {
		if !a.WindowState().Open {
			t.Fatalf("closed after %d failures", i)
		}
		if _, err := pair(t, a, wrong, newKeys(t)); !errors.Is(err, pairing.ErrSecret) {
			t.Errorf("failure %d: %v", i, err)
		}
	}
	if _, err := pair(t, a, label, newKeys(t)); !errors.Is(err, ErrWindowClosed) || a.WindowState().Open {
		t.Errorf("the sixth attempt: %v", err)
	}
	openWindow(t, a, time.Minute) // the owner can open a new one
	if _, err := pair(t, a, label, newKeys(t)); err != nil {
		t.Errorf("in a new window: %v", err)
	}
}

func TestWindowExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := openAuthority(t, newState(t))
		openWindow(t, a, time.Minute)
		if s := a.WindowState(); !s.Open || s.Name != "Anna" || time.Until(s.Until) != time.Minute {
			t.Errorf("state: %+v", s)
		}
		time.Sleep(time.Minute + time.Second)
		synctest.Wait()
		if a.WindowState().Open {
			t.Error("still open")
		}
		if _, err := pair(t, a, a.Identity().Label(), newKeys(t)); !errors.Is(err, ErrWindowClosed) {
			t.Errorf("after its time: %v", err)
		}
	})
}

// hanging is a client that connects and says nothing.
type hanging struct {
	closed chan struct{}
	once   *sync.Once
}

func newHanging() hanging { return hanging{make(chan struct{}), new(sync.Once)} }

func (h hanging) ReadMessage() ([]byte, error) {
	<-h.closed
	return nil, errors.New("closed")
}
func (h hanging) WriteMessage([]byte) error { return nil }
func (h hanging) Close() error              { h.once.Do(func() { close(h.closed) }); return nil }

func TestOneHandshakeAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := openAuthority(t, newState(t))
		openWindow(t, a, time.Minute)
		a.handshake <- struct{}{}
		if _, err := pair(t, a, a.Identity().Label(), newKeys(t)); !errors.Is(err, ErrPairingBusy) {
			t.Errorf("the second one: %v", err)
		}
		<-a.handshake
		first := make(chan error, 1)
		go func() { first <- a.Join(t.Context(), newHanging()) }()
		synctest.Wait()
		openWindow(t, a, time.Minute) // ends the handshake in the old window
		synctest.Wait()
		select {
		case err := <-first:
			if !errors.Is(err, pairing.ErrAborted) {
				t.Errorf("the first one: %v", err)
			}
		default:
			t.Fatal("the close of the window did not end the handshake")
		}
		if _, err := pair(t, a, a.Identity().Label(), newKeys(t)); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

// Who has nothing to show, for lack of the label's secret, holds up nobody for long.
func TestAHandshakeThatDoesNotBeginMakesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := openAuthority(t, newState(t))
		openWindow(t, a, time.Minute)
		first := make(chan error, 1)
		go func() { first <- a.Join(t.Context(), newHanging()) }()
		synctest.Wait()
		if _, err := pair(t, a, a.Identity().Label(), newKeys(t)); err != nil {
			t.Errorf("the second one, who waits: %v", err)
		}
		if err := <-first; !errors.Is(err, pairing.ErrAborted) {
			t.Errorf("the first one: %v", err)
		}
	})
}

// A client knows that it has paired a moment before the camera is done with it: the next
// one waits for that.
func TestNextHandshakeWaitsForTheOneBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := openAuthority(t, newState(t))
		openWindow(t, a, time.Minute)
		a.handshake <- struct{}{}
		go func() {
			time.Sleep(joinWait / 2)
			<-a.handshake
		}()
		if _, err := pair(t, a, a.Identity().Label(), newKeys(t)); err != nil {
			t.Errorf("the next one: %v", err)
		}
	})
}

// When the window closes while a key is being shown, the key is not stored.
func TestEnrolmentAfterTheWindowClosed(t *testing.T) {
	a := openAuthority(t, newState(t))
	openWindow(t, a, time.Minute)
	w := a.current
	a.CloseWindow()
	anna := newKeys(t)
	if _, err := a.enroll(w, publicKey(anna), nil, ""); !refused(err, proto.CodeWindowClosed) || a.Owned() {
		t.Errorf("enrolled: %v", err)
	}
}

// No entry, no member.
func TestEnrolmentNeedsItsEntry(t *testing.T) {
	a := openAuthority(t, newState(t))
	openWindow(t, a, time.Minute)
	if err := a.logs.Close(); err != nil {
		t.Fatal(err)
	}
	client, _ := pair(t, a, a.Identity().Label(), newKeys(t))
	if !refused(client, proto.CodeStorage) || a.Owned() {
		t.Errorf("client: %v", client)
	}
	if s := a.journal.condition.Status(); s.State != health.Failed {
		t.Errorf("health: %+v", s)
	}
}

// An enrolment that could not be stored, or was cut before it was, is followed by
// an entry that says so, once.
func TestEnrolmentThatWasNotStored(t *testing.T) {
	for name, begin := range map[string]func(*Authority){
		"storage": func(a *Authority) {
			if err := a.trust.Close(); err != nil {
				t.Fatal(err)
			}
			if client, _ := pair(t, a, a.Identity().Label(), newKeys(t)); !refused(client, proto.CodeStorage) || a.Owned() {
				t.Errorf("client: %v", client)
			}
			if e := lastEntry(t, a); e.Kind != accesslog.KindEnd || e.Start != 1 || e.Reason != accesslog.ReasonNotApplied {
				t.Errorf("entry: %+v", e)
			}
			if client, _ := pair(t, a, a.Identity().Label(), newKeys(t)); !refused(client, proto.CodeStorage) || entryCount(t, a) != 3 {
				t.Errorf("a second one: %v, %d entries", client, entryCount(t, a))
			}
		},
		"power cut": func(a *Authority) {
			if _, err := a.journal.Append(accesslog.Entry{Kind: accesslog.KindPair, Client: newKeys(t).id}); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			state := newState(t)
			a := openAuthority(t, state)
			openWindow(t, a, time.Minute)
			begin(a)
			for range 2 {
				if err := a.Close(); err != nil {
					t.Fatal(err)
				}
				a = openAuthority(t, state)
				if e := lastEntry(t, a); e.Kind != accesslog.KindEnd || e.Start != 1 || e.Reason != accesslog.ReasonNotApplied || entryCount(t, a) != 3 {
					t.Errorf("after a start: %+v, %d entries", e, entryCount(t, a))
				}
			}
			openWindow(t, a, time.Minute)
			if client, device := pair(t, a, a.Identity().Label(), newKeys(t)); client != nil || device != nil {
				t.Error(client, device)
			}
		})
	}
}

func TestNames(t *testing.T) {
	a := openAuthority(t, newState(t))
	for name, want := range map[string]error{
		"Anna": nil, "Änne Müller": nil, "": naming.ErrName, "a\nb": naming.ErrName, "\xff": naming.ErrName, strings.Repeat("x", naming.MaxBytes+1): naming.ErrName,
	} {
		if err := a.OpenWindow(time.Minute, name); !errors.Is(err, want) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// Whoever follows the window hears of each way in which it opens and closes.
func TestTheWindowsChangesAreTold(t *testing.T) {
	a := openAuthority(t, newState(t))
	label := a.Identity().Label()
	label.Secret[0] ^= 1
	for _, step := range []struct {
		what string
		do   func()
		open bool
	}{
		{"opened", func() { openWindow(t, a, time.Minute) }, true},
		{"closed", a.CloseWindow, false},
		{"opened again", func() { openWindow(t, a, time.Minute) }, true},
		{"failed five times", func() {
			for range maxFailures {
				_, _ = pair(t, a, label, newKeys(t))
			}
		}, false},
		{"its time is over", func() { openWindow(t, a, time.Millisecond) }, false},
	} {
		changed := a.WindowChanged()
		step.do()
		for { // an opening may be told before the end of the time that it opened for
			<-changed
			changed = a.WindowChanged()
			if a.WindowState().Open == step.open {
				break
			}
		}
	}
}
