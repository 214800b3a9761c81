package ble

import (
	"fmt"

	"github.com/godbus/dbus/v5"
)

// What BlueZ gets.
const (
	rootPath   = dbus.ObjectPath("/org/camd/setup")
	servicePth = rootPath + "/service"
	advertPath = dbus.ObjectPath("/org/camd/advertisement")

	serviceIface = "org.bluez.GattService1"
	charIface    = "org.bluez.GattCharacteristic1"
	advertIface  = "org.bluez.LEAdvertisement1"

	// localName is the same for every camera, so that it names no owner.
	localName = "camd"
)

func (c Characteristic) path() dbus.ObjectPath {
	return servicePth + "/" + dbus.ObjectPath(layout[c].name)
}

// object is an entry in the answer of GetManagedObjects.
type object struct {
	Path       dbus.ObjectPath
	Interfaces map[string]map[string]dbus.Variant
}

// tree returns the service and its characteristics, in the order of their handles: while it
// reads, BlueZ puts the descriptors of those that notify into the first gap that it finds.
func tree() []object {
	l := []object{{servicePth, map[string]map[string]dbus.Variant{serviceIface: {
		"UUID": dbus.MakeVariant(ServiceUUID), "Primary": dbus.MakeVariant(true), "Handle": dbus.MakeVariant(uint16(serviceHandle)),
	}}}}
	for c, a := range layout {
		l = append(l, object{Characteristic(c).path(), map[string]map[string]dbus.Variant{charIface: {
			"UUID": dbus.MakeVariant(a.uuid), "Service": dbus.MakeVariant(servicePth),
			"Flags": dbus.MakeVariant(a.flags), "Handle": dbus.MakeVariant(a.handle),
		}}})
	}
	return l
}

// advert returns the advertisement for BlueZ: flags and UUID, 21 bytes of 31, and the name in
// the scan response. It is sent about eight times a second; the kernel's default is every 1.3
// seconds, and phones do not scan for long.
func advert() map[string]dbus.Variant {
	return map[string]dbus.Variant{
		"Type": dbus.MakeVariant("peripheral"), "ServiceUUIDs": dbus.MakeVariant([]string{ServiceUUID}),
		"LocalName": dbus.MakeVariant(localName), "Discoverable": dbus.MakeVariant(true),
		"MinInterval": dbus.MakeVariant(uint32(100)), "MaxInterval": dbus.MakeVariant(uint32(150)), // ms
	}
}

var (
	treeSignature = dbus.SignatureOf([]object{})
	dictSignature = dbus.SignatureOf(objects{})
)

// keepOrder sends an ordered list of objects as the dictionary that BlueZ expects, because a
// map in Go has no order. On the wire the two differ only in their signatures.
func keepOrder(m *dbus.Message) {
	if s, ok := m.Headers[dbus.FieldSignature].Value().(dbus.Signature); ok && m.Type == dbus.TypeMethodReply && s == treeSignature {
		m.Headers[dbus.FieldSignature] = dbus.MakeVariant(dictSignature)
	}
}

// application offers a Server to BlueZ, which alone may use it.
type application struct {
	bluez    *bluez
	server   *Server
	released chan struct{} // holds a value once BlueZ has ended the advertisement
}

func newApplication(b *bluez, s *Server) (*application, error) {
	a := &application{bluez: b, server: s, released: make(chan struct{}, 1)}
	type export struct {
		path    dbus.ObjectPath
		iface   string
		methods map[string]any
	}
	l := []export{
		{rootPath, objectsIface, map[string]any{"GetManagedObjects": func(from dbus.Sender) ([]object, *dbus.Error) { return tree(), a.only(from) }}},
		{advertPath, advertIface, map[string]any{"Release": a.release}},
		{advertPath, propertiesIface, a.properties(map[string]map[string]dbus.Variant{advertIface: advert()})},
	}
	for _, o := range tree() {
		l = append(l, export{o.Path, propertiesIface, a.properties(o.Interfaces)})
	}
	for c := range layout {
		l = append(l, export{Characteristic(c).path(), charIface, a.characteristic(Characteristic(c))})
	}
	for _, e := range l {
		if err := b.conn.ExportMethodTable(e.methods, e.path, e.iface); err != nil {
			return nil, fmt.Errorf("offer %s to BlueZ: %w", e.path, err)
		}
	}
	return a, nil
}

