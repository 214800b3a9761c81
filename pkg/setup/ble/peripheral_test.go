package ble_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/setup/ble"
	"github.com/camd-project/camd/pkg/setup/ble/bluetest"
	"github.com/camd-project/camd/pkg/setup/frame"
)

// window is a pairing window that a test opens and closes.
type window struct {
	mu     sync.Mutex
	is     bool
	turned chan struct{}
}

func (w *window) Open() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.is
}

func (w *window) Changed() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.turned
}

func (w *window) set(is bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.is = is
	close(w.turned)
	w.turned = make(chan struct{})
}

// rig is a camera's peripheral on a bus with a BlueZ that is not real.
type rig struct {
	*window
	t     *testing.T
	bluez *bluetest.BlueZ
	board *health.Board
	over  chan error // how each conversation ended
}

func newRig(t *testing.T, bluez *bluetest.BlueZ, adapter string) *rig {
	t.Helper()
	r := &rig{window: &window{turned: make(chan struct{})}, t: t, bluez: bluez, board: health.NewBoard(slog.New(slog.NewTextHandler(t.Output(), nil))), over: make(chan error, 10)}
	p, err := ble.New(adapter, r.board, r,
		func() ble.About { return ble.About{Device: "abcdefghijklmnopqrstuvwxyz"} }, r.join)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx, func() {}) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return r
}

// join answers one message by itself in capitals.
func (r *rig) join(_ context.Context, c ble.Conn) error {
	m, err := c.ReadMessage()
	if err == nil {
		err = c.WriteMessage(bytes.ToUpper(m))
	}
	r.over <- err
	return err
}

// says waits until the condition is this, its reason one that contains reason; empty: there is
// none.
func (r *rig) says(state health.State, reason string) {
	r.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		s := r.board.Snapshot()[0]
		if s.State == state && strings.Contains(s.Reason, reason) && (reason == "") == (s.Reason == "") {
			return
		}
		if time.Now().After(end) {
			r.t.Fatalf("the condition is %s, %q, and should be %s, %q", s.State, s.Reason, state, reason)
		}
	}
}

const (
	uuidInfo   = "995c0001-ab38-4df1-b73f-0bafa5ab99b9"
	uuidRX     = "995c0002-ab38-4df1-b73f-0bafa5ab99b9"
	uuidTX     = "995c0003-ab38-4df1-b73f-0bafa5ab99b9"
	uuidStatus = "995c0004-ab38-4df1-b73f-0bafa5ab99b9"
)

// hello has a conversation of one message each way.
func (r *rig) hello(p *bluetest.Phone) {
	r.t.Helper()
	if err := p.Write(uuidRX, []byte{frame.First | frame.Last, 'h', 'i'}); err != nil {
		r.t.Fatal(err)
	}
	for {
		b, err := p.Read(uuidTX, 0)
		if err != nil {
			r.t.Fatal(err)
		}
		if len(b) > 0 {
			if want := []byte{frame.First | frame.Last, 'H', 'I'}; !bytes.Equal(b, want) {
				r.t.Fatalf("%x, want %x", b, want)
			}
			break
		}
	}
	if err := <-r.over; err != nil {
		r.t.Error(err)
	}
}

func TestOnlyWhileTheWindowIsOpen(t *testing.T) {
	b := bluetest.New(t)
	r := newRig(t, b, ble.Auto)
	r.says(health.OK, "")
	for range 2 { // it opens again, with the same layout
		r.set(true)
		b.Advertised()
		r.says(health.OK, "Phones see this camera")
		r.hello(b.Phone("AA"))
		r.set(false)
		b.Quiet()
		r.says(health.OK, "")
		b.Becomes(bluetest.Camera, "org.bluez.Adapter1", "Powered", false)
	}
}

// advertised writes what BlueZ makes of an advertisement's properties, by the Core
// Specification's supplement, part A.
func advertised(t *testing.T, p map[string]dbus.Variant) (advertisement, scanResponse string) {
	t.Helper()
	uuids, _ := p["ServiceUUIDs"].Value().([]string)
	name, _ := p["LocalName"].Value().(string)
	if p["Discoverable"].Value() != true || p["Type"].Value() != "peripheral" || len(uuids) != 1 || len(p) != 6 {
		t.Errorf("advertised is %v", p)
	}
	uuid, err := hex.DecodeString(strings.ReplaceAll(uuids[0], "-", ""))
	if err != nil || len(uuid) != 16 {
		t.Fatal(uuids, err)
	}
	for i := range 8 { // little-endian
		uuid[i], uuid[15-i] = uuid[15-i], uuid[i]
	}
	a := append(append([]byte{17, 0x07}, uuid...), 2, 0x01, 0x06)
	s := append([]byte{byte(1 + len(name)), 0x09}, name...)
	if len(a) > 31 || len(s) > 31 {
		t.Errorf("%d bytes of advertisement, %d of scan response: 31 are sent", len(a), len(s))
	}
	return hex.EncodeToString(a), hex.EncodeToString(s)
}

