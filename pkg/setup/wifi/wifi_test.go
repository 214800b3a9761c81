package wifi

import (
	"bytes"
	"context"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func home() point {
	return point{ssid: "home", security: proto.SecurityWPA2, password: homeKey}
}

var homeWiFi = proto.WiFi{SSID: "home", Password: homeKey}

func noSteps(proto.SetupStep) {}

// join gets into a network, and returns it as it is to be kept.
func join(t *testing.T, r *Radio, w proto.WiFi) proto.WiFi {
	t.Helper()
	kept, err := r.Join(t.Context(), w, noSteps)
	must(t, err)
	return kept
}

// run runs the radio for as long as the test does.
func run(t *testing.T, r *Radio) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx, func() {}) }()
	t.Cleanup(func() { cancel(); must(t, <-done) })
}

func TestNetworks(t *testing.T) {
	f := newFake(t)
	f.raise(point{ssid: hostile, security: proto.SecurityOpen, signal: -80})
	f.raise(point{ssid: "secret", security: proto.SecurityWPA2, hidden: true})
	f.raise(home())
	got, err := f.radio(New(quiet(), nil)).Networks(t.Context())
	want := []proto.Network{
		{SSID: "home", Security: proto.SecurityWPA2, Signal: -50, Band: "2.4"},
		{SSID: hostile, Security: proto.SecurityOpen, Signal: -80, Band: "2.4"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Networks() = %v, %v", got, err)
	}
	r := f.radio(New(quiet(), nil))
	if in, err := r.Current(t.Context()); in != nil || err != nil {
		t.Errorf("before it joins one it is in %v, %v", in, err)
	}
	join(t, r, homeWiFi)
	if in, err := r.Current(t.Context()); err != nil || in == nil || *in != want[0] {
		t.Errorf("Current() = %v, %v", in, err)
	}
	name, err := f.radio(New(quiet(), nil)).Interface(t.Context())
	if err != nil || name != fakeCard {
		t.Errorf("Interface() = %q, %v", name, err)
	}
}

// TestWithoutWiFi: a board that has none says so, and asks nobody.
func TestWithoutWiFi(t *testing.T) {
	board := health.NewBoard(quiet())
	r := New(quiet(), board)
	r.sys, r.bus, r.wait.look = t.TempDir(), "unix:path=/nowhere", time.Millisecond
	if _, err := r.Networks(t.Context()); !problemOf(err, proto.CodeNoWiFi) {
		t.Errorf("Networks() = %v", err)
	}
	if _, err := r.Join(t.Context(), homeWiFi, noSteps); !problemOf(err, proto.CodeNoWiFi) {
		t.Errorf("Join() = %v", err)
	}
	if r.Present() {
		t.Error("it has Wi-Fi")
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx, func() {}) }()
	eventually(t, "it says so", func() bool { return board.Snapshot()[0].State == health.OK })
	must(t, r.Keep(t.Context(), &homeWiFi))
	eventually(t, "it misses it", func() bool { return board.Snapshot()[0].State == health.Failed })
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run() = %v", err)
	}
}

func TestFaultsOfWPASupplicant(t *testing.T) {
	for name, c := range map[string]struct {
		fault func(*fake)
		want  string
	}{
		"it does not run":          {(*fake).stop, "does not run"},
		"it takes no network":      {func(f *fake) { f.failAdd = true }, "wpa_supplicant says: invalid message format"},
		"the bus can't be reached": {func(f *fake) { f.address = "unix:path=/nowhere" }, "the system bus"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.raise(home())
			r := f.radio(New(quiet(), nil))
			c.fault(f)
			r.bus = f.address
			if _, err := r.Join(t.Context(), homeWiFi, noSteps); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Join() = %v", err)
			}
		})
	}
}