// only returns an error unless the sender is BlueZ.
func (a *application) only(sender dbus.Sender) *dbus.Error {
	if string(sender) == a.bluez.owner {
		return nil
	}
	return dbus.NewError("org.freedesktop.DBus.Error.AccessDenied", []any{"this is for BlueZ alone"})
}

func (a *application) release(from dbus.Sender) *dbus.Error {
	if err := a.only(from); err != nil {
		return err
	}
	select {
	case a.released <- struct{}{}:
	default: // it is known already
	}
	return nil
}

// properties returns the methods of an object whose properties never change.
func (a *application) properties(of map[string]map[string]dbus.Variant) map[string]any {
	return map[string]any{
		"GetAll": func(from dbus.Sender, iface string) (map[string]dbus.Variant, *dbus.Error) {
			return of[iface], a.only(from)
		},
		"Get": func(from dbus.Sender, iface, name string) (dbus.Variant, *dbus.Error) {
			v, ok := of[iface][name]
			if !ok {
				return v, dbus.NewError("org.freedesktop.DBus.Error.UnknownProperty", []any{"there is no such property"})
			}
			return v, a.only(from)
		},
	}
}

// characteristic returns the methods of a characteristic.
func (a *application) characteristic(c Characteristic) map[string]any {
	return map[string]any{
		"ReadValue": func(from dbus.Sender, options map[string]dbus.Variant) ([]byte, *dbus.Error) {
			if err := a.only(from); err != nil {
				return nil, err
			}
			o, err := a.options(options)
			if err != nil {
				return nil, err
			}
			b, failed := a.server.Read(o.peer, c, o.offset, o.mtu)
			return b, attError(failed)
		},
		"WriteValue": func(from dbus.Sender, value []byte, options map[string]dbus.Variant) *dbus.Error {
			if err := a.only(from); err != nil {
				return err
			}
			o, err := a.options(options)
			if err != nil {
				return err
			}
			return attError(a.server.Write(o.peer, c, o.offset, value))
		},
		// BlueZ knows who wants notifications.
		"StartNotify": a.only,
		"StopNotify":  a.only,
	}
}

// operation holds the options of an operation of BlueZ.
type operation struct {
	peer        Peer
	offset, mtu int
}

func (a *application) options(all map[string]dbus.Variant) (operation, *dbus.Error) {
	device, _ := all["device"].Value().(dbus.ObjectPath)
	offset, _ := all["offset"].Value().(uint16) // absent is 0
	mtu, _ := all["mtu"].Value().(uint16)       // absent is the smallest
	if !a.bluez.device(device) {
		return operation{}, dbus.NewError("org.bluez.Error.NotSupported", []any{"whose operation is this?"})
	}
	return operation{Peer(device), int(offset), int(mtu)}, nil
}

// attError returns the D-Bus error for an ATTError.
func attError(err error) *dbus.Error {
	code, ok := err.(ATTError) //nolint:errorlint // Server's errors are nothing else
	switch {
	case err == nil:
		return nil
	case !ok:
		return dbus.NewError("org.bluez.Error.Failed", []any{"0x80"})
	case code == InvalidOffset:
		return dbus.NewError("org.bluez.Error.InvalidOffset", nil)
	case code == ReadNotPermitted, code == WriteNotPermitted:
		return dbus.NewError("org.bluez.Error.NotPermitted", nil)
	}
	return dbus.NewError("org.bluez.Error.Failed", []any{fmt.Sprintf("%#x", byte(code))})
}

// news makes BlueZ notify those who want it. The notification has no value: peers read.
func (a *application) news(c Characteristic) {
	_ = a.bluez.conn.Emit(c.path(), propertiesIface+".PropertiesChanged", charIface,
		map[string]dbus.Variant{"Value": dbus.MakeVariant([]byte{})}, []string{}) // who polls finds out as well
}

// hangUp ends the link of a peer, without waiting for that.
func (a *application) hangUp(p Peer) {
	a.bluez.conn.Object(a.bluez.owner, dbus.ObjectPath(p)).Go(deviceIface+".Disconnect", dbus.FlagNoReplyExpected, nil)
}
