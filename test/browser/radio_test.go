package browser

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/bluetoothemulation"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/deviceaccess"
	"github.com/chromedp/chromedp"

	"github.com/camd-project/camd/pkg/setup/ble"
	"github.com/camd-project/camd/test/chromium"
)

// gatt is a camera's GATT service, as a phone's system uses it.
type gatt interface {
	// connected tells that the page's link is up.
	connected()
	read(c ble.Characteristic, offset int) ([]byte, error)
	write(c ble.Characteristic, value []byte) error
}

// air is what Chromium's emulated radio hears: one camera, to which goes what the page reads
// and writes.
type air struct {
	t       *testing.T
	b       *chromium.Tab
	mtu     int
	camera  gatt
	chars   map[string]ble.Characteristic // by the emulation's identifier
	decline atomic.Bool                   // the person takes no camera

	mu      sync.Mutex
	reads   map[ble.Characteristic]int
	longest int // frame that the page wrote
}

const (
	onAir  = "CA:3E:2A:00:00:01"
	cutOff = ble.ATTError(0x0e) // "unlikely error": the link is down
)

// newAir puts a camera on the browser's air, over links of this MTU.
func newAir(t *testing.T, b *chromium.Tab, mtu int, camera gatt) *air {
	t.Helper()
	a := &air{t: t, b: b, mtu: mtu, camera: camera, chars: map[string]ble.Characteristic{}, reads: map[ble.Characteristic]int{}}
	a.advertise()
	a.serve()
	return a
}

// call calls the browser's emulation.
func call[P, R any](a *air, command cdp.Command[P, R], params P) R {
	a.t.Helper()
	r, err := chromedp.CallBrowser(a.b.Ctx, command, params)
	if err != nil {
		a.t.Fatalf("%s: %v", command.Method, err)
	}
	return r
}

// advertise has the browser find the camera and its characteristics.
func (a *air) advertise() {
	a.t.Helper()
	call(a, bluetoothemulation.Enable, bluetoothemulation.EnableParams{State: bluetoothemulation.CentralStatePoweredOn, LeSupported: true})
	a.t.Cleanup(func() { _, _ = chromedp.CallBrowser(a.b.Ctx, bluetoothemulation.Disable, cdp.Empty{}) }) // the browser may have ended
	call(a, bluetoothemulation.SimulatePreconnectedPeripheral, bluetoothemulation.SimulatePreconnectedPeripheralParams{
		Address: onAir, Name: "camd", ManufacturerData: []*bluetoothemulation.ManufacturerData{}, KnownServiceUUIDs: []string{ble.ServiceUUID}})
	s := call(a, bluetoothemulation.AddService, bluetoothemulation.AddServiceParams{Address: onAir, ServiceUUID: ble.ServiceUUID})
	for c, p := range map[ble.Characteristic]bluetoothemulation.CharacteristicProperties{
		ble.Info: {Read: true}, ble.RX: {Write: true}, ble.TX: {Read: true, Notify: true}, ble.Status: {Read: true, Notify: true},
	} {
		r := call(a, bluetoothemulation.AddCharacteristic, bluetoothemulation.AddCharacteristicParams{ServiceID: s.ServiceID, CharacteristicUUID: c.UUID(), Properties: &p})
		a.chars[r.CharacteristicID] = c
	}
}

// serve answers the browser until the test ends.
func (a *air) serve() {
	a.t.Helper()
	ctx, cancel := context.WithCancel(a.b.Ctx)
	links := chromedp.BrowserEvents(ctx, bluetoothemulation.GattOperationReceived)
	operations := chromedp.BrowserEvents(ctx, bluetoothemulation.CharacteristicOperationReceived)
	prompts := chromedp.Events(ctx, deviceaccess.DeviceRequestPrompted)
	var work sync.WaitGroup
	a.t.Cleanup(func() { cancel(); work.Wait() })
	if _, err := chromedp.Call(a.b.Ctx, deviceaccess.Enable, cdp.Empty{}); err != nil {
		a.t.Fatal(err)
	}
	work.Go(func() {
		for e, err := range links {
			if err != nil {
				return
			}
			a.link(e)
		}
	})
	work.Go(func() {
		for e, err := range operations {
			if err != nil {
				return
			}
			a.operation(e)
		}
	})
	work.Go(func() {
		for e, err := range prompts {
			if err != nil {
				return
			}
			a.prompt(e)
		}
	})
}

