package browser

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/bluetoothemulation"
	"github.com/chromedp/chromedp"

	"github.com/camd-project/camd/pkg/auth"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/auth/identity"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/setup/ble"
	"github.com/camd-project/camd/pkg/store"
	"github.com/camd-project/camd/test/chromium"
)

// near is a camera with an open window that the page is near to: the real GATT service, and
// the real authority, which pairs.
type near struct {
	*air
	authority *auth.Authority
	server    *ble.Server
	setup     *settable
}

const nearPeer = ble.Peer("page")

func (n *near) connected() { n.server.Connected(nearPeer) }

func (n *near) read(c ble.Characteristic, offset int) ([]byte, error) {
	return n.server.Read(nearPeer, c, offset, n.mtu)
}

func (n *near) write(c ble.Characteristic, value []byte) error {
	return n.server.Write(nearPeer, c, 0, value)
}

// settable is a camera's network without a radio: one password fits.
type settable struct {
	mu   sync.Mutex
	kept []proto.SetupSettings
}

const rightPassword = "correct horse"

func (s *settable) Ask(_ context.Context, ask proto.SetupAsk) (proto.SetupReply, error) {
	switch ask.Do {
	case proto.SetupDoNetworks:
		return proto.SetupReply{Networks: []proto.Network{
			{SSID: "Anna's", Security: proto.SecurityWPA2, Signal: -48, Band: "5"},
			{SSID: "caf\xe9 \u202eeman", Security: proto.SecurityOpen, Signal: -70, Band: "2.4"}}}, nil
	case proto.SetupDoRequest:
		return proto.SetupReply{Request: []byte("request"), Subject: "subject"}, nil
	}
	return proto.SetupReply{State: &proto.SetupState{WiFi: true}}, nil
}

func (s *settable) Apply(_ context.Context, _ proto.ClientID, set proto.SetupSettings, progress func(proto.SetupStep), enroll func() error) error {
	progress(proto.StepWiFi)
	if set.WiFi.Password != rightPassword {
		return &proto.SetupProblem{Code: proto.CodeWiFiPassword}
	}
	progress(proto.StepBroker)
	progress(proto.StepSaving)
	if err := enroll(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = append(s.kept, set)
	return nil
}

func (s *settable) Settled() {}

func (s *settable) all() []proto.SetupSettings {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kept
}

// newNear has a camera in reach of the page, over a link of this MTU.
func newNear(t *testing.T, b *chromium.Tab, mtu int) *near {
	t.Helper()
	state, log := t.TempDir(), slog.New(slog.DiscardHandler)
	if _, err := identity.Init(state, identity.TPM{Use: identity.TPMOff}); err != nil {
		t.Fatal(err)
	}
	authority, err := auth.Open(t.Context(), auth.Config{State: state, Household: auth.DefaultHousehold(),
		Check:  func(_ context.Context, path string) error { return store.CheckFile(path) },
		Clock:  func() (time.Time, bool) { return time.Now(), true },
		Broker: func(proto.ClientID) envelope.BrokerLogin { return envelope.BrokerLogin{URL: "mqtts://broker:8883"} },
	}, log, health.NewBoard(log))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = authority.Close() })
	n := &near{authority: authority, setup: &settable{}}
	authority.NewGate(auth.Deps{Provisioner: n.setup})
	n.air = newAir(t, b, mtu, n)
	n.window()
	n.serve()
	return n
}

func (n *near) window() {
	n.t.Helper()
	if err := n.authority.OpenWindow(time.Hour, "Anna"); err != nil {
		n.t.Fatal(err)
	}
}

// serve begins a window's GATT service.
func (n *near) serve() {
	join := func(ctx context.Context, c ble.Conn) error { return n.authority.Join(ctx, c) }
	about := func() ble.About {
		return ble.About{Device: n.authority.Identity().DeviceID(), Owned: n.authority.Owned()}
	}
	n.server = ble.NewServer(about, ble.Deps{Join: join, News: func(ble.Characteristic) {}, HangUp: n.hangUp})
	n.t.Cleanup(n.server.Close)
}

func (n *near) hangUp(p ble.Peer) {
	if p == nearPeer {
		_, _ = chromedp.CallBrowser(n.b.Ctx, bluetoothemulation.SimulateGATTDisconnection, bluetoothemulation.SimulateGATTDisconnectionParams{Address: onAir})
	}
	n.server.Gone(p)
}

// left tells the camera that the page has hung up, which the emulation does not, and waits
// until nobody has a conversation.
func (n *near) left() {
	n.t.Helper()
	n.server.Gone(nearPeer)
	const watcher = ble.Peer("watcher")
	defer n.server.Gone(watcher)
	for {
		if s, err := n.server.Read(watcher, ble.Status, 0, n.mtu); err != nil || s[0] != byte(ble.Busy) {
			return // or its window has closed
		}
		select {
		case <-n.b.Ctx.Done():
			n.t.Fatal("the page's conversation does not end")
		case <-time.After(10 * time.Millisecond):
		}
	}
}
