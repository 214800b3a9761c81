package setup

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/setup/claim"
	"github.com/camd-project/camd/pkg/store"
)

const (
	device = proto.DeviceID("camdtestdevice222222222222")
	anna   = proto.ClientID("YocEU0Qax2Z2nsshiMfEyan5edkBDMypl-Us7O_0WT9")
)

// world is what a Setup has around it.
type world struct {
	t       *testing.T
	state   string
	cfg     Config
	members map[proto.ClientID]bool
	calls   []string // of radio and broker, and what was kept of Wi-Fi
	networks
	key      crypto.Signer // that the claim makes
	est      func(proto.EST, string) ([][]byte, error)
	supplied string
	judge    error
	broker   func(Settings) error // nil: reached
	again    int
	life     context.Context // of camd
	window   context.Context
	close    context.CancelFunc // of the window
}

// networks is a radio.
type networks struct {
	absent   bool
	heard    []proto.Network
	hangs    bool // wpa_supplicant takes no call
	join     error
	security proto.Security // of what is joined, if it is not as it was asked for
}

func newWorld(t *testing.T) *world {
	t.Helper()
	state := t.TempDir()
	if err := os.Mkdir(filepath.Join(state, folder), 0o700); err != nil {
		t.Fatal(err)
	}
	key := newKey(t)
	window, end := context.WithCancel(t.Context())
	return &world{t: t, life: t.Context(), window: window, close: end, state: state, members: map[proto.ClientID]bool{}, key: key, supplied: "by hand",
		cfg: Config{State: state, Device: device, Check: func(_ context.Context, path string) error { return store.CheckFile(path) }}}
}

func newKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// open opens a Setup in this world, for as long as the test runs.
func (w *world) open() *Setup {
	w.t.Helper()
	s, err := w.tryOpen(w.state)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = s.Close() }) // a second Close does no harm
	return s
}

func (w *world) tryOpen(state string) (*Setup, error) {
	cfg := w.cfg
	cfg.State = state
	deps := Deps{Broker: w, Claim: w, Supplied: func() string { return w.supplied },
		Member: func(c proto.ClientID) bool { return w.members[c] }, Window: func() context.Context { return w.window }, Again: func() { w.again++ }}
	if !w.absent {
		deps.Radio, deps.HasWiFi = w, func() bool { return true }
	}
	return Open(w.life, cfg, slog.New(slog.DiscardHandler), deps)
}

// enroll makes Anna a member.
func (w *world) enroll() error {
	w.members[anna] = true
	return nil
}

func (w *world) Networks(context.Context) ([]proto.Network, error) { return w.heard, nil }

func (w *world) Join(_ context.Context, n proto.WiFi, progress func(proto.SetupStep)) (proto.WiFi, error) {
	w.calls = append(w.calls, "join "+string(n.SSID))
	progress(proto.StepAddress)
	n.Security = cmp.Or(w.security, n.Security)
	return n, w.join
}

func (w *world) Keep(ctx context.Context, n *proto.WiFi) error {
	if w.hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	name := "none"
	if n != nil {
		name = string(n.SSID)
	}
	w.calls = append(w.calls, "keep "+name)
	return nil
}

func (w *world) Try(_ context.Context, s Settings) error {
	name := "the one that is fixed"
	if s.Broker != nil {
		name = s.Broker.URL
	}
	w.calls = append(w.calls, "try "+name)
	if w.broker == nil {
		return nil
	}
	return w.broker(s)
}

func (w *world) NewRequest() (crypto.Signer, []byte, error) { return w.key, []byte("request"), nil }
func (w *world) Enroll(_ context.Context, est proto.EST, authority string, _ []byte) ([][]byte, error) {
	return w.est(est, authority)
}
func (w *world) Judge(key crypto.PublicKey, _ [][]byte) error {
	if !w.key.Public().(*ecdsa.PublicKey).Equal(key) {
		return &claim.Problem{Sentence: "It is for another key."}
	}
	return w.judge
}

func (w *world) expect(what string, calls ...string) {
	w.t.Helper()
	if !reflect.DeepEqual(w.calls, calls) {
		w.t.Errorf("%s: %q, want %q", what, w.calls, calls)
	}
	w.calls = nil
}

func wifi(name proto.SSID) *proto.WiFi {
	return &proto.WiFi{SSID: name, Password: "correct horse", Security: proto.SecurityWPA2}
}

func broker(host string) *proto.SetupBroker {
	return &proto.SetupBroker{URL: "mqtts://" + host, CA: "-----BEGIN CERTIFICATE-----\n"}
}

func isProblem(err error, code proto.Code) bool {
	var p *proto.SetupProblem
	return errors.As(err, &p) && p.Code == code
}

func none(proto.SetupStep) {}
