package auth

import (
	"context"
	"errors"
	"net"
	"reflect"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/proto"
)

// fakeProvisioner tells what was asked of it.
type fakeProvisioner struct {
	t     *testing.T
	calls []string
	try   func() error // nil: they work
	kept  []proto.ClientID
}

func (f *fakeProvisioner) Ask(context.Context, proto.SetupAsk) (proto.SetupReply, error) {
	f.calls = append(f.calls, "ask")
	return proto.SetupReply{State: &proto.SetupState{}}, nil
}

func (f *fakeProvisioner) Apply(_ context.Context, client proto.ClientID, _ proto.SetupSettings, progress func(proto.SetupStep), enroll func() error) error {
	f.calls = append(f.calls, "apply")
	progress(proto.StepBroker)
	if f.try != nil {
		if err := f.try(); err != nil {
			return err
		}
	}
	if err := enroll(); err != nil {
		return err
	}
	f.kept = append(f.kept, client)
	return nil
}

func (f *fakeProvisioner) Settled() { f.calls = append(f.calls, "settled") }

func (f *fakeProvisioner) expect(what string, calls ...string) {
	f.t.Helper()
	if !reflect.DeepEqual(f.calls, calls) {
		f.t.Errorf("%s: called %q, want %q", what, f.calls, calls)
	}
	f.calls = nil
}

// settle pairs a client that asks and sets.
func settle(t *testing.T, a *Authority, k keys, talk func(*pairing.Talk) error) (p pairing.Paired, client, device error) {
	t.Helper()
	here, there := net.Pipe()
	done := make(chan error, 1)
	go func() {
		err := a.Join(t.Context(), pairing.NewFramed(there))
		_ = there.Close()
		done <- err
	}()
	p, client = pairing.Initiate(t.Context(), pairing.NewFramed(here), pairing.Client{Label: a.Identity().Label(), Sig: k.sig, Enc: k.enc.PublicKey(),
		Setup: func(_ context.Context, t *pairing.Talk) error { return talk(t) }})
	_ = here.Close()
	return p, client, <-done
}

var newSettings = proto.SetupSettings{
	WiFi:   &proto.WiFi{SSID: "Anna's", Password: "correct horse"},
	Broker: &proto.SetupBroker{URL: "mqtts://broker:8883"},
}

func set(talk *pairing.Talk) error { return talk.Set(newSettings, nil) }

func ask(talk *pairing.Talk) error {
	_, err := talk.Ask(proto.SetupDoState)
	return err
}

func isProblem(err error, code proto.Code) bool {
	var p *proto.SetupProblem
	return errors.As(err, &p) && p.Code == code
}

func newSetup(t *testing.T) (*Authority, *fakeProvisioner) {
	t.Helper()
	a, f := openAuthority(t, newState(t)), &fakeProvisioner{t: t}
	a.NewGate(Deps{Provisioner: f})
	openWindow(t, a, time.Minute)
	return a, f
}

func TestTheFirstKeySetsUp(t *testing.T) {
	a, f := newSetup(t)
	anna := newKeys(t)
	where := envelope.BrokerLogin{URL: "mqtts://old:8883"}
	a.cfg.Broker = func(proto.ClientID) envelope.BrokerLogin {
		if len(f.kept) > 0 {
			return testBroker("")
		}
		return where
	}
	p, client, device := settle(t, a, anna, func(talk *pairing.Talk) error { return errors.Join(ask(talk), set(talk)) })
	if client != nil || device != nil {
		t.Fatal(client, device)
	}
	f.expect("a newcomer", "ask", "apply", "settled")
	if last := lastEntry(t, a); last.Kind != accesslog.KindPair || last.Client != anna.id || !reflect.DeepEqual(f.kept, []proto.ClientID{anna.id}) {
		t.Errorf("%+v, kept for %q", last, f.kept)
	}
	if p.Receipt.Broker != testBroker("") {
		t.Errorf("the receipt says %+v", p.Receipt.Broker)
	}
	// Later it may again, and the household hears of it.
	if _, client, device = settle(t, a, anna, set); client != nil || device != nil {
		t.Fatal(client, device)
	}
	f.expect("an owner", "apply", "settled")
	last := lastEntry(t, a)
	if last.Kind != accesslog.KindSettings || last.Client != anna.id || last.Name != "Anna" || !reflect.DeepEqual(last.Set, []string{"set_up=broker", "set_up=wifi"}) {
		t.Errorf("%+v", last)
	}
}

