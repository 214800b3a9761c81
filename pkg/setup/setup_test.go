package setup

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/setup/claim"
)

func TestSettingUp(t *testing.T) {
	w := newWorld(t)
	s := w.open()
	if !reflect.DeepEqual(s.Settings(), Settings{}) {
		t.Errorf("out of its box: %+v", s.current)
	}
	var steps []proto.SetupStep
	set := proto.SetupSettings{WiFi: wifi("home"), Broker: broker("b")}
	if err := s.Apply(t.Context(), anna, set, func(s proto.SetupStep) { steps = append(steps, s) }, w.enroll); err != nil {
		t.Fatal(err)
	}
	w.expect("setting up", "join home", "try mqtts://b", "keep home")
	if want := []proto.SetupStep{proto.StepWiFi, proto.StepAddress, proto.StepBroker, proto.StepSaving}; !reflect.DeepEqual(steps, want) {
		t.Errorf("steps %q, want %q", steps, want)
	}
	want := Settings{WiFi: set.WiFi, Broker: set.Broker}
	if !reflect.DeepEqual(s.Settings(), want) || w.again != 0 {
		t.Errorf("in force: %+v, restarted %d times", s.current, w.again)
	}
	if s.Settled(); w.again != 1 {
		t.Errorf("restarted %d times", w.again)
	}
	// Later something else alone.
	if err := s.Apply(t.Context(), anna, proto.SetupSettings{WiFi: wifi("attic")}, none, w.enroll); err != nil {
		t.Fatal(err)
	}
	w.expect("the Wi-Fi alone", "join attic", "try mqtts://b", "keep attic")
	want.WiFi = wifi("attic")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = w.open()
	if !reflect.DeepEqual(s.Settings(), want) {
		t.Errorf("after a restart: %+v, want %+v", s.current, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := s.Run(ctx, cancel); err != nil {
		t.Error(err)
	}
	w.expect("at the start", "keep attic")
}

// Whatever does not work, nothing of it is kept, nobody is enrolled, and the Wi-Fi of
// before is in force.
func TestWhatDoesNotWorkIsNotKept(t *testing.T) {
	both := proto.SetupSettings{WiFi: wifi("new"), Broker: broker("new")}
	for name, c := range map[string]struct {
		change func(*world)
		set    proto.SetupSettings
		enroll error
		code   proto.Code
		calls  []string
	}{
		"password":         {func(w *world) { w.join = &proto.SetupProblem{Code: proto.CodeWiFiPassword} }, both, nil, proto.CodeWiFiPassword, []string{"join new", "keep old"}},
		"broker":           {func(w *world) { w.broker = fails(proto.CodeBrokerRefused) }, both, nil, proto.CodeBrokerRefused, []string{"join new", "try mqtts://new", "keep old"}},
		"no certificate":   {func(w *world) { w.supplied = "" }, both, nil, proto.CodeCertificate, []string{"join new", "keep old"}},
		"broker alone":     {func(w *world) { w.broker = fails(proto.CodeBrokerUnreachable) }, proto.SetupSettings{Broker: broker("new")}, nil, proto.CodeBrokerUnreachable, []string{"try mqtts://new"}},
		"a chain, unasked": {func(*world) {}, proto.SetupSettings{Chain: [][]byte{{1}}}, nil, proto.CodeCertificate, nil},
		"an EST server": {func(w *world) {
			w.est = func(proto.EST, string) ([][]byte, error) { return nil, &claim.Problem{Sentence: "No."} }
		}, proto.SetupSettings{EST: &proto.EST{URL: "https://e"}}, nil, proto.CodeCertificate, nil},
		"no EST server's address": {func(*world) {}, proto.SetupSettings{Broker: broker("new"), EST: &proto.EST{URL: "https://e/elsewhere"}}, nil, proto.CodeCertificate, nil},
		"enrolment":               {func(*world) {}, both, proto.Refuse(proto.CodeWindowClosed), proto.CodeOK, []string{"join new", "try mqtts://new", "keep old"}},
	} {
		for _, member := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, member %v", name, member), func(t *testing.T) {
				w := newWorld(t)
				s := w.open()
				if err := s.Apply(t.Context(), "the first", proto.SetupSettings{WiFi: wifi("old"), Broker: broker("old")}, none, func() error { return nil }); err != nil {
					t.Fatal(err)
				}
				w.calls, w.members[anna] = nil, member
				before := s.Settings()
				c.change(w)
				err := s.Apply(t.Context(), anna, c.set, none, func() error {
					if c.enroll == nil {
						t.Error("enrolled")
					}
					return c.enroll
				})
				if c.code != proto.CodeOK && !isProblem(err, c.code) || c.enroll != nil && !errors.Is(err, c.enroll) {
					t.Errorf("%v, want %s", err, c.code)
				}
				w.expect("", c.calls...)
				if !reflect.DeepEqual(s.Settings(), before) {
					t.Errorf("in force: %+v", s.current)
				}
				w.members[anna] = true // whatever becomes of her later
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				if s = w.open(); !reflect.DeepEqual(s.Settings(), before) {
					t.Errorf("after a restart: %+v", s.current)
				}
			})
		}
	}
}

