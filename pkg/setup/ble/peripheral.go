package ble

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/camd-project/camd/pkg/health"
)

// Values of the configuration besides the name of an adapter.
const (
	Auto = "auto"
	Off  = "off"
)

// Window is the pairing window. Calling Changed before Open misses no change.
type Window interface {
	Open() bool
	Changed() <-chan struct{} // closed when the window next opens or closes
}

const seen = "Phones see this camera while pairing is open."

// Time limits.
const partingTime = 5 * time.Second // for peers to be gone and for the adapter, at the end

// How long until BlueZ is tried again. Tests have less.
var (
	againTime = 2 * time.Second // while the window is open
	lookTime  = time.Minute     // while it is closed
)

// Peripheral is a component that offers the service while the window is open.
type Peripheral struct {
	config    string
	adapter   string // that config names; empty: the first one
	condition *health.Condition
	window    Window
	about     func() About
	join      func(context.Context, Conn) error
}

// New returns a Peripheral for the adapter that the configuration names. Auto is the first
// one; then it is no fault if the machine has no Bluetooth.
func New(adapter string, board *health.Board, window Window, about func() About, join func(context.Context, Conn) error) (*Peripheral, error) {
	if err := CheckName(adapter); err != nil {
		return nil, err
	}
	return &Peripheral{config: adapter, adapter: strings.TrimPrefix(adapter, Auto),
		condition: board.Condition("bluetooth"), window: window, about: about, join: join}, nil
}

// CheckName returns an error unless the name is Auto, Off or that of an adapter.
func CheckName(adapter string) error {
	digits, ok := strings.CutPrefix(adapter, "hci")
	if adapter == Auto || adapter == Off || ok && digits != "" && strings.Trim(digits, "0123456789") == "" {
		return nil
	}
	return fmt.Errorf("ble = %.40q: it is %q, %q, or the name of an adapter such as \"hci0\"", adapter, Auto, Off)
}

func (p *Peripheral) String() string { return "bluetooth" }

// Run follows the window until ctx ends. While it is closed, Run looks now and then whether
// phones would see the camera, so that people learn of what is missing before they need it.
func (p *Peripheral) Run(ctx context.Context, ready func()) error {
	ready()
	look := func(ctx context.Context) error {
		_, err := Find(ctx, p.config)
		return err
	}
	for ctx.Err() == nil {
		if p.window.Open() {
			p.repeat(ctx, true, againTime, p.offer)
		} else {
			p.repeat(ctx, false, lookTime, look)
		}
	}
	return nil
}

// repeat calls do as long as the window is open, or as long as it is closed, since BlueZ and
// the adapter may come and go. It reports to health why do says that phones don't see the
// camera.
func (p *Peripheral) repeat(ctx context.Context, open bool, every time.Duration, do func(context.Context) error) {
	ctx, turned := context.WithCancel(ctx)
	var work sync.WaitGroup
	defer work.Wait()
	defer turned()
	work.Go(func() {
		defer turned()
		for {
			changed := p.window.Changed()
			if p.window.Open() != open {
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-changed:
			}
		}
	})
	for {
		err := do(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			p.condition.Set(health.OK, "")
		case Fault(p.config, err):
			p.condition.Set(health.Degraded, fmt.Sprintf("Phones don't see this camera: %v.", err))
		default:
			p.condition.Set(health.OK, fmt.Sprintf("Phones don't see this camera: %v.", err))
		}
		select {
		case <-ctx.Done():
		case <-time.After(every):
		}
	}
}

// Find returns the adapter that camd would use. It changes nothing.
func Find(ctx context.Context, adapter string) (string, error) {
	b, err := connect(ctx, strings.TrimPrefix(adapter, Auto))
	if err != nil {
		return "", err
	}
	defer b.close()
	return fmt.Sprintf("phones find this camera by %s, while pairing is open", b.adapter[strings.LastIndexByte(string(b.adapter), '/')+1:]), nil
}

// Fault reports whether an error of Find is a fault: a machine without Bluetooth is none
// unless the configuration names an adapter.
func Fault(adapter string, err error) bool { return adapter != Auto || !errors.Is(err, errAbsent) }

// offer offers the service once, and returns why it ended.
func (p *Peripheral) offer(ctx context.Context) error {
	b, err := connect(ctx, p.adapter)
	if err != nil {
		return err
	}
	defer b.close()
	restore, err := b.prepare(ctx)
	defer restore()
	if err != nil {
		return err
	}
	var a *application
	server := NewServer(p.about, Deps{Join: p.join,
		News: func(c Characteristic) { a.news(c) }, HangUp: func(peer Peer) { a.hangUp(peer) }})
	defer server.Close()
	if a, err = newApplication(b, server); err != nil {
		return err
	}
	if err := b.call(ctx, b.owner, b.adapter, gattIface+".RegisterApplication", []any{rootPath, map[string]dbus.Variant{}}); err != nil {
		return fmt.Errorf("BlueZ does not take the service: %w", err)
	}
	defer a.part()
	if err := b.call(ctx, b.owner, b.adapter, advertiseIface+".RegisterAdvertisement", []any{advertPath, map[string]dbus.Variant{}}); err != nil {
		return fmt.Errorf("the adapter or its driver does not advertise: %w", err)
	}
	p.condition.Set(health.OK, seen)
	return a.follow(ctx)
}