// Whoever may not set up is told so before anything is tried. T12
func TestOnlyOwnersSetUp(t *testing.T) {
	a, f := newSetup(t)
	anna, ben := newKeys(t), newKeys(t)
	enrol(t, a, anna, proto.OwnerScopes()...)
	enrol(t, a, ben, proto.ScopeView)
	a.members.get(ben.id).Role = proto.RoleAdult
	for name, do := range map[string]func(*pairing.Talk) error{"ask": ask, "set": set} {
		if _, client, device := settle(t, a, newKeys(t), do); !refused(client, proto.CodeOwned) || !refused(device, proto.CodeOwned) {
			t.Errorf("a stranger, %s: client %v, device %v", name, client, device)
		}
		f.expect("a stranger, " + name)
		_, client, device := settle(t, a, ben, func(talk *pairing.Talk) error {
			if err := do(talk); !isProblem(err, proto.CodeNotAllowed) {
				t.Errorf("an adult, %s: %v", name, err)
			}
			return talk.Set(proto.SetupSettings{}, nil) // its receipt it gets
		})
		if client != nil || device != nil {
			t.Errorf("an adult: client %v, device %v", client, device)
		}
		f.expect("an adult, " + name)
	}
}

// While settings are tried, the window closes, or somebody else becomes the owner.
func TestEnrolmentIsDecidedAfterTheTrial(t *testing.T) {
	t.Run("window closed", func(t *testing.T) {
		a, f := newSetup(t)
		f.try = func() error { a.CloseWindow(); return nil }
		anna := newKeys(t)
		if _, client, device := settle(t, a, anna, set); client == nil || device == nil || a.Owned() || len(f.kept) > 0 {
			t.Errorf("client %v, device %v, owned %v, kept for %q", client, device, a.Owned(), f.kept)
		}
		f.expect("", "apply")
	})
	t.Run("window closed, an owner", func(t *testing.T) {
		a, f := newSetup(t)
		anna := newKeys(t)
		enrol(t, a, anna, proto.OwnerScopes()...)
		before := entryCount(t, a)
		f.try = func() error { a.CloseWindow(); return nil }
		if _, client, device := settle(t, a, anna, set); client == nil || device == nil || len(f.kept) > 0 || entryCount(t, a) != before {
			t.Errorf("client %v, device %v, kept for %q", client, device, f.kept)
		}
	})
	t.Run("owned meanwhile", func(t *testing.T) {
		a, f := newSetup(t)
		f.try = func() error { enrol(t, a, newKeys(t), proto.OwnerScopes()...); return nil }
		if _, client, _ := settle(t, a, newKeys(t), set); !refused(client, proto.CodeOwned) || len(f.kept) > 0 {
			t.Errorf("client %v, kept for %q", client, f.kept)
		}
	})
}

// A problem is no failure: the client goes on, and the window stays.
func TestSettingsThatDoNotWork(t *testing.T) {
	a, f := newSetup(t)
	f.try = func() error {
		return &proto.SetupProblem{Code: proto.CodeBrokerUnreachable, Detail: "Nobody is there."}
	}
	anna := newKeys(t)
	_, client, device := settle(t, a, anna, func(talk *pairing.Talk) error {
		for range maxFailures + 1 {
			if err := set(talk); !isProblem(err, proto.CodeBrokerUnreachable) || err.Error() != "Nobody is there." {
				t.Errorf("set: %v", err)
			}
		}
		if a.Owned() {
			t.Error("enrolled, though the settings do not work")
		}
		f.try = nil
		return set(talk)
	})
	if client != nil || device != nil || !a.Owned() || !a.WindowState().Open {
		t.Errorf("client %v, device %v", client, device)
	}
}

// Without a Provisioner nothing can be set.
func TestWithoutAProvisioner(t *testing.T) {
	a := openAuthority(t, newState(t))
	openWindow(t, a, time.Minute)
	_, client, device := settle(t, a, newKeys(t), func(talk *pairing.Talk) error {
		if err := set(talk); !isProblem(err, proto.CodeFixed) {
			t.Errorf("set: %v", err)
		}
		if err := ask(talk); !isProblem(err, proto.CodeFixed) {
			t.Errorf("ask: %v", err)
		}
		return talk.Set(proto.SetupSettings{}, nil)
	})
	if client != nil || device != nil {
		t.Errorf("client %v, device %v", client, device)
	}
}
