package main

import (
	"fmt"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/prop"
)

const (
	bluez      = "org.bluez"
	properties = "org.freedesktop.DBus.Properties."
	objects    = "org.freedesktop.DBus.ObjectManager"

	servicePath = "/lab/service"
	valuePath   = servicePath + "/value"
	advertPath  = "/lab/advert"
)

// Value is what the characteristic holds.
const Value = "a value over the air"

// tree is what an ObjectManager gives.
type tree map[dbus.ObjectPath]map[string]map[string]dbus.Variant

// application is a GATT service with one characteristic.
type application struct{ uuid string }

func (a application) GetManagedObjects() (tree, *dbus.Error) { //nolint:unparam // godbus wants it so
	return tree{
		servicePath: {"org.bluez.GattService1": {
			"UUID": dbus.MakeVariant(a.uuid), "Primary": dbus.MakeVariant(true),
		}},
		valuePath: {"org.bluez.GattCharacteristic1": {
			"UUID": dbus.MakeVariant(a.uuid), "Service": dbus.MakeVariant(dbus.ObjectPath(servicePath)),
			"Flags": dbus.MakeVariant([]string{"read"}),
		}},
	}, nil
}

type value struct{}

func (value) ReadValue(map[string]dbus.Variant) ([]byte, *dbus.Error) { //nolint:unparam // godbus wants it so
	return []byte(Value), nil
}

type advert struct{}

func (advert) Release() *dbus.Error { return nil }

// advertise offers the service until the process ends.
func advertise(bus *dbus.Conn, adapter, uuid string) error {
	for _, e := range []struct {
		object    any
		at        dbus.ObjectPath
		interfaze string
	}{{application{uuid}, "/lab", objects}, {value{}, valuePath, "org.bluez.GattCharacteristic1"}, {advert{}, advertPath, "org.bluez.LEAdvertisement1"}} {
		if err := bus.Export(e.object, e.at, e.interfaze); err != nil {
			return err
		}
	}
	if _, err := prop.Export(bus, advertPath, prop.Map{"org.bluez.LEAdvertisement1": {
		"Type": {Value: "peripheral"}, "ServiceUUIDs": {Value: []string{uuid}},
	}}); err != nil {
		return err
	}
	changes, err := follow(bus, bluez)
	if err != nil {
		return err
	}
	a, err := powered(bus, changes, adapter)
	if err != nil {
		return err
	}
	none := map[string]dbus.Variant{}
	if err := call(a, "org.bluez.GattManager1.RegisterApplication", []any{dbus.ObjectPath("/lab"), none}); err != nil {
		return err
	}
	if err := call(a, "org.bluez.LEAdvertisingManager1.RegisterAdvertisement", []any{dbus.ObjectPath(advertPath), none}); err != nil {
		return err
	}
	fmt.Println("advertised")
	select {}
}

// read waits for a device that advertises the service, connects, and reads the value.
func read(bus *dbus.Conn, adapter, uuid string) error {
	changes, err := follow(bus, bluez)
	if err != nil {
		return err
	}
	a, err := powered(bus, changes, adapter)
	if err != nil {
		return err
	}
	if err := call(a, "org.bluez.Adapter1.SetDiscoveryFilter", []any{map[string]dbus.Variant{"Transport": dbus.MakeVariant("le"), "UUIDs": dbus.MakeVariant([]string{uuid})}}); err != nil {
		return err
	}
	if err := call(a, "org.bluez.Adapter1.StartDiscovery", nil); err != nil {
		return err
	}
	device, err := await(bus, changes, func(path dbus.ObjectPath, has map[string]map[string]dbus.Variant) bool {
		_, ok := has["org.bluez.Device1"]["RSSI"] // seen in this discovery
		return ok && has["org.bluez.Device1"]["Adapter"].Value() == a.Path()
	})
	if err != nil {
		return err
	}
	fmt.Println("seen", device)
	if err := call(a, "org.bluez.Adapter1.StopDiscovery", nil); err != nil {
		return err
	}
	if err := call(bus.Object(bluez, device), "org.bluez.Device1.Connect", nil); err != nil {
		return err
	}
	characteristic, err := await(bus, changes, func(path dbus.ObjectPath, has map[string]map[string]dbus.Variant) bool {
		return has["org.bluez.GattCharacteristic1"]["UUID"].Value() == uuid
	})
	if err != nil {
		return err
	}
	var got []byte
	if err := call(bus.Object(bluez, characteristic), "org.bluez.GattCharacteristic1.ReadValue", []any{map[string]dbus.Variant{}}, &got); err != nil {
		return err
	}
	fmt.Printf("read %q\n", got)
	return call(bus.Object(bluez, device), "org.bluez.Device1.Disconnect", nil)
}

// powered waits until bluetoothd has found an adapter and switched it on.
func powered(bus *dbus.Conn, changes <-chan *dbus.Signal, adapter string) (dbus.BusObject, error) {
	at, err := await(bus, changes, func(path dbus.ObjectPath, has map[string]map[string]dbus.Variant) bool {
		return path == dbus.ObjectPath("/org/bluez/"+adapter) && has["org.bluez.Adapter1"]["Powered"].Value() == true
	})
	return bus.Object(bluez, at), err
}

// await looks at BlueZ's objects, again after each of its signals, until one is the right one.
func await(bus *dbus.Conn, changes <-chan *dbus.Signal, right func(dbus.ObjectPath, map[string]map[string]dbus.Variant) bool) (dbus.ObjectPath, error) {
	for {
		var all tree
		if err := call(bus.Object(bluez, "/"), objects+".GetManagedObjects", nil, &all); err != nil {
			return "", err
		}
		for path, has := range all {
			if right(path, has) {
				return path, nil
			}
		}
		if _, ok := <-changes; !ok {
			return "", dbus.ErrClosed
		}
	}
}
