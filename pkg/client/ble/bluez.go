package ble

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/camd-project/camd/pkg/foreign"
)

const (
	bluezName    = "org.bluez"
	adapterIface = "org.bluez.Adapter1"
	deviceIface  = "org.bluez.Device1"
	charIface    = "org.bluez.GattCharacteristic1"

	objectsIface    = "org.freedesktop.DBus.ObjectManager"
	propertiesIface = "org.freedesktop.DBus.Properties"

	minMTU = 23
)

// The UUIDs of docs/protocol.md 14.1.
const (
	uuidService = "995c0000-ab38-4df1-b73f-0bafa5ab99b9"
	uuidInfo    = "995c0001-ab38-4df1-b73f-0bafa5ab99b9"
	uuidRX      = "995c0002-ab38-4df1-b73f-0bafa5ab99b9"
	uuidTX      = "995c0003-ab38-4df1-b73f-0bafa5ab99b9"
	uuidStatus  = "995c0004-ab38-4df1-b73f-0bafa5ab99b9"

	version = 1
)

// Time limits.
const (
	connectTime = 30 * time.Second // for a link and its services
	callTime    = 30 * time.Second // for a characteristic: ATT's own limit
	pollPause   = 200 * time.Millisecond
)

const tries = 3 // to connect to a camera

type objects = map[dbus.ObjectPath]map[string]map[string]dbus.Variant

// bluez is a connection to BlueZ over the system bus, and the adapter that is used.
type bluez struct {
	conn    *dbus.Conn
	adapter dbus.ObjectPath
	signals chan *dbus.Signal
}

func connect(ctx context.Context, name string) (*bluez, error) {
	conn, err := dbus.ConnectSystemBus(dbus.WithSignalHandler(dbus.NewSequentialSignalHandler()))
	if err != nil {
		return nil, fmt.Errorf("the system bus can't be reached, and with it no Bluetooth: %s", foreign.Line(err.Error()))
	}
	b := &bluez{conn: conn, signals: make(chan *dbus.Signal, 16)}
	conn.Signal(b.signals)
	err = conn.AddMatchSignalContext(ctx, dbus.WithMatchSender(bluezName))
	if err == nil {
		b.adapter, err = b.choose(ctx, name)
	}
	if err != nil {
		b.close()
		return nil, said(err)
	}
	return b, nil
}

func (b *bluez) close() { _ = b.conn.Close() } // nothing is kept

func (b *bluez) call(ctx context.Context, path dbus.ObjectPath, method string, args []any, into ...any) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	return b.conn.Object(bluezName, path).CallWithContext(ctx, method, 0, args...).Store(into...)
}

func (b *bluez) all(ctx context.Context) (all objects, err error) {
	err = b.call(ctx, "/", objectsIface+".GetManagedObjects", nil, &all)
	return all, err
}

func (b *bluez) choose(ctx context.Context, name string) (dbus.ObjectPath, error) {
	all, err := b.all(ctx)
	if err != nil {
		return "", err
	}
	for _, path := range sortedKeys(all) {
		p, ok := all[path][adapterIface]
		if !ok || name != "" && !strings.HasSuffix(string(path), "/"+name) {
			continue
		}
		if p["Powered"].Value() != true {
			err = b.call(ctx, path, propertiesIface+".Set", []any{adapterIface, "Powered", dbus.MakeVariant(true)})
		}
		return path, err
	}
	if name != "" {
		return "", fmt.Errorf("this machine has no Bluetooth adapter %s", foreign.Name(name))
	}
	return "", errors.New("this machine has no Bluetooth adapter")
}

// next looks for a camera that was not tried yet, or not often enough. It stops scanning
// before it returns: some adapters can't scan and connect at the same time.
func (b *bluez) next(ctx context.Context, tried map[dbus.ObjectPath]int) (dbus.ObjectPath, error) {
	filter := map[string]dbus.Variant{"Transport": dbus.MakeVariant("le"), "UUIDs": dbus.MakeVariant([]string{uuidService})}
	if err := b.call(ctx, b.adapter, adapterIface+".SetDiscoveryFilter", []any{filter}); err != nil {
		return "", said(err)
	}
	if err := b.call(ctx, b.adapter, adapterIface+".StartDiscovery", nil); err != nil {
		return "", said(err)
	}
	defer func() { // it would end with us
		_ = b.call(context.WithoutCancel(ctx), b.adapter, adapterIface+".StopDiscovery", nil)
	}()
	for {
		all, err := b.all(ctx)
		if err != nil {
			return "", said(err)
		}
		for _, path := range sortedKeys(all) {
			p := all[path][deviceIface]
			uuids, _ := p["UUIDs"].Value().([]string)
			_, heard := p["RSSI"] // a device that BlueZ only remembers has none
			if heard && tried[path] < tries && strings.HasPrefix(string(path), string(b.adapter)+"/") && slices.Contains(uuids, uuidService) {
				return path, nil
			}
		}
		if err := b.wait(ctx); err != nil {
			return "", err
		}
	}
}