// TestItEndsWhileItJoins: wpa_supplicant ends in the middle, or who asked goes away.
func TestItEndsWhileItJoins(t *testing.T) {
	for name, c := range map[string]struct {
		meanwhile func(*fake, context.CancelFunc)
		back      bool
	}{
		"wpa_supplicant": {func(f *fake, _ context.CancelFunc) { f.restart() }, false},
		"the client":     {func(_ *fake, cancel context.CancelFunc) { cancel() }, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.raise(point{ssid: "former", security: proto.SecurityWPA2, password: homeKey})
			f.raise(point{ssid: "home", security: proto.SecurityWPA2, password: homeKey, mute: true})
			r := f.radio(New(quiet(), nil))
			r.wait.address = time.Minute
			must(t, r.Keep(t.Context(), &proto.WiFi{SSID: "former", Password: homeKey}))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			_, err := r.Join(ctx, homeWiFi, func(s proto.SetupStep) {
				if s == proto.StepAddress {
					c.meanwhile(f, cancel)
					cancel()
				}
			})
			if err == nil {
				t.Error("it joined")
			}
			if ssid, _ := f.how(); c.back && ssid != "former" {
				t.Errorf("it is in %q", ssid)
			}
			if slices.Contains(f.names(), "home") {
				t.Error("what was tried is still there")
			}
		})
	}
}

// TestARouterThatWasSetUpAnew: how it was before does not count, though it is remembered.
func TestARouterThatWasSetUpAnew(t *testing.T) {
	f := newFake(t)
	p := home()
	p.security, p.before = proto.SecurityWPA3, proto.SecurityWPA2
	f.raise(p)
	join(t, f.radio(New(quiet(), nil)), homeWiFi)
	if _, by := f.how(); by != "SAE" {
		t.Errorf("it is in by %s", by)
	}
}

// TestItVanishesWhileItGivesAnAddress: then that is said, and not that the router is at fault.
func TestItVanishesWhileItGivesAnAddress(t *testing.T) {
	f := newFake(t)
	mute := home()
	mute.mute = true
	f.raise(mute)
	_, err := f.radio(New(quiet(), nil)).Join(t.Context(), homeWiFi, func(s proto.SetupStep) {
		if s == proto.StepAddress {
			f.lower("home")
		}
	})
	if !problemOf(err, proto.CodeWiFiNotFound) {
		t.Errorf("Join() = %v", err)
	}
}

// TestWhatACamdLeft: one that was killed in the middle of joining has left its network in
// wpa_supplicant, and all others switched off.
func TestWhatACamdLeft(t *testing.T) {
	file := point{ssid: "file", security: proto.SecurityWPA2, password: homeKey}
	f := newFake(t)
	f.raise(home())
	f.file(file)
	join(t, f.radio(New(quiet(), nil)), homeWiFi)
	if got := f.names(); !slices.Equal(got, []string{"home"}) {
		t.Fatalf("while it is tried there are %q", got)
	}
	must(t, f.radio(New(quiet(), nil)).Keep(t.Context(), nil)) // nothing was committed
	if got := f.names(); !slices.Equal(got, []string{"file"}) {
		t.Errorf("there are %q", got)
	}

	join(t, f.radio(New(quiet(), nil)), homeWiFi)
	f.mu.Lock()
	joined := f.current
	f.mu.Unlock()
	must(t, f.radio(New(quiet(), nil)).Keep(t.Context(), &homeWiFi)) // it was
	f.mu.Lock()
	if f.current != joined {
		t.Error("it left a network that it is to be in")
	}
	f.mu.Unlock()

	must(t, f.radio(New(quiet(), nil)).Keep(t.Context(), &proto.WiFi{SSID: "other", Password: homeKey}))
	if got := f.names(); !slices.Equal(got, []string{"file", "other"}) {
		t.Errorf("there are %q", got)
	}
}

// TestTheFileStaysInForce: networks of wpa_supplicant's own file are neither left nor lost.
func TestTheFileStaysInForce(t *testing.T) {
	f := newFake(t)
	f.raise(point{ssid: "file", security: proto.SecurityWPA2, password: homeKey})
	f.file(point{ssid: "file", password: homeKey})
	r := f.radio(New(quiet(), nil))
	must(t, r.Keep(t.Context(), nil))
	if _, err := r.Join(t.Context(), homeWiFi, noSteps); !problemOf(err, proto.CodeWiFiNotFound) {
		t.Errorf("Join() = %v", err)
	}
	f.raise(home())
	wrong := homeWiFi
	wrong.Password = "wrong horse"
	if _, err := r.Join(t.Context(), wrong, noSteps); !problemOf(err, proto.CodeWiFiPassword) {
		t.Errorf("Join() = %v", err)
	}
	if ssid, _ := f.how(); ssid != "file" || !slices.Equal(f.names(), []string{"file"}) {
		t.Errorf("it is in %q, of %q", ssid, f.names())
	}
}