// prepare switches the adapter on, without bonding. The returned function switches it off if
// it was off before; it can always be called.
func (b *bluez) prepare(ctx context.Context) (restore func(), err error) {
	restore = func() {}
	if !b.is(ctx, b.adapter, adapterIface, "Powered") {
		if err := b.set(ctx, "Powered", true); err != nil {
			return restore, err
		}
		restore = func() {
			ctx, cancel := context.WithTimeout(context.Background(), partingTime)
			defer cancel()
			_ = b.set(ctx, "Powered", false) // it may be gone
		}
	}
	// The name can be read by whoever is connected, and is that of the host otherwise.
	return restore, errors.Join(b.set(ctx, "Pairable", false), b.set(ctx, "Alias", localName))
}

// part ends advertising and disconnects the peers. BlueZ gives a peer two seconds to get what
// it has just read.
func (a *application) part() {
	ctx, cancel := context.WithTimeout(context.Background(), partingTime)
	defer cancel()
	b := a.bluez
	peers := a.server.Peers()
	_ = b.call(ctx, b.owner, b.adapter, advertiseIface+".UnregisterAdvertisement", []any{advertPath}) // all ends with the connection, too
	a.server.Close()
	var work sync.WaitGroup
	for _, p := range peers {
		work.Go(func() { _ = b.call(ctx, b.owner, dbus.ObjectPath(p), deviceIface+".Disconnect", nil) })
	}
	work.Wait()
	_ = b.call(ctx, b.owner, b.adapter, gattIface+".UnregisterApplication", []any{rootPath})
}

// follow passes links that come up and go down to the server, and returns when the service
// is no longer offered.
func (a *application) follow(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-a.released:
			return errors.New("BlueZ has ended the advertisement")
		case s, ok := <-a.bluez.signals:
			if !ok {
				return errors.New("the system bus has hung up")
			}
			if err := a.heard(ctx, s); err != nil {
				return err
			}
		}
	}
}

// heard handles a signal. An error ends the service.
func (a *application) heard(ctx context.Context, s *dbus.Signal) error {
	b := a.bluez
	var iface string
	var path dbus.ObjectPath
	changed := map[string]dbus.Variant{}
	switch {
	case s.Sender == busIface && s.Name == busIface+".NameOwnerChanged":
		var name, was, is string
		if err := dbus.Store(s.Body, &name, &was, &is); err == nil && is != b.owner {
			return errors.New("BlueZ has ended")
		}
		return nil
	case s.Sender != b.owner:
		return nil // whoever that is
	case s.Name == propertiesIface+".PropertiesChanged":
		var gone []string
		if dbus.Store(s.Body, &iface, &changed, &gone) != nil {
			return nil //nolint:nilerr // nothing that we know
		}
		path = s.Path
	case s.Name == objectsIface+".InterfacesAdded":
		var all map[string]map[string]dbus.Variant
		if dbus.Store(s.Body, &path, &all) != nil {
			return nil //nolint:nilerr // nothing that we know
		}
		iface, changed = deviceIface, all[deviceIface]
		if changed["Connected"].Value() == false {
			return nil // it is about to connect
		}
	case s.Name == objectsIface+".InterfacesRemoved":
		var all []string
		if dbus.Store(s.Body, &path, &all) != nil {
			return nil //nolint:nilerr // nothing that we know
		}
		if path == b.adapter {
			return errors.New("the adapter has gone away")
		}
		changed = map[string]dbus.Variant{"Connected": dbus.MakeVariant(false)}
		iface = deviceIface
	}
	return a.changed(ctx, path, iface, changed)
}

func (a *application) changed(ctx context.Context, path dbus.ObjectPath, iface string, changed map[string]dbus.Variant) error {
	b := a.bluez
	if powered, ok := changed["Powered"].Value().(bool); ok && path == b.adapter && iface == adapterIface && !powered {
		return errors.New("the adapter was switched off")
	}
	connected, ok := changed["Connected"].Value().(bool)
	if !ok || iface != deviceIface || !b.device(path) {
		return nil
	}
	switch {
	case !connected && !b.is(ctx, path, deviceIface, "Connected"): // unless it is back already
		a.server.Gone(Peer(path))
	case !connected:
	case !b.is(ctx, path, deviceIface, "Paired"): // what is bonded with this machine is no visitor
		a.server.Connected(Peer(path))
	}
	return nil
}