func fails(code proto.Code) func(Settings) error {
	return func(Settings) error { return &proto.SetupProblem{Code: code} }
}

// What the configuration names nobody sets.
func TestWhatIsFixed(t *testing.T) {
	w := newWorld(t)
	w.cfg.FixedBroker, w.cfg.FixedCertificate = true, true
	s := w.open()
	for name, set := range map[string]proto.SetupSettings{
		"broker": {Broker: broker("b")}, "chain": {Chain: [][]byte{{1}}}, "EST": {EST: &proto.EST{URL: "https://e"}},
	} {
		if err := s.Apply(t.Context(), anna, set, none, w.enroll); !isProblem(err, proto.CodeFixed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Ask(t.Context(), proto.SetupAsk{Do: proto.SetupDoRequest}); !isProblem(err, proto.CodeFixed) {
		t.Errorf("request: %v", err)
	}
	w.expect("nothing is tried")
	// Wi-Fi is not fixed by that: it is tried against the fixed broker.
	if err := s.Apply(t.Context(), anna, proto.SetupSettings{WiFi: wifi("home")}, none, w.enroll); err != nil {
		t.Error(err)
	}
	w.expect("Wi-Fi", "join home", "try the one that is fixed", "keep home")
}

// Without a broker Wi-Fi can be set all the same.
func TestWiFiAlone(t *testing.T) {
	w := newWorld(t)
	w.supplied = ""
	if err := w.open().Apply(t.Context(), anna, proto.SetupSettings{WiFi: wifi("home")}, none, w.enroll); err != nil {
		t.Error(err)
	}
	w.expect("", "join home", "keep home")
}

// What is kept is what was found: nothing weaker is joined by that name later.
func TestTheSecurityThatWasFoundIsKept(t *testing.T) {
	w := newWorld(t)
	w.security = proto.SecurityWPA3
	s := w.open()
	asked := wifi("home")
	asked.Security = ""
	if err := s.Apply(t.Context(), anna, proto.SetupSettings{WiFi: asked}, none, w.enroll); err != nil {
		t.Fatal(err)
	}
	if got := s.Settings().WiFi.Security; got != proto.SecurityWPA3 {
		t.Errorf("kept as %q", got)
	}
}

func TestABoardWithoutWiFi(t *testing.T) {
	w := newWorld(t)
	w.absent = true
	s := w.open()
	if err := s.Apply(t.Context(), anna, proto.SetupSettings{WiFi: wifi("home")}, none, w.enroll); !isProblem(err, proto.CodeNoWiFi) {
		t.Errorf("Apply: %v", err)
	}
	if _, err := s.Ask(t.Context(), proto.SetupAsk{Do: proto.SetupDoNetworks}); !isProblem(err, proto.CodeNoWiFi) {
		t.Errorf("networks: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := s.Run(ctx, cancel); err != nil {
		t.Error(err)
	}
	if err := s.Apply(t.Context(), anna, proto.SetupSettings{Broker: broker("b")}, none, w.enroll); err != nil {
		t.Errorf("a broker by cable: %v", err)
	}
}

func TestQuestions(t *testing.T) {
	w := newWorld(t)
	w.supplied = ""
	s := w.open()
	state := func() proto.SetupState {
		t.Helper()
		r, err := s.Ask(t.Context(), proto.SetupAsk{Do: proto.SetupDoState})
		if err != nil || r.State == nil {
			t.Fatal(r, err)
		}
		return *r.State
	}
	if got, want := state(), (proto.SetupState{WiFi: true}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	w.supplied = "by hand"
	if err := s.Apply(t.Context(), anna, proto.SetupSettings{Broker: broker("b")}, none, w.enroll); err != nil {
		t.Fatal(err)
	}
	if got, want := state(), (proto.SetupState{WiFi: true, Broker: true, Certificate: true}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	for range proto.MaxNetworks + 5 {
		w.heard = append(w.heard, proto.Network{SSID: "n"})
	}
	if r, err := s.Ask(t.Context(), proto.SetupAsk{Do: proto.SetupDoNetworks}); err != nil || len(r.Networks) != proto.MaxNetworks {
		t.Errorf("%d networks, %v", len(r.Networks), err)
	}
	if _, err := s.Ask(t.Context(), proto.SetupAsk{Do: "later"}); !isProblem(err, proto.CodeBadRequest) {
		t.Errorf("an unknown question: %v", err)
	}
}

// The certificate is for the key of the newest request, which is kept with it.
func TestCertificate(t *testing.T) {
	w := newWorld(t)
	w.supplied = ""
	w.key = newKey(t)
	s := w.open()
	for range 2 {
		r, err := s.Ask(t.Context(), proto.SetupAsk{Do: proto.SetupDoRequest})
		if err != nil || string(r.Request) != "request" || r.Subject != string(device) {
			t.Fatalf("request: %+v, %v", r, err)
		}
	}
	set := proto.SetupSettings{Broker: broker("b"), Chain: [][]byte{[]byte("leaf"), []byte("authority")}}
	w.judge = &claim.Problem{Sentence: "It is too old."}
	if err := s.Apply(t.Context(), anna, set, none, w.enroll); !isProblem(err, proto.CodeCertificate) || err.Error() != "It is too old." {
		t.Errorf("judged: %v", err)
	}
	w.judge = nil
	own := func(what string, s Settings) {
		t.Helper()
		cert, err := s.Certificate()
		if err != nil || !w.key.Public().(*ecdsa.PublicKey).Equal(cert.PrivateKey.(crypto.Signer).Public()) || !reflect.DeepEqual(cert.Certificate, set.Chain) {
			t.Errorf("%s: %+v, %v", what, cert.Certificate, err)
		}
	}
	w.broker = func(tried Settings) error { own("tried", tried); return nil }
	if err := s.Apply(t.Context(), anna, set, none, w.enroll); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = w.open()
	own("after a restart", s.Settings())
	if _, err := (Settings{Key: []byte("x")}).Certificate(); err == nil {
		t.Error("took no key for one")
	}
	// The request is done: what was signed for it is not taken twice.
	if err := s.Apply(t.Context(), anna, set, none, w.enroll); !isProblem(err, proto.CodeCertificate) {
		t.Errorf("again: %v", err)
	}
}

// With a certificate it is kept what somebody had put there by hand, over which it was set;
// and one for the configuration's broker ends what was set up of another.
func TestWhatACertificateIsSetOver(t *testing.T) {
	w := newWorld(t)
	s := w.open()
	set := func(set proto.SetupSettings) Settings {
		t.Helper()
		if _, err := s.Ask(t.Context(), proto.SetupAsk{Do: proto.SetupDoRequest}); err != nil {
			t.Fatal(err)
		}
		if err := s.Apply(t.Context(), anna, set, none, w.enroll); err != nil {
			t.Fatal(err)
		}
		return s.Settings()
	}
	if now := set(proto.SetupSettings{Broker: broker("b")}); now.Over != "" {
		t.Errorf("without a certificate: over %q", now.Over)
	}
	chain := [][]byte{[]byte("leaf")}
	if now := set(proto.SetupSettings{Chain: chain}); now.Over != "by hand" || now.Broker == nil {
		t.Errorf("%q, %+v", now.Over, now.Broker)
	}
	s.cfg.FixedBroker, w.supplied = true, ""
	if now := set(proto.SetupSettings{Chain: chain}); now.Over != OverNone || now.Broker != nil {
		t.Errorf("for the configuration's broker: %q, %+v", now.Over, now.Broker)
	}
}

// An EST server makes it for a new key, and its password, good once, is not kept.
func TestCertificateByEST(t *testing.T) {
	w := newWorld(t)
	w.supplied = ""
	w.est = func(est proto.EST, authority string) ([][]byte, error) {
		if est.Password != "once" || authority != broker("b").CA {
			t.Errorf("asked as %+v by %q", est, authority)
		}
		return [][]byte{[]byte("made")}, nil
	}
	s := w.open()
	var steps []proto.SetupStep
	set := proto.SetupSettings{Broker: broker("b"), EST: &proto.EST{URL: "https://e", User: "u", Password: "once"}}
	if err := s.Apply(t.Context(), anna, set, func(s proto.SetupStep) { steps = append(steps, s) }, w.enroll); err != nil {
		t.Fatal(err)
	}
	if want := []proto.SetupStep{proto.StepCertificate, proto.StepBroker, proto.StepSaving}; !reflect.DeepEqual(steps, want) {
		t.Errorf("steps %q, want %q", steps, want)
	}
	now := s.Settings()
	if want := (&proto.EST{URL: "https://e", User: "u"}); !reflect.DeepEqual(now.EST, want) || string(now.Chain[0]) != "made" {
		t.Errorf("kept %+v, %q", now.EST, now.Chain)
	}
}

// An enrolment server's password is good once. When the broker then does not work, the
// certificate is tried again, for the same client that says the same, until the window
// closes or settings are kept.
func TestWhatAServerMadeIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.supplied = ""
		var asked []string
		w.est = func(est proto.EST, _ string) ([][]byte, error) {
			asked = append(asked, est.User+" "+string(est.Password))
			return [][]byte{[]byte("made " + strconv.Itoa(len(asked)))}, nil
		}
		s := w.open()
		eve := proto.ClientID("eve" + string(anna[3:]))
		try := func(client proto.ClientID, est proto.EST, works bool) {
			t.Helper()
			w.broker = func(Settings) error {
				if works {
					return nil
				}
				return &proto.SetupProblem{Code: proto.CodeBrokerUnreachable}
			}
			err := s.Apply(t.Context(), client, proto.SetupSettings{Broker: broker("b"), EST: &est}, none, w.enroll)
			if works != (err == nil) || !works && !isProblem(err, proto.CodeBrokerUnreachable) {
				t.Errorf("%s by %s: %v", client, est.User, err)
			}
		}
		expect := func(what string, want ...string) {
			t.Helper()
			if !reflect.DeepEqual(asked, want) {
				t.Errorf("%s: asked for %q, want %q", what, asked, want)
			}
			asked = nil
		}
		once := proto.EST{URL: "https://e", User: "u", Password: "once"}
		try(anna, once, false)
		try(anna, once, false)
		expect("the same again", "u once")
		try(eve, once, false)
		expect("another client", "u once")
		for what, est := range map[string]proto.EST{
			"another server":   {URL: "https://other", User: "u", Password: "once"},
			"another user":     {URL: "https://e", User: "v", Password: "once"},
			"another password": {URL: "https://e", User: "u", Password: "new"},
		} {
			try(anna, once, false)
			asked = nil
			try(anna, est, false)
			expect(what, est.User+" "+string(est.Password))
		}
		w.close()
		synctest.Wait()
		if s.made != nil {
			t.Error("it outlives the window")
		}
		try(anna, once, false)
		synctest.Wait()
		if s.made != nil {
			t.Error("it is kept without a window")
		}
		expect("the window closed", "u once")
		w.window = t.Context()
		try(anna, once, false)
		try(anna, once, true)
		expect("and then it works", "u once")
		if now := s.Settings(); s.made != nil || string(now.Chain[0]) != "made 1" {
			t.Errorf("kept %q, and %v beside it", now.Chain, s.made)
		}
	})
}

// A certificate that is renewed takes the place of the one that was set up, and other
// settings that are tried meanwhile leave it.
func TestARenewedCertificate(t *testing.T) {
	w := newWorld(t)
	s := w.open()
	if err := s.Apply(t.Context(), anna, proto.SetupSettings{Broker: broker("old")}, none, w.enroll); err != nil {
		t.Fatal(err)
	}
	keeper, renewed := s.Keeper(), tls.Certificate{Certificate: [][]byte{[]byte("renewed")}, PrivateKey: w.key}
	w.broker = func(Settings) error { return keeper.Keep(renewed) }
	if err := s.Apply(t.Context(), anna, proto.SetupSettings{Broker: broker("new")}, none, w.enroll); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = w.open()
	cert, err := s.Keeper().Load()
	if err != nil || string(cert.Certificate[0]) != "renewed" || s.Settings().Broker.URL != "mqtts://new" || keeper.Writable() != nil {
		t.Errorf("%q, %v, %+v", cert.Certificate, err, s.Settings().Broker)
	}
}

// A certificate that is renewed while a set-up is kept is not lost by it.
func TestACertificateThatIsRenewedMeanwhile(t *testing.T) {
	for _, member := range []bool{false, true} {
		w := newWorld(t)
		s := w.open()
		w.members[anna] = member
		kept := make(chan error, 1)
		enroll := func() error {
			go func() {
				kept <- s.Keeper().Keep(tls.Certificate{Certificate: [][]byte{[]byte("renewed")}, PrivateKey: w.key})
			}()
			select {
			case err := <-kept: // at once: it did not wait
				kept <- err
			case <-time.After(100 * time.Millisecond): // it waits, as it should
			}
			return w.enroll()
		}
		if err := s.Apply(t.Context(), anna, proto.SetupSettings{Broker: broker("new")}, none, enroll); err != nil {
			t.Fatal(err)
		}
		if err := <-kept; err != nil {
			t.Fatal(err)
		}
		now := s.Settings()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		for when, set := range map[string]Settings{"in force": now, "kept": w.open().Settings()} {
			if len(set.Chain) != 1 || string(set.Chain[0]) != "renewed" || set.Broker == nil || set.Broker.URL != "mqtts://new" {
				t.Errorf("%s, member %v: %q for %+v", when, member, set.Chain, set.Broker)
			}
		}
	}
}

// While a change of the Wi-Fi is under way nobody else has the radio look around.
func TestNetworksWhileTheRadioIsBusy(t *testing.T) {
	s := newWorld(t).open()
	s.busy.Store(true)
	var problem *proto.SetupProblem
	if _, err := s.Ask(t.Context(), proto.SetupAsk{Do: proto.SetupDoNetworks}); !errors.As(err, &problem) || problem.Code != proto.CodeBusy {
		t.Errorf("Ask(networks) = %v", err)
	}
}

// In a new network the clock takes a while.
func TestTheClockHasTime(t *testing.T) {
	for name, c := range map[string]struct {
		until time.Duration
		code  proto.Code
	}{"set soon": {20 * time.Second, proto.CodeOK}, "never": {time.Hour, proto.CodeClockWrong}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := w.open()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				w.broker = func(Settings) error {
					if time.Since(began) < c.until {
						return &proto.SetupProblem{Code: proto.CodeClockWrong}
					}
					return nil
				}
				told := false
				err := s.try(t.Context(), anna, proto.SetupSettings{}, &Settings{Broker: broker("b")}, func(s proto.SetupStep) { told = told || s == proto.StepClock })
				if !told || (err == nil) != (c.code == proto.CodeOK) || err != nil && !isProblem(err, c.code) {
					t.Errorf("%v, told %v", err, told)
				}
			})
		})
	}
}