// wait waits for a signal of BlueZ.
func (b *bluez) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case _, ok := <-b.signals:
		if !ok {
			return errors.New("the system bus has hung up")
		}
	}
	for { // many signals come at once
		select {
		case _, ok := <-b.signals:
			if ok {
				continue
			}
		default:
		}
		return nil
	}
}

// link is a camera that is connected.
type link struct {
	bluez *bluez
	path  dbus.ObjectPath
	chars map[string]dbus.ObjectPath // by UUID
	mtu   int
	using sync.Mutex // held in each operation: some radios can do only one at a time
	left  sync.Once
}

func (b *bluez) connectTo(ctx context.Context, path dbus.ObjectPath) (*link, error) {
	l := &link{bluez: b, path: path, chars: map[string]dbus.ObjectPath{}, mtu: minMTU}
	if err := b.call(ctx, path, deviceIface+".Connect", nil); err != nil {
		return nil, said(err)
	}
	for {
		all, err := b.all(ctx)
		if err == nil && all[path][deviceIface]["ServicesResolved"].Value() == true {
			l.learn(all)
			if len(l.chars) < 4 {
				l.leave()
				return nil, errors.New("it has not the characteristics of a camera")
			}
			return l, nil
		}
		if err == nil {
			err = b.wait(ctx)
		}
		if err != nil {
			l.leave()
			return nil, said(err)
		}
	}
}

// learn reads where the characteristics are.
func (l *link) learn(all objects) {
	for path, i := range all {
		c, ok := i[charIface]
		uuid, _ := c["UUID"].Value().(string)
		if !ok || !strings.HasPrefix(string(path), string(l.path)+"/") || !slices.Contains([]string{uuidInfo, uuidRX, uuidTX, uuidStatus}, uuid) {
			continue
		}
		l.chars[uuid] = path
		if mtu, ok := c["MTU"].Value().(uint16); ok && int(mtu) > l.mtu { // older versions do not say
			l.mtu = int(mtu)
		}
	}
}

func (l *link) read(ctx context.Context, uuid string) (value []byte, err error) {
	l.using.Lock()
	defer l.using.Unlock()
	err = l.bluez.call(ctx, l.chars[uuid], charIface+".ReadValue", []any{map[string]dbus.Variant{}}, &value)
	return value, said(err)
}

func (l *link) write(ctx context.Context, uuid string, value []byte) error {
	l.using.Lock()
	defer l.using.Unlock()
	return said(l.bluez.call(ctx, l.chars[uuid], charIface+".WriteValue",
		[]any{value, map[string]dbus.Variant{"type": dbus.MakeVariant("request")}}))
}

// leave closes the link.
func (l *link) leave() {
	l.left.Do(func() { _ = l.bluez.call(context.Background(), l.path, deviceIface+".Disconnect", nil) }) // the camera may have ended it first
}

// sortedKeys returns the keys of m in order.
func sortedKeys[V any](m map[dbus.ObjectPath]V) []dbus.ObjectPath {
	return slices.Sorted(maps.Keys(m))
}

// said returns an error of BlueZ as a sentence for people.
func said(err error) error {
	var e dbus.Error
	if !errors.As(err, &e) {
		return err
	}
	switch {
	case strings.HasSuffix(e.Name, ".ServiceUnknown"), strings.HasSuffix(e.Name, ".NameHasNoOwner"), strings.HasPrefix(e.Name, "org.freedesktop.DBus.Error.Spawn"), strings.HasPrefix(e.Name, "org.freedesktop.systemd1."):
		return errors.New("BlueZ does not run: start the unit bluetooth.service, or apt-get install bluez")
	case strings.HasSuffix(e.Name, ".AccessDenied"):
		return errors.New("this user may not call BlueZ: become root or a member of the group bluetooth")
	case strings.HasSuffix(e.Name, ".NotReady"):
		return errors.New("the Bluetooth adapter is off: bluetoothctl power on")
	}
	return fmt.Errorf("BlueZ says: %s (%s)", foreign.Line(e.Error()), foreign.Line(e.Name))
}
