package bluetest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/godbus/dbus/v5"
)

const (
	client = "C1_1E_07_00_00_01" // the client's address, as the camera sees it
	found  = Client + "/dev_CA_3E_2A_00_00_01"
)

// discover shows the client a camera that is advertised, now or later.
func (b *BlueZ) discover() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.listens = true
	b.hear()
}

// hear shows the client what it listens for. b.mu is held.
func (b *BlueZ) hear() {
	if !b.listens || b.Advert == nil || b.objects[found] != nil {
		return
	}
	b.add(found, ifaces{deviceIface: {
		"Adapter": dbus.MakeVariant(Client), "Connected": dbus.MakeVariant(false), "ServicesResolved": dbus.MakeVariant(false),
		"UUIDs": b.Advert.Objects[b.Advert.Path][advertIface]["ServiceUUIDs"], "RSSI": dbus.MakeVariant(int16(-50)),
	}})
	b.export(found, deviceIface, map[string]any{"Connect": b.connect, "Disconnect": b.disconnect})
}

// quiet ends the advertisement: the client hears the camera no more. b.mu is held.
func (b *BlueZ) quiet() {
	b.Advert = nil
	if d := b.objects[found]; d != nil && d[deviceIface]["Connected"].Value() == false {
		b.remove(found)
	}
}

func (b *BlueZ) connect() *dbus.Error {
	b.mu.Lock()
	app := b.App
	b.mu.Unlock()
	if app == nil {
		return failed("le-connection-abort-by-local")
	}
	phone := b.Phone(client)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.setLocked(found, deviceIface, "Connected", true)
	for path, i := range app.Objects {
		c := i[charIface]
		if c == nil {
			continue
		}
		uuid, _ := c["UUID"].Value().(string)
		at := found + "/service0c00/char" + dbus.ObjectPath(fmt.Sprintf("%04x", len(path)))
		for b.objects[at] != nil {
			at += "x"
		}
		b.add(at, ifaces{charIface: {"UUID": c["UUID"], "Handle": c["Handle"], "MTU": dbus.MakeVariant(b.MTU)}})
		b.export(at, charIface, map[string]any{
			"ReadValue": func(props) ([]byte, *dbus.Error) { return b.readAll(phone, uuid) },
			"WriteValue": func(value []byte, _ props) *dbus.Error {
				if err := phone.Write(uuid, value); err != nil {
					return failed("%v", err)
				}
				return nil
			},
		})
	}
	b.setLocked(found, deviceIface, "ServicesResolved", true)
	return nil
}

// readAll reads a value by as many packets as it takes, as BlueZ does for its clients.
func (b *BlueZ) readAll(p *Phone, uuid string) ([]byte, *dbus.Error) {
	b.Do(func() { b.Reads[uuid]++ })
	var all []byte
	for {
		if !p.Connected() {
			return nil, failed("Not connected")
		}
		part, err := p.Read(uuid, uint16(len(all)))
		if err != nil {
			return nil, failed("%v", err)
		}
		size := int(b.MTU) - 1
		if len(part) < size {
			return append(all, part...), nil
		}
		all = append(all, part[:size]...)
	}
}

func (b *BlueZ) disconnect() *dbus.Error {
	(&Phone{b, Camera + dbus.ObjectPath("/dev_"+client)}).Leave()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, path := range slices.Collect(maps.Keys(b.objects)) {
		if strings.HasPrefix(string(path), string(found)+"/") {
			b.remove(path)
		}
	}
	if b.objects[found] != nil {
		b.setLocked(found, deviceIface, "ServicesResolved", false)
	}
	return nil
}