// TestANewRouter: the kept password opens a network that lets in by WPA3 only from now on,
// and one that is open all at once is not joined.
func TestANewRouter(t *testing.T) {
	f := newFake(t)
	f.raise(home())
	board := health.NewBoard(quiet())
	r := f.radio(New(quiet(), board))
	must(t, r.Keep(t.Context(), &homeWiFi))
	run(t, r)
	f.lower("home")
	p := home()
	p.security = proto.SecurityWPA3
	f.raise(p)
	eventually(t, "it is in by WPA3", func() bool { _, by := f.how(); return by == "SAE" })
	f.lower("home")
	f.raise(point{ssid: "home", security: proto.SecurityOpen})
	eventually(t, "it says what it hears", func() bool { return strings.Contains(board.Snapshot()[0].Reason, "may be someone else's") })
	if ssid, _ := f.how(); ssid != "" {
		t.Errorf("it is in %q", ssid)
	}
}

// TestWhatIsTriedIsLeftAlone: until Keep says what stays, Run leaves the network that was
// joined, also where none was kept before.
func TestWhatIsTriedIsLeftAlone(t *testing.T) {
	for name, former := range map[string]*proto.WiFi{"out of its box": nil, "with a former one": {SSID: "former", Password: homeKey}} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.raise(point{ssid: "former", security: proto.SecurityWPA2, password: homeKey})
			f.raise(home())
			r := f.radio(New(quiet(), nil))
			run(t, r)
			must(t, r.Keep(t.Context(), former))
			kept := join(t, r, homeWiFi)
			for range 3 { // Run has looked since
				looked(t, f)
			}
			if ssid, _ := f.how(); ssid != "home" {
				t.Fatalf("before Keep it is in %q", ssid)
			}
			must(t, r.Keep(t.Context(), former))
			eventually(t, "it is in the former one", func() bool { ssid, _ := f.how(); return former == nil && ssid == "" || ssid == "former" })
			join(t, r, homeWiFi)
			f.restart() // nothing is known of it any more
			eventually(t, "it is where it was", func() bool { ssid, _ := f.how(); return former == nil && ssid == "" || ssid == "former" })
			must(t, r.Keep(t.Context(), &kept))
			eventually(t, "it is in the new one", func() bool { ssid, _ := f.how(); return ssid == "home" })
		})
	}
}

// looked waits until Run has looked once more.
func looked(t *testing.T, f *fake) {
	t.Helper()
	before := f.looks()
	eventually(t, "Run has looked", func() bool { return f.looks() > before })
}

// TestAWeakerTwin: a network that was joined by WPA3 alone is not joined by WPA2 later,
// though nobody said at first by what it was to be joined.
func TestAWeakerTwin(t *testing.T) {
	f := newFake(t)
	p := home()
	p.security = proto.SecurityWPA3
	f.raise(p)
	board := health.NewBoard(quiet())
	r := f.radio(New(quiet(), board))
	kept := join(t, r, homeWiFi)
	if kept.Security != proto.SecurityWPA3 {
		t.Fatalf("it is to be kept as one of %q", kept.Security)
	}
	must(t, r.Keep(t.Context(), &kept))
	f.lower("home")
	f.raise(home()) // someone else's, by WPA2
	run(t, r)
	eventually(t, "it says what it hears", func() bool { return strings.Contains(board.Snapshot()[0].Reason, "someone else may have set it up") })
	f.restart()
	eventually(t, "it still says so", func() bool { return strings.Contains(board.Snapshot()[0].Reason, "someone else may have set it up") })
	if ssid, by := f.how(); ssid != "" {
		t.Errorf("it is in %q by %s", ssid, by)
	}
}