// Golden: what everybody near hears of the camera, and what who connects reads.
func TestNothingNamesAHousehold(t *testing.T) {
	b := bluetest.New(t)
	r := newRig(t, b, "hci0")
	r.set(true)
	b.Advertised()
	var p map[string]dbus.Variant
	b.Do(func() { p = b.Advert.Objects[b.Advert.Path]["org.bluez.LEAdvertisement1"] })
	a, s := advertised(t, p)
	if a != "1107b999aba5af0b3fb7f14d38ab00005c99"+"020106" || s != "050963616d64" {
		t.Errorf("advertisement %s, scan response %s", a, s)
	}
	info, err := b.Phone("AA").Read(uuidInfo, 0)
	if want := `{"v":1,"device":"abcdefghijklmnopqrstuvwxyz","owned":false}`; string(info) != want || err != nil {
		t.Errorf("info is %s, %v", info, err)
	}
	// What else a phone can read is BlueZ's: the adapter's name is the host's, but for this.
	if got := b.Get(bluetest.Camera, "org.bluez.Adapter1", "Alias"); got != "camd" {
		t.Errorf("the adapter is called %v", got)
	}
	if b.Get(bluetest.Camera, "org.bluez.Adapter1", "Pairable") != false {
		t.Error("phones are asked to bond")
	}
}

