package setup

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/health"
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
	mu      sync.Mutex // over calls and in, for what goes on beside a test
	state   string
	cfg     Config
	members map[proto.ClientID]bool
	calls   []string // of radio and broker, and what was kept of Wi-Fi
	networks
	key       crypto.Signer // that the claim makes
	est       func(proto.EST, string) ([][]byte, error)
	supplied  string
	judge     error
	broker    func(Settings) error // nil: reached
	again     int
	life      context.Context // of camd
	window    context.Context
	close     context.CancelFunc          // of the window
	reconnect func(context.Context) error // nil: reached
	board     *health.Board
	entry     uint64 // that was made last
}

// networks is a radio.
type networks struct {
	absent   bool
	heard    []proto.Network
	hangs    bool // wpa_supplicant takes no call
	join     error
	security proto.Security // of what is joined, if it is not as it was asked for
	takes    time.Duration  // until an address is there
	in       proto.SSID
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
		board: health.NewBoard(slog.New(slog.DiscardHandler)), entry: 6,
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
		Member: func(c proto.ClientID) bool { return w.members[c] }, Window: func() context.Context { return w.window }, Again: func() { w.again++ },
		Board: w.board, NotTaken: func(n uint64) { w.did(fmt.Sprint("not taken ", n)) }}
	if !w.absent {
		deps.Radio, deps.HasWiFi, deps.InNetwork = w, func() bool { return true }, w.current
	}
	s, err := Open(w.life, cfg, slog.New(slog.DiscardHandler), deps)
	if err == nil {
		s.Reach(w)
	}
	return s, err
}

// enroll makes Anna a member.
func (w *world) enroll() error {
	w.members[anna] = true
	return nil
}

func (w *world) Networks(context.Context) ([]proto.Network, error) { return w.heard, nil }

func (w *world) Join(ctx context.Context, n proto.WiFi, progress func(proto.SetupStep)) (proto.WiFi, error) {
	w.did("join " + string(n.SSID))
	progress(proto.StepAddress)
	if w.takes > 0 {
		select {
		case <-time.After(w.takes):
		case <-ctx.Done():
			return n, ctx.Err()
		}
	}
	if w.join == nil {
		w.moves(n.SSID)
	}
	n.Security = cmp.Or(w.security, n.Security)
	return n, w.join
}

func (w *world) current(context.Context) (*proto.Network, error) {
	in := w.where()
	if in == "" {
		return nil, nil
	}
	return &proto.Network{SSID: in, Security: proto.SecurityWPA2, Signal: -50, Band: "5"}, nil
}

// Reconnect returns the link's.
func (w *world) Reconnect(ctx context.Context) error {
	w.did("reconnect in " + string(w.where()))
	if w.reconnect == nil {
		return nil
	}
	return w.reconnect(ctx)
}

// Begun returns the log's.
func (w *world) Begun() (uint64, error) {
	w.entry++
	w.did(fmt.Sprint("entry ", w.entry))
	return w.entry, nil
}

func (w *world) Keep(ctx context.Context, n *proto.WiFi) error {
	if w.hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	name, to := "none", proto.SSID("")
	if n != nil {
		name, to = string(n.SSID), n.SSID
	}
	w.moves(to)
	w.did("keep " + name)
	return nil
}

func (w *world) Try(_ context.Context, s Settings) error {
	name := "the one that is fixed"
	if s.Broker != nil {
		name = s.Broker.URL
	}
	w.did("try " + name)
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

// did notes a call.
func (w *world) did(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, what)
}

// moves puts the radio into a network, or none.
func (w *world) moves(to proto.SSID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.in = to
}

func (w *world) where() proto.SSID {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.in
}

func (w *world) expect(what string, calls ...string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
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