// The enrolment server is asked again, too, once its certificate can be judged.
func TestTheClockHasTimeBeforeEnrolment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.supplied = ""
		s := w.open()
		soon := time.Now().Add(20 * time.Second)
		w.est = func(proto.EST, string) ([][]byte, error) {
			if time.Now().Before(soon) {
				return nil, errors.Join(&claim.Problem{Sentence: "It is not valid now."},
					x509.CertificateInvalidError{Cert: &x509.Certificate{NotBefore: soon}, Reason: x509.Expired})
			}
			return [][]byte{[]byte("made")}, nil
		}
		var steps []proto.SetupStep
		next := Settings{Broker: broker("b")}
		err := s.try(t.Context(), anna, proto.SetupSettings{EST: &proto.EST{URL: "https://e"}}, &next, func(s proto.SetupStep) { steps = append(steps, s) })
		if err != nil || len(next.Chain) != 1 || !slices.Contains(steps, proto.StepClock) {
			t.Errorf("%v, %q", err, steps)
		}
	})
}

// A certificate that comes with its key needs no request; it is judged like any other.
func TestACertificateWithItsKey(t *testing.T) {
	w := newWorld(t)
	s := w.open()
	w.key = newKey(t)
	der, err := x509.MarshalPKCS8PrivateKey(w.key)
	if err != nil {
		t.Fatal(err)
	}
	set := proto.SetupSettings{Broker: broker("b"), Chain: [][]byte{{1}}, Key: der}
	if err := s.Apply(t.Context(), anna, set, none, w.enroll); err != nil {
		t.Fatal(err)
	}
	if now := s.Settings(); !bytes.Equal(now.Key, der) || len(now.Chain) != 1 {
		t.Errorf("kept %d certificates and a key of %d bytes", len(now.Chain), len(now.Key))
	}
	set.Key = proto.PrivateKey("none")
	if err := s.Apply(t.Context(), anna, set, none, w.enroll); !isProblem(err, proto.CodeCertificate) {
		t.Errorf("a key that can't be read: %v", err)
	}
	w.key = newKey(t) // the certificate is another key's
	set.Key = der
	if err := s.Apply(t.Context(), anna, set, none, w.enroll); !isProblem(err, proto.CodeCertificate) {
		t.Errorf("another key: %v", err)
	}
}

// wpa_supplicant hangs while settings are undone. That is waited for, unless camd is to end.
func TestAnUndoEndsWithCamd(t *testing.T) {
	for name, c := range map[string]struct{ ends, most time.Duration }{
		"camd goes on":      {time.Hour, undoTime},
		"camd ends":         {time.Second, time.Second + endTime},
		"camd ended before": {0, endTime},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.hangs, w.join = true, &proto.SetupProblem{Code: proto.CodeWiFiPassword}
			life, end := context.WithCancel(t.Context())
			w.life = life
			s := w.open()
			time.AfterFunc(c.ends, end)
			began := time.Now()
			if err := s.Apply(life, anna, proto.SetupSettings{WiFi: wifi("new")}, none, w.enroll); !isProblem(err, proto.CodeWiFiPassword) {
				t.Errorf("%s: %v", name, err)
			}
			if took := time.Since(began); took != c.most { // of the bubble's clock
				t.Errorf("%s: %v, want %v", name, took, c.most)
			}
			end()
		})
	}
}