// The handles that phones keep are those that BlueZ is told.
func TestHandlesAreFixed(t *testing.T) {
	b := bluetest.New(t)
	r := newRig(t, b, ble.Auto)
	r.set(true)
	b.Advertised()
	got := map[string]any{}
	b.Do(func() {
		for _, i := range b.App.Objects {
			for _, p := range i {
				if uuid, ok := p["UUID"].Value().(string); ok {
					got[uuid] = p["Handle"].Value()
				}
			}
		}
	})
	want := map[string]uint16{ble.ServiceUUID: 0x0c00, uuidInfo: 0x0c02, uuidRX: 0x0c04, uuidTX: 0x0c06, uuidStatus: 0x0c09}
	for uuid, handle := range want {
		if got[uuid] != handle {
			t.Errorf("%s has the handle %v, not %#x", uuid, got[uuid], handle)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%v", got)
	}
}

// What refuses is named, and never called on.
func TestWhatRefusesIsReported(t *testing.T) {
	failed := func(text string) *dbus.Error { return dbus.NewError("org.bluez.Error.Failed", []any{text}) }
	for method, c := range map[string]struct {
		err  *dbus.Error
		want string
	}{
		"RegisterAdvertisement": {failed("Failed to parse advertisement."), "does not advertise: BlueZ says: Failed to parse advertisement. (org.bluez.Error.Failed)"},
		"RegisterApplication":   {failed("Failed to create entry in database"), "does not take the service: BlueZ says: Failed to create entry in database"},
		"SetPowered":            {dbus.NewError("org.bluez.Error.Blocked", nil), "Powered = true: the adapter is blocked: rfkill unblock bluetooth"},
		"SetPairable":           {dbus.NewError("org.freedesktop.DBus.Error.AccessDenied", nil), "the D-Bus policy must let its user do so"},
	} {
		t.Run(method, func(t *testing.T) {
			b := bluetest.New(t)
			b.Do(func() { b.Refuse[method] = c.err })
			r := newRig(t, b, ble.Auto)
			r.set(true)
			r.says(health.Degraded, c.want)
			b.Do(func() { delete(b.Refuse, method) }) // a later try works
			r.says(health.OK, "Phones see")
			r.set(false)
			b.Quiet()
		})
	}
}

// A board without Bluetooth has nothing wrong, unless its configuration names an adapter.
// What is missing is said while the window is closed, too.
func TestWithoutBluetooth(t *testing.T) {
	for adapter, state := range map[string]health.State{ble.Auto: health.OK, "hci0": health.Degraded} {
		b := bluetest.NewStopped(t)
		bus := os.Getenv("DBUS_SYSTEM_BUS_ADDRESS")
		none := "unix:path=" + t.TempDir() + "/none"
		t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", none)
		r := newRig(t, b, adapter)
		r.says(state, "the system bus can't be reached")
		t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", bus)
		r.says(state, "there is no Bluetooth here: BlueZ does not run")
		b.Start()
		r.says(health.OK, "")
		b.Stop()
		r.set(true)
		r.says(state, "there is no Bluetooth here: BlueZ does not run")
		t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", none)
		r.says(state, "the system bus can't be reached")
	}
}

// Each of these ends in a camera that is seen again, or that the button opens again.
func TestWhatGoesWrongEnds(t *testing.T) {
	for name, c := range map[string]struct{ wrong, right func(b *bluetest.BlueZ) }{
		"BlueZ is restarted":         {(*bluetest.BlueZ).Stop, (*bluetest.BlueZ).Start},
		"the adapter is pulled out":  {func(b *bluetest.BlueZ) { b.RemoveAdapter(bluetest.Camera) }, func(b *bluetest.BlueZ) { b.AddAdapter(bluetest.Camera) }},
		"it is switched off":         {func(b *bluetest.BlueZ) { b.Set(bluetest.Camera, "Powered", false) }, func(*bluetest.BlueZ) {}},
		"it loses the advertisement": {func(b *bluetest.BlueZ) { b.Release() }, func(*bluetest.BlueZ) {}},
	} {
		t.Run(name, func(t *testing.T) {
			b := bluetest.New(t)
			r := newRig(t, b, "hci0")
			r.set(true)
			b.Advertised()
			p := b.Phone("AA")
			if err := p.Write(uuidRX, []byte{frame.First, 'h'}); err != nil {
				t.Fatal(err)
			}
			c.wrong(b)
			if err := <-r.over; err == nil {
				t.Error("the conversation came to a good end")
			}
			r.says(health.Degraded, "Phones don't see this camera")
			c.right(b)
			b.Advertised()
			r.hello(b.Phone("BB"))
		})
	}
}

// An adapter that comes up after the window was opened is used.
func TestAnAdapterThatAppearsLate(t *testing.T) {
	b := bluetest.New(t)
	b.RemoveAdapter(bluetest.Camera)
	b.RemoveAdapter(bluetest.Client)
	r := newRig(t, b, ble.Auto)
	r.set(true)
	r.says(health.OK, "BlueZ has no adapter")
	b.AddAdapter(bluetest.Camera)
	b.Advertised()
	r.hello(b.Phone("AA"))
}

func TestAPhoneThatLeaves(t *testing.T) {
	b := bluetest.New(t)
	r := newRig(t, b, ble.Auto)
	r.set(true)
	b.Advertised()
	p := b.Phone("AA")
	if err := p.Write(uuidRX, []byte{frame.First, 'h'}); err != nil {
		t.Fatal(err)
	}
	second := b.Phone("BB")
	if err := second.Write(uuidRX, []byte{frame.First | frame.Last, 'h', 'i'}); err == nil || !strings.Contains(err.Error(), "0x80") {
		t.Errorf("a second phone: %v", err)
	}
	p.Leave()
	if err := <-r.over; err == nil {
		t.Error("the conversation goes on without its phone")
	}
	r.hello(second)
	r.set(false) // who is still there is let go
	second.Gone()
	b.Quiet()
}

// Other programs on the bus are no phones.
func TestOnlyBlueZMayUseIt(t *testing.T) {
	b := bluetest.New(t)
	r := newRig(t, b, ble.Auto)
	r.set(true)
	b.Advertised()
	liar, err := dbus.ConnectSystemBus()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = liar.Close() })
	var owner string
	b.Do(func() { owner = b.App.Owner })
	phone := map[string]dbus.Variant{"device": dbus.MakeVariant(bluetest.Camera + "/dev_AA")}
	for method, args := range map[string][]any{
		"/org/camd/setup/service/rx org.bluez.GattCharacteristic1.WriteValue":  {[]byte{frame.First | frame.Last, 'h', 'i'}, phone},
		"/org/camd/setup/service/info org.bluez.GattCharacteristic1.ReadValue": {phone},
		"/org/camd/setup org.freedesktop.DBus.ObjectManager.GetManagedObjects": {},
		"/org/camd/advertisement org.bluez.LEAdvertisement1.Release":           {},
		"/org/camd/setup/service/info org.freedesktop.DBus.Properties.GetAll":  {"org.bluez.GattCharacteristic1"},
		"/org/camd/setup/service/tx org.bluez.GattCharacteristic1.StartNotify": {},
	} {
		path, name, _ := strings.Cut(method, " ")
		err := liar.Object(owner, dbus.ObjectPath(path)).Call(name, 0, args...).Err
		if err == nil || !strings.Contains(err.Error(), "for BlueZ alone") {
			t.Errorf("%s: %v", method, err)
		}
	}
	if len(r.over) != 0 {
		t.Error("a program on the bus had a conversation")
	}
}

func TestNamesOfAdapters(t *testing.T) {
	for name, ok := range map[string]bool{"auto": true, "off": true, "hci0": true, "hci12": true, "": false, "hci": false, "hci0/dev": false, "on": false, "hciX": false} {
		if err := ble.CheckName(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}