// prompt is the person before the browser's own window, which shows what it hears, and again
// when it hears more: so an answer may be the second.
func (a *air) prompt(e deviceaccess.EventDeviceRequestPrompted) {
	switch {
	case a.decline.Load():
		_, _ = chromedp.Call(a.b.Ctx, deviceaccess.CancelPrompt, deviceaccess.CancelPromptParams{ID: e.ID})
	case len(e.Devices) > 0:
		_, _ = chromedp.Call(a.b.Ctx, deviceaccess.SelectPrompt, deviceaccess.SelectPromptParams{ID: e.ID, DeviceID: e.Devices[0].ID})
	}
}

func (a *air) link(e bluetoothemulation.EventGattOperationReceived) {
	if e.Type == bluetoothemulation.GATTOperationTypeConnection {
		a.camera.connected()
	}
	_, _ = chromedp.CallBrowser(a.b.Ctx, bluetoothemulation.SimulateGATTOperationResponse, bluetoothemulation.SimulateGATTOperationResponseParams{Address: e.Address, Type: e.Type})
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

func (a *air) operation(e bluetoothemulation.EventCharacteristicOperationReceived) {
	reply := answer{Characteristic: e.CharacteristicID, Type: e.Type}
	c := a.chars[e.CharacteristicID]
	var err error
	if e.Type == bluetoothemulation.CharacteristicOperationTypeRead {
		var value []byte
		if value, err = a.readAll(c); err == nil {
			reply.Data = &value
		}
	} else {
		err = a.writeAll(c, e)
	}
	var code ble.ATTError
	if errors.As(err, &code) {
		reply.Code = int64(code)
	} else if err != nil {
		reply.Code = int64(cutOff)
	}
	if _, err := chromedp.CallBrowser(a.b.Ctx, answers, reply); err != nil && a.b.Ctx.Err() == nil {
		a.t.Errorf("answer the page: %v", err)
	}
}

// read asks for a value by parts, as a phone's system does.
func (a *air) readAll(c ble.Characteristic) ([]byte, error) {
	a.mu.Lock()
	a.reads[c]++
	a.mu.Unlock()
	value := []byte{}
	for {
		part, err := a.camera.read(c, len(value))
		if err != nil {
			return nil, err
		}
		part = part[:min(len(part), a.mtu-1)]
		if value = append(value, part...); len(part) < a.mtu-1 {
			return value, nil
		}
	}
}

func (a *air) writeAll(c ble.Characteristic, e bluetoothemulation.EventCharacteristicOperationReceived) error {
	if len(e.Data) > a.mtu-3 || e.WriteType != bluetoothemulation.CharacteristicWriteTypeWriteWithResponse {
		a.t.Errorf("the page wrote %d bytes by %s, at an MTU of %d", len(e.Data), e.WriteType, a.mtu)
	}
	a.mu.Lock()
	a.longest = max(a.longest, len(e.Data))
	a.mu.Unlock()
	return a.camera.write(c, e.Data)
}

// wasRead waits until the page has read a characteristic so many times more.
func (a *air) wasRead(c ble.Characteristic, times int) {
	a.t.Helper()
	count := func() int {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.reads[c]
	}
	for want := count() + times; count() < want; {
		select {
		case <-a.b.Ctx.Done():
			a.t.Fatalf("the page does not read characteristic %d", c)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
