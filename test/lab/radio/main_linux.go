// Command radio attaches the lab's controllers of Bluetooth, and is the smallest peer of its
// radios: it shows over D-Bus that they work, without anything of camd. It owns nothing.
//
//	radio attach SOCKET            makes a controller of one that btvirt emulates
//	radio await NAME               waits until a service is on the system bus
//	radio advertise ADAPTER UUID   offers a service with one characteristic of the same UUID
//	radio read ADAPTER UUID        finds that from another controller and reads it
//	radio join INTERFACE SSID KEY-MGMT PASSWORD   joins a network
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/godbus/dbus/v5"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Println("radio:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 2 && args[0] == "attach" {
		return attach(args[1])
	}
	bus, err := dbus.ConnectSystemBus()
	if err != nil {
		return err
	}
	defer bus.Close() //nolint:errcheck // nothing was written
	switch {
	case len(args) == 2 && args[0] == "await":
		return awaitName(bus, args[1])
	case len(args) == 3 && args[0] == "advertise":
		return advertise(bus, args[1], args[2])
	case len(args) == 3 && args[0] == "read":
		return read(bus, args[1], args[2])
	case len(args) == 5 && args[0] == "join":
		return join(bus, args[1], network{args[2], args[3], args[4]})
	}
	return errors.New("want attach, await, advertise, read or join")
}

// call calls a method of an object, with results.
func call(o dbus.BusObject, method string, args []any, results ...any) error {
	if err := o.Call(method, 0, args...).Store(results...); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	return nil
}

// follow gives the signals of a service.
func follow(bus *dbus.Conn, service string) (<-chan *dbus.Signal, error) {
	signals := make(chan *dbus.Signal, 1000)
	bus.Signal(signals)
	return signals, bus.AddMatchSignal(dbus.WithMatchSender(service))
}

// awaitName waits until somebody owns a name on the bus.
func awaitName(bus *dbus.Conn, name string) error {
	changes, err := follow(bus, "org.freedesktop.DBus")
	if err != nil {
		return err
	}
	for {
		var owned bool
		if err := call(bus.BusObject(), "org.freedesktop.DBus.NameHasOwner", []any{name}, &owned); err != nil || owned {
			return err
		}
		if _, ok := <-changes; !ok {
			return dbus.ErrClosed
		}
	}
}
