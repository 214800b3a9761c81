package browser

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/bluetoothemulation"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/deviceaccess"
	"github.com/chromedp/chromedp"

	"github.com/camd-project/camd/pkg/auth"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/setup/ble"
	"github.com/camd-project/camd/pkg/store"
)

// near is a camera with an open window that Chromium's emulated radio hears: what the page
// reads and writes goes to the real GATT service, and the real authority pairs.
type near struct {
	t         *testing.T
	b         *tab
	authority *auth.Authority
	server    *ble.Server
	mtu       int
	setup     *settable
	chars     map[string]ble.Characteristic // by the emulation's identifier
	decline   atomic.Bool                   // the person takes no camera

	mu      sync.Mutex
	reads   map[ble.Characteristic]int
	longest int // frame that the page wrote
}

const (
	nearAddress = "CA:3E:2A:00:00:01"
	nearPeer    = ble.Peer("page")
	cutOff      = ble.ATTError(0x0e) // "unlikely error": the link is down
)

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
func newNear(t *testing.T, b *tab, mtu int) *near {
	t.Helper()
	state, log := t.TempDir(), slog.New(slog.DiscardHandler)
	if _, err := auth.InitFactory(state, auth.TPM{Use: auth.TPMOff}); err != nil {
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
	n := &near{t: t, b: b, authority: authority, mtu: mtu, setup: &settable{}, chars: map[string]ble.Characteristic{}, reads: map[ble.Characteristic]int{}}
	authority.Provision(n.setup)
	n.window()
	n.serve()
	n.emulate()
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
	about := ble.About{Device: n.authority.Identity().DeviceID(), Owned: n.authority.Owned()}
	n.server = ble.NewServer(about, ble.Deps{Join: join, News: func(ble.Characteristic) {}, HangUp: n.hangUp})
	n.t.Cleanup(n.server.Close)
}

func (n *near) hangUp(p ble.Peer) {
	if p == nearPeer {
		_, _ = chromedp.CallBrowser(n.b.ctx, bluetoothemulation.SimulateGATTDisconnection, bluetoothemulation.SimulateGATTDisconnectionParams{Address: nearAddress})
	}
	n.server.Gone(p)
}

// call calls the browser's emulation.
func call[P, R any](n *near, command cdp.Command[P, R], params P) R {
	n.t.Helper()
	r, err := chromedp.CallBrowser(n.b.ctx, command, params)
	if err != nil {
		n.t.Fatalf("%s: %v", command.Method, err)
	}
	return r
}

// emulate puts the camera on the browser's air.
func (n *near) emulate() {
	n.t.Helper()
	call(n, bluetoothemulation.Enable, bluetoothemulation.EnableParams{State: bluetoothemulation.CentralStatePoweredOn, LeSupported: true})
	n.t.Cleanup(func() { _, _ = chromedp.CallBrowser(n.b.ctx, bluetoothemulation.Disable, cdp.Empty{}) }) // the browser may have ended
	call(n, bluetoothemulation.SimulatePreconnectedPeripheral, bluetoothemulation.SimulatePreconnectedPeripheralParams{
		Address: nearAddress, Name: "camd", ManufacturerData: []*bluetoothemulation.ManufacturerData{}, KnownServiceUUIDs: []string{ble.ServiceUUID}})
	s := call(n, bluetoothemulation.AddService, bluetoothemulation.AddServiceParams{Address: nearAddress, ServiceUUID: ble.ServiceUUID})
	for c, p := range map[ble.Characteristic]bluetoothemulation.CharacteristicProperties{
		ble.Info: {Read: true}, ble.RX: {Write: true}, ble.TX: {Read: true, Notify: true}, ble.Status: {Read: true, Notify: true},
	} {
		r := call(n, bluetoothemulation.AddCharacteristic, bluetoothemulation.AddCharacteristicParams{ServiceID: s.ServiceID, CharacteristicUUID: c.UUID(), Properties: &p})
		n.chars[r.CharacteristicID] = c
	}
	ctx, cancel := context.WithCancel(n.b.ctx)
	links := chromedp.BrowserEvents(ctx, bluetoothemulation.GattOperationReceived)
	operations := chromedp.BrowserEvents(ctx, bluetoothemulation.CharacteristicOperationReceived)
	prompts := chromedp.Events(ctx, deviceaccess.DeviceRequestPrompted)
	var work sync.WaitGroup
	n.t.Cleanup(func() { cancel(); work.Wait() })
	if _, err := chromedp.Call(n.b.ctx, deviceaccess.Enable, cdp.Empty{}); err != nil {
		n.t.Fatal(err)
	}
	work.Go(func() {
		for e, err := range links {
			if err != nil {
				return
			}
			n.link(e)
		}
	})
	work.Go(func() {
		for e, err := range operations {
			if err != nil {
				return
			}
			n.operation(e)
		}
	})
	work.Go(func() {
		for e, err := range prompts {
			if err != nil {
				return
			}
			n.prompt(e)
		}
	})
}

// prompt is the person before the browser's own window, which shows what it hears, and again
// when it hears more: so an answer may be the second.
func (n *near) prompt(e deviceaccess.EventDeviceRequestPrompted) {
	switch {
	case n.decline.Load():
		_, _ = chromedp.Call(n.b.ctx, deviceaccess.CancelPrompt, deviceaccess.CancelPromptParams{ID: e.ID})
	case len(e.Devices) > 0:
		_, _ = chromedp.Call(n.b.ctx, deviceaccess.SelectPrompt, deviceaccess.SelectPromptParams{ID: e.ID, DeviceID: e.Devices[0].ID})
	}
}

func (n *near) link(e bluetoothemulation.EventGattOperationReceived) {
	if e.Type == bluetoothemulation.GATTOperationTypeConnection {
		n.server.Connected(nearPeer)
	}
	_, _ = chromedp.CallBrowser(n.b.ctx, bluetoothemulation.SimulateGATTOperationResponse, bluetoothemulation.SimulateGATTOperationResponseParams{Address: e.Address, Type: e.Type})
}

// answer is the emulation's command with data that may be there and empty, as a value is
// when nothing has come yet.
type answer struct {
	Characteristic string                                         `json:"characteristicId"`
	Type           bluetoothemulation.CharacteristicOperationType `json:"type"`
	Code           int64                                          `json:"code"`
	Data           *[]byte                                        `json:"data,omitzero"`
}

var answers = cdp.Command[answer, cdp.Empty]{Method: bluetoothemulation.CommandSimulateCharacteristicOperationResponse}

func (n *near) operation(e bluetoothemulation.EventCharacteristicOperationReceived) {
	a := answer{Characteristic: e.CharacteristicID, Type: e.Type}
	c := n.chars[e.CharacteristicID]
	var err error
	if e.Type == bluetoothemulation.CharacteristicOperationTypeRead {
		var value []byte
		if value, err = n.read(c); err == nil {
			a.Data = &value
		}
	} else {
		err = n.write(c, e)
	}
	var code ble.ATTError
	if errors.As(err, &code) {
		a.Code = int64(code)
	} else if err != nil {
		a.Code = int64(cutOff)
	}
	if _, err := chromedp.CallBrowser(n.b.ctx, answers, a); err != nil && n.b.ctx.Err() == nil {
		n.t.Errorf("answer the page: %v", err)
	}
}

// read asks for a value by parts, as a phone's system does.
func (n *near) read(c ble.Characteristic) ([]byte, error) {
	n.mu.Lock()
	n.reads[c]++
	n.mu.Unlock()
	value := []byte{}
	for {
		part, err := n.server.Read(nearPeer, c, len(value), n.mtu)
		if err != nil {
			return nil, err
		}
		part = part[:min(len(part), n.mtu-1)]
		if value = append(value, part...); len(part) < n.mtu-1 {
			return value, nil
		}
	}
}

func (n *near) write(c ble.Characteristic, e bluetoothemulation.EventCharacteristicOperationReceived) error {
	if len(e.Data) > n.mtu-3 || e.WriteType != bluetoothemulation.CharacteristicWriteTypeWriteWithResponse {
		n.t.Errorf("the page wrote %d bytes by %s, at an MTU of %d", len(e.Data), e.WriteType, n.mtu)
	}
	n.mu.Lock()
	n.longest = max(n.longest, len(e.Data))
	n.mu.Unlock()
	return n.server.Write(nearPeer, c, 0, e.Data)
}

// wasRead waits until the page has read a characteristic so many times more.
func (n *near) wasRead(c ble.Characteristic, times int) {
	n.t.Helper()
	count := func() int {
		n.mu.Lock()
		defer n.mu.Unlock()
		return n.reads[c]
	}
	for want := count() + times; count() < want; {
		select {
		case <-n.b.ctx.Done():
			n.t.Fatalf("the page does not read characteristic %d", c)
		case <-time.After(50 * time.Millisecond):
		}
	}
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
		case <-n.b.ctx.Done():
			n.t.Fatal("the page's conversation does not end")
		case <-time.After(10 * time.Millisecond):
		}
	}
}