// TestOneThatAnswersNobody: an access point with a list of devices answers no other that
// asks who is there, and is heard all the same.
func TestOneThatAnswersNobody(t *testing.T) {
	f := newFake(t)
	p := home()
	p.strict = true
	f.raise(p)
	if _, err := f.radio(New(quiet(), nil)).Join(t.Context(), homeWiFi, noSteps); !problemOf(err, proto.CodeWiFiRefused) {
		t.Errorf("Join() = %v", err)
	}
}

// TestTheInterfaceComesLate: a USB stick, and a wpa_supplicant that starts after camd.
func TestTheInterfaceComesLate(t *testing.T) {
	f := newFake(t)
	f.raise(home())
	f.stop()
	f.unplug()
	board := health.NewBoard(quiet())
	r := f.radio(New(quiet(), board))
	must(t, r.Keep(t.Context(), &homeWiFi))
	run(t, r)
	eventually(t, "it is missed", func() bool { return strings.Contains(board.Snapshot()[0].Reason, "is missing") })
	f.plug()
	eventually(t, "wpa_supplicant is missed", func() bool { return strings.Contains(board.Snapshot()[0].Reason, "does not run") })
	f.start()
	eventually(t, "it is in", func() bool { ssid, _ := f.how(); return ssid == "home" })
	eventually(t, "all is well", func() bool { return board.Snapshot()[0].State == health.OK })
}

// TestNobodyElseSpeaksForWPASupplicant: whoever else is on the bus can't say that the camera
// is in a network, or why it is not.
func TestNobodyElseSpeaksForWPASupplicant(t *testing.T) {
	f := newFake(t)
	liar, err := dbus.Connect(f.address)
	must(t, err)
	t.Cleanup(func() { _ = liar.Close() })
	s := &session{owner: ":1.7"}
	c := card{fakeCard, cardPath}
	said := dbus.Signal{Sender: ":1.7", Path: cardPath, Name: properties + ".PropertiesChanged", Body: []any{interfaze, variants(map[string]any{"State": "completed"}), []string{}}}
	if _, ok := s.changes(c, &said); !ok {
		t.Error("wpa_supplicant itself is not believed")
	}
	for name, change := range map[string]func(*dbus.Signal){
		"another connection": func(m *dbus.Signal) { m.Sender = liar.Names()[0] },
		"another interface":  func(m *dbus.Signal) { m.Path = object + "/Interfaces/1" },
		"another type":       func(m *dbus.Signal) { m.Body = []any{networkOf, m.Body[1], m.Body[2]} },
		"no properties":      func(m *dbus.Signal) { m.Body = []any{interfaze, 4} },
		"nothing":            func(m *dbus.Signal) { m.Body = nil },
	} {
		m := said
		change(&m)
		if _, ok := s.changes(c, &m); ok {
			t.Errorf("%s is believed", name)
		}
	}
	lost := dbus.Signal{Sender: liar.Names()[0], Name: bus + ".NameOwnerChanged", Body: []any{service, ":1.7", ""}}
	if s.ownership(&lost) || s.owner != ":1.7" {
		t.Error("another connection takes wpa_supplicant's name")
	}
}

// TestThePasswordIsNowhere: neither in the log, nor in what is said of a failure.
func TestThePasswordIsNowhere(t *testing.T) {
	var log bytes.Buffer
	f := newFake(t)
	f.raise(home())
	f.raise(point{ssid: hostile, security: proto.SecurityWPA2, password: homeKey})
	r := f.radio(New(slog.New(slog.NewTextHandler(&log, nil)), nil))
	join(t, r, homeWiFi)
	_, err := r.Join(t.Context(), proto.WiFi{SSID: hostile, Password: "another secret"}, noSteps)
	said := log.String() + err.Error()
	for _, secret := range []string{homeKey, "another secret", "\x1b", "\u202e"} {
		if strings.Contains(said, secret) {
			t.Errorf("%q is in %q", secret, said)
		}
	}
	if strings.Count(log.String(), "\n") != 3 {
		t.Errorf("the log is\n%s", log.String())
	}
}
