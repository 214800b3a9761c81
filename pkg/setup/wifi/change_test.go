package wifi

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/setup"
	"github.com/camd-project/camd/pkg/store"
)

// reach is a broker that is reached through one network alone, by what wpa_supplicant says
// of it, and a log.
type reach struct {
	f       *fake
	through string
	took    atomic.Int64 // entries that were taken back
}

func (r *reach) Reconnect(context.Context) error {
	if ssid, _ := r.f.how(); ssid == r.through {
		return nil
	}
	return &proto.SetupProblem{Code: proto.CodeNoInternet}
}

func (*reach) Begun() (uint64, error) { return 7, nil }

// TestAChangeThroughTheRadio: the radio, while it keeps what is in force as it always does,
// leaves a network that is tried to who tries it, and goes back when that is over.
func TestAChangeThroughTheRadio(t *testing.T) {
	f := newFake(t)
	f.raise(point{ssid: "former", security: proto.SecurityWPA2, password: homeKey})
	f.raise(point{ssid: "home", security: proto.SecurityWPA3, password: homeKey})
	f.raise(point{ssid: "cellar", security: proto.SecurityWPA2, password: homeKey})
	board := health.NewBoard(quiet())
	radio := f.radio(New(quiet(), board))
	run(t, radio)

	state := t.TempDir()
	must(t, os.Mkdir(filepath.Join(state, "store"), 0o700))
	there := &reach{f: f, through: "home"}
	own, err := setup.Open(t.Context(), setup.Config{State: state, Check: func(_ context.Context, path string) error { return store.CheckFile(path) }}, quiet(),
		setup.Deps{Radio: radio, HasWiFi: radio.Present, InNetwork: radio.Current, Board: board, NotTaken: func(uint64) { there.took.Add(1) },
			Supplied: func() string { return "by hand" }, Member: func(proto.ClientID) bool { return true }})
	must(t, err)
	t.Cleanup(func() { must(t, own.Close()) })
	own.Reach(there)
	former := proto.SetupSettings{WiFi: &proto.WiFi{SSID: "former", Password: homeKey}}
	must(t, own.Apply(t.Context(), "anna", former, noSteps, func() error { return nil }))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- own.Run(ctx, func() {}) }()
	t.Cleanup(func() { cancel(); must(t, <-done) })

	change := func(ssid proto.SSID, password proto.Secret) proto.WiFiStatus {
		t.Helper()
		eventually(t, "the one before is over", func() bool { return own.Change(proto.WiFi{SSID: ssid, Password: password}, there) == nil })
		var now proto.WiFiStatus
		eventually(t, "it has been tried", func() bool {
			now, err = own.WiFi(t.Context(), false)
			must(t, err)
			return now.Trying == ""
		})
		return now
	}
	for _, c := range []struct {
		ssid     proto.SSID
		password proto.Secret
		code     proto.Code
		in       string
	}{
		{"cellar", homeKey, proto.CodeNoInternet, "former"},
		{"home", "wrong horse", proto.CodeWiFiPassword, "former"},
		{"attic", homeKey, proto.CodeWiFiNotFound, "former"},
		{"home", homeKey, proto.CodeOK, "home"},
	} {
		if now := change(c.ssid, c.password); now.Last == nil || now.Last.Code != c.code {
			t.Errorf("to %s: %+v", c.ssid, now.Last)
		}
		eventually(t, "it is in "+c.in, func() bool { ssid, _ := f.how(); return ssid == c.in })
	}
	eventually(t, "what did not work is taken back", func() bool { return there.took.Load() == 3 })
	if got := own.Settings().WiFi; got.SSID != "home" || got.Security != proto.SecurityWPA3 {
		t.Errorf("in force: %q with %s", got.SSID, got.Security)
	}
	f.restart()
	eventually(t, "it is there again", func() bool { ssid, by := f.how(); return ssid == "home" && by == "SAE" })
}

// TestTheWayBackIsTriedAgain: what Keep could not do for now is not left as it is, or a
// camera would stay in a network that leads nowhere.
func TestTheWayBackIsTriedAgain(t *testing.T) {
	f := newFake(t)
	f.raise(point{ssid: "former", security: proto.SecurityWPA2, password: homeKey})
	f.raise(point{ssid: "cellar", security: proto.SecurityWPA2, password: homeKey})
	radio := f.radio(New(quiet(), nil))
	run(t, radio)
	former := &proto.WiFi{SSID: "former", Password: homeKey}
	must(t, radio.Keep(t.Context(), former))
	eventually(t, "it is in the network", func() bool { ssid, _ := f.how(); return ssid == "former" })
	_, err := radio.Join(t.Context(), proto.WiFi{SSID: "cellar", Password: homeKey}, noSteps)
	must(t, err)
	f.mu.Lock()
	f.failRemove = true
	f.mu.Unlock()
	if err := radio.Keep(t.Context(), former); err == nil {
		t.Error("wpa_supplicant refused, and Keep did not say so")
	}
	ssid, _ := f.how()
	for range 20 {
		if ssid == "former" {
			break
		}
		looked(t, f)
		ssid, _ = f.how()
	}
	if ssid != "former" {
		t.Errorf("Run looks again and again, and it stays in %q", ssid)
	}
}
