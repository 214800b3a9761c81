package bluetest

import (
	"fmt"
	"strings"

	"github.com/godbus/dbus/v5"
)

func (b *BlueZ) addAdapter(path dbus.ObjectPath) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.add(path, ifaces{
		adapterIface:                      {"Powered": dbus.MakeVariant(false), "Pairable": dbus.MakeVariant(true), "Alias": dbus.MakeVariant("annas-hall")},
		"org.bluez.GattManager1":          {},
		"org.bluez.LEAdvertisingManager1": {"SupportedInstances": dbus.MakeVariant(byte(5))},
	})
	b.exportAdapter(path)
}

// exportAdapter exports its methods. b.mu is held.
func (b *BlueZ) exportAdapter(path dbus.ObjectPath) {
	b.export(path, "org.bluez.GattManager1", map[string]any{
		"RegisterApplication": func(from dbus.Sender, root dbus.ObjectPath, _ props) *dbus.Error {
			return b.register("RegisterApplication", from, root, objectsIface+".GetManagedObjects", nil, func(r *Registered) { b.App = r })
		},
		"UnregisterApplication": func(dbus.ObjectPath) *dbus.Error { b.Do(func() { b.App = nil }); return nil },
	})
	b.export(path, "org.bluez.LEAdvertisingManager1", map[string]any{
		"RegisterAdvertisement": func(from dbus.Sender, at dbus.ObjectPath, _ props) *dbus.Error {
			return b.register("RegisterAdvertisement", from, at, propertiesIface+".GetAll", []any{advertIface}, func(r *Registered) { b.Advert = r; b.hear() })
		},
		"UnregisterAdvertisement": func(dbus.ObjectPath) *dbus.Error { b.Do(b.quiet); return nil },
	})
	none := func() *dbus.Error { return nil }
	b.export(path, adapterIface, map[string]any{
		"SetDiscoveryFilter": func(props) *dbus.Error { return nil },
		"StartDiscovery":     func() *dbus.Error { b.discover(); return nil },
		"StopDiscovery":      none,
		"RemoveDevice":       func(dbus.ObjectPath) *dbus.Error { return nil },
	})
}

// register reads what a program offers, as BlueZ does before it answers.
func (b *BlueZ) register(method string, from dbus.Sender, path dbus.ObjectPath, read string, args []any, keep func(*Registered)) *dbus.Error {
	b.mu.Lock()
	conn, refusal := b.conn, b.Refuse[method]
	b.mu.Unlock()
	if refusal != nil {
		return refusal
	}
	r := &Registered{Owner: string(from), Path: path, Objects: map[dbus.ObjectPath]ifaces{}}
	call := conn.Object(r.Owner, path).Call(read, 0, args...)
	var p props
	if args == nil {
		call.Err = call.Store(&r.Objects)
	} else if call.Err = call.Store(&p); call.Err == nil {
		r.Objects[path] = ifaces{advertIface: p}
	}
	if call.Err != nil {
		return failed("%v", call.Err)
	}
	b.Do(func() { keep(r) })
	return nil
}

// RemoveAdapter pulls an adapter out.
func (b *BlueZ) RemoveAdapter(path dbus.ObjectPath) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.remove(path)
	if path == Camera {
		b.App = nil
		b.quiet()
	}
	b.turn()
}

// AddAdapter plugs it in.
func (b *BlueZ) AddAdapter(path dbus.ObjectPath) { b.addAdapter(path) }

// Release ends the advertisement, as BlueZ does when the controller loses it.
func (b *BlueZ) Release() {
	b.mu.Lock()
	conn, r := b.conn, b.Advert
	b.quiet()
	b.turn()
	b.mu.Unlock()
	_ = conn.Object(r.Owner, r.Path).Call(advertIface+".Release", 0)
}

// Phone is a peer of the camera.
type Phone struct {
	b    *BlueZ
	path dbus.ObjectPath
}

// Phone connects one, by a name of hexadecimal digits.
func (b *BlueZ) Phone(name string) *Phone {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := &Phone{b, Camera + dbus.ObjectPath("/dev_"+name)}
	b.add(p.path, ifaces{deviceIface: {"Connected": dbus.MakeVariant(false), "Paired": dbus.MakeVariant(false)}})
	b.export(p.path, deviceIface, map[string]any{"Disconnect": func() *dbus.Error { p.Leave(); return nil }})
	b.setLocked(p.path, deviceIface, "Connected", true)
	return p
}

// Leave ends the link.
func (p *Phone) Leave() {
	p.b.mu.Lock()
	defer p.b.mu.Unlock()
	p.b.setLocked(p.path, deviceIface, "Connected", false)
	if camera := p.b.objects[found]; camera != nil && strings.HasSuffix(string(p.path), client) {
		p.b.setLocked(found, deviceIface, "Connected", false)
	}
}

// Connected reports whether the link is up.
func (p *Phone) Connected() bool {
	yes, _ := p.b.Get(p.path, deviceIface, "Connected").(bool)
	return yes
}

// Gone waits until the camera has ended the link.
func (p *Phone) Gone() {
	p.b.t.Helper()
	p.b.Wait("for the camera to hang up", func() bool {
		o := p.b.objects[p.path]
		return o == nil || o[deviceIface]["Connected"].Value() == false
	})
}

func (p *Phone) options(offset uint16) props {
	return props{"device": dbus.MakeVariant(p.path), "link": dbus.MakeVariant("LE"), "mtu": dbus.MakeVariant(p.b.MTU), "offset": dbus.MakeVariant(offset)}
}

// characteristic finds one that the camera has registered.
func (b *BlueZ) characteristic(uuid string) (*dbus.Conn, string, dbus.ObjectPath, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.App != nil {
		for path, i := range b.App.Objects {
			if i[charIface]["UUID"].Value() == uuid {
				return b.conn, b.App.Owner, path, nil
			}
		}
	}
	return nil, "", "", fmt.Errorf("there is no characteristic %s", uuid)
}

// Read reads a characteristic from an offset on.
func (p *Phone) Read(uuid string, offset uint16) (value []byte, err error) {
	conn, owner, path, err := p.b.characteristic(uuid)
	if err != nil {
		return nil, err
	}
	err = conn.Object(owner, path).Call(charIface+".ReadValue", 0, p.options(offset)).Store(&value)
	return value, err
}

// Write writes to a characteristic.
func (p *Phone) Write(uuid string, value []byte) error {
	if len(value) > 510 { // BlueZ 5.66 counts the handle, too
		return failed("Invalid Length")
	}
	conn, owner, path, err := p.b.characteristic(uuid)
	if err != nil {
		return err
	}
	return conn.Object(owner, path).Call(charIface+".WriteValue", 0, value, p.options(0)).Err
}
