package ble

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/camd-project/camd/pkg/foreign"
)

// Names of BlueZ's D-Bus interfaces.
const (
	bluezName      = "org.bluez"
	adapterIface   = "org.bluez.Adapter1"
	deviceIface    = "org.bluez.Device1"
	gattIface      = "org.bluez.GattManager1"
	advertiseIface = "org.bluez.LEAdvertisingManager1"

	objectsIface    = "org.freedesktop.DBus.ObjectManager"
	propertiesIface = "org.freedesktop.DBus.Properties"
	busIface        = "org.freedesktop.DBus"
)

// callTime bounds each call to BlueZ. Registering uses the controller, which may be slow.
const callTime = 10 * time.Second

// errAbsent is the error for a machine that has no Bluetooth, or none yet.
var errAbsent = errors.New("there is no Bluetooth here")

// bluez is a connection to the system bus, and an adapter of BlueZ.
type bluez struct {
	conn    *dbus.Conn
	owner   string // BlueZ's unique name on the bus: nobody else can have it
	adapter dbus.ObjectPath
	signals chan *dbus.Signal
}

type objects = map[dbus.ObjectPath]map[string]map[string]dbus.Variant

// connect finds BlueZ and the adapter called name, or the first one if name is empty.
func connect(ctx context.Context, name string) (*bluez, error) {
	conn, err := dbus.ConnectSystemBus(dbus.WithSignalHandler(dbus.NewSequentialSignalHandler()), dbus.WithOutgoingInterceptor(keepOrder))
	if err != nil {
		return nil, fmt.Errorf("%w: the system bus can't be reached (%s)", errAbsent, foreign.Line(err.Error()))
	}
	b := &bluez{conn: conn, signals: make(chan *dbus.Signal, 16)}
	if err := b.find(ctx, name); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *bluez) close() { _ = b.conn.Close() } // what was registered ends with it

func (b *bluez) find(ctx context.Context, name string) error {
	b.conn.Signal(b.signals)
	for _, match := range [][]dbus.MatchOption{
		{dbus.WithMatchSender(busIface), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, bluezName)},
		{dbus.WithMatchSender(bluezName), dbus.WithMatchInterface(objectsIface)},
		{dbus.WithMatchSender(bluezName), dbus.WithMatchMember("PropertiesChanged")},
	} {
		if err := b.conn.AddMatchSignalContext(ctx, match...); err != nil {
			return fmt.Errorf("the system bus tells no signals: %s", foreign.Line(err.Error()))
		}
	}
	var all objects
	if err := b.call(ctx, bluezName, "/", objectsIface+".GetManagedObjects", nil, &all); err != nil {
		return err // the call itself starts BlueZ, where the bus can
	}
	if err := b.call(ctx, busIface, "/org/freedesktop/DBus", busIface+".GetNameOwner", []any{bluezName}, &b.owner); err != nil {
		return err
	}
	adapter, err := choose(all, name)
	b.adapter = adapter
	return err
}

// choose returns the adapter called name, such as hci0, or the first one that can advertise.
func choose(all objects, name string) (dbus.ObjectPath, error) {
	why := fmt.Errorf("%w: BlueZ has no adapter", errAbsent)
	if name != "" {
		why = fmt.Errorf("BlueZ has no adapter %s", foreign.Name(name))
	}
	for _, path := range slices.Sorted(maps.Keys(all)) {
		has := func(iface string) bool { return all[path][iface] != nil }
		short := string(path[strings.LastIndexByte(string(path), '/')+1:])
		switch {
		case !has(adapterIface), name != "" && name != short:
		case !has(gattIface), !has(advertiseIface):
			why = fmt.Errorf("the adapter %s can't be seen by phones: it knows no Bluetooth LE, or BlueZ was built without it", foreign.Name(short))
		default:
			return path, nil
		}
	}
	return "", why
}

// call calls a method and stores the result.
func (b *bluez) call(ctx context.Context, to string, path dbus.ObjectPath, method string, args []any, into ...any) error {
	within, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	c := b.conn.Object(to, path).CallWithContext(within, method, 0, args...)
	short := method[strings.LastIndexByte(method, '.')+1:]
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case within.Err() != nil:
		return fmt.Errorf("BlueZ does not answer %s within %d seconds: look at the unit bluetooth.service", short, callTime/time.Second)
	case c.Err != nil:
		return explain(c.Err)
	}
	if err := c.Store(into...); err != nil {
		return fmt.Errorf("BlueZ answered %s in a way that camd does not know: %s", short, foreign.Line(err.Error()))
	}
	return nil
}

// set sets a property of the adapter.
func (b *bluez) set(ctx context.Context, name string, value any) error {
	if err := b.call(ctx, b.owner, b.adapter, propertiesIface+".Set", []any{adapterIface, name, dbus.MakeVariant(value)}); err != nil {
		return fmt.Errorf("the adapter can't be made %s = %v: %w", name, value, err)
	}
	return nil
}

// is reports whether a property is true. It is false if it can't be read.
func (b *bluez) is(ctx context.Context, path dbus.ObjectPath, iface, name string) bool {
	var v dbus.Variant
	if err := b.call(ctx, b.owner, path, propertiesIface+".Get", []any{iface, name}, &v); err != nil {
		return false
	}
	yes, _ := v.Value().(bool)
	return yes
}

// device reports whether path is one of the adapter's devices.
func (b *bluez) device(path dbus.ObjectPath) bool {
	return strings.HasPrefix(string(path), string(b.adapter)+"/dev_")
}

// explain returns a sentence for a D-Bus error.
func explain(err error) error {
	var e dbus.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("BlueZ can't be reached: %s", foreign.Line(err.Error()))
	}
	switch {
	case strings.HasSuffix(e.Name, ".ServiceUnknown"), strings.HasSuffix(e.Name, ".NameHasNoOwner"), strings.HasPrefix(e.Name, "org.freedesktop.DBus.Error.Spawn"), strings.HasPrefix(e.Name, "org.freedesktop.systemd1."):
		return fmt.Errorf("%w: BlueZ does not run", errAbsent)
	case strings.HasSuffix(e.Name, ".AccessDenied"):
		return errors.New("camd may not call BlueZ: the D-Bus policy must let its user do so")
	case strings.HasSuffix(e.Name, ".Blocked"):
		return errors.New("the adapter is blocked: rfkill unblock bluetooth")
	}
	return fmt.Errorf("BlueZ says: %s (%s)", foreign.Line(e.Error()), foreign.Line(e.Name))
}
