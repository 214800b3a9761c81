// Package bluetest is a BlueZ without a radio, for tests: what the real one can't be made to
// show, and whole pairings where there is no controller. It serves a bus of its own with two
// adapters, hci0 for a camera and hci1 for a client; what is advertised on the one is found
// from the other. test/lab has the real BlueZ do the same.
package bluetest

import (
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	objectsIface    = "org.freedesktop.DBus.ObjectManager"
	propertiesIface = "org.freedesktop.DBus.Properties"

	adapterIface = "org.bluez.Adapter1"
	deviceIface  = "org.bluez.Device1"
	charIface    = "org.bluez.GattCharacteristic1"
	advertIface  = "org.bluez.LEAdvertisement1"
)

// The adapters.
const (
	Camera = dbus.ObjectPath("/org/bluez/hci0")
	Client = dbus.ObjectPath("/org/bluez/hci1")
)

type (
	props  = map[string]dbus.Variant
	ifaces = map[string]props
)

// Registered is what a program has put before BlueZ.
type Registered struct {
	Owner   string
	Path    dbus.ObjectPath
	Objects map[dbus.ObjectPath]ifaces
}

// BlueZ is the daemon, over all its restarts.
type BlueZ struct {
	t testing.TB

	mu      sync.Mutex
	conn    *dbus.Conn // nil: it does not run
	objects map[dbus.ObjectPath]ifaces
	App     *Registered // nil: none; under Wait only
	Advert  *Registered
	Refuse  map[string]*dbus.Error // by method
	MTU     uint16
	Reads   map[string]int // of the client's, by UUID; under Wait only
	listens bool           // the client discovers
	turned  chan struct{}  // closed at the next change
}

// New starts a bus, which is the system bus for this test and its children, and BlueZ on it.
func New(t testing.TB) *BlueZ {
	b := NewStopped(t)
	b.Start()
	return b
}

// NewStopped starts the bus alone.
func NewStopped(t testing.TB) *BlueZ {
	t.Helper()
	if _, err := exec.LookPath("dbus-daemon"); err != nil {
		t.Skip("this machine lacks dbus-daemon: scripts/setup.sh test installs it")
	}
	setenv, ok := t.(interface{ Setenv(string, string) })
	if !ok {
		t.Fatal("a test's environment can't be set")
	}
	setenv.Setenv("DBUS_SYSTEM_BUS_ADDRESS", bus(t))
	b := &BlueZ{t: t, objects: map[dbus.ObjectPath]ifaces{}, Refuse: map[string]*dbus.Error{}, Reads: map[string]int{}, MTU: 23, turned: make(chan struct{})}
	t.Cleanup(b.Stop)
	b.addAdapter(Camera)
	b.addAdapter(Client)
	return b
}

func bus(t testing.TB) string {
	dir, err := os.MkdirTemp("", "bluez") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket, conf := filepath.Join(dir, "bus"), filepath.Join(dir, "bus.conf")
	text := `<busconfig><type>session</type><listen>unix:path=` + socket + `</listen>
<policy context="default"><allow send_destination="*"/><allow own="*"/><allow eavesdrop="false"/></policy></busconfig>`
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("dbus-daemon", "--config-file="+conf, "--nofork", "--nopidfile")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			_ = conn.Close()
			return "unix:path=" + socket
		}
		if time.Since(began) > time.Minute {
			t.Fatal(err)
		}
	}
}

// Start starts BlueZ, which knows nothing of a run before.
func (b *BlueZ) Start() {
	b.t.Helper()
	conn, err := dbus.ConnectSystemBus(dbus.WithSignalHandler(dbus.NewSequentialSignalHandler()))
	if err != nil {
		b.t.Fatal(err)
	}
	signals := make(chan *dbus.Signal, 16)
	conn.Signal(signals)
	if err := conn.AddMatchSignal(dbus.WithMatchSender("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged")); err != nil {
		b.t.Fatal(err)
	}
	go b.follow(signals)
	b.mu.Lock()
	b.conn = conn
	b.export("/", objectsIface, map[string]any{"GetManagedObjects": b.managed})
	for path := range b.objects {
		b.exportProperties(path)
		b.exportAdapter(path)
	}
	b.mu.Unlock()
	if r, err := conn.RequestName("org.bluez", 0); err != nil || r != dbus.RequestNameReplyPrimaryOwner {
		b.t.Fatal(r, err)
	}
}

// Stop ends BlueZ, and every link with it.
func (b *BlueZ) Stop() {
	b.mu.Lock()
	conn := b.conn
	b.conn, b.App, b.Advert = nil, nil, nil
	for path := range b.objects {
		if strings.Contains(string(path), "/dev_") {
			delete(b.objects, path)
		}
	}
	b.turn()
	b.mu.Unlock()
	if conn != nil {
		_ = conn.Close()
	}
}

// follow drops what belongs to a program that has left the bus.
func (b *BlueZ) follow(signals chan *dbus.Signal) {
	for s := range signals {
		if s.Name != "org.freedesktop.DBus.NameOwnerChanged" || s.Body[2] != "" {
			continue
		}
		b.mu.Lock()
		if b.App != nil && b.App.Owner == s.Body[0] {
			b.App = nil
		}
		if b.Advert != nil && b.Advert.Owner == s.Body[0] {
			b.quiet()
		}
		b.turn()
		b.mu.Unlock()
	}
}

// turn tells those who wait. b.mu is held.
func (b *BlueZ) turn() {
	close(b.turned)
	b.turned = make(chan struct{})
}

// Wait waits until what is true. It is called under BlueZ's lock.
func (b *BlueZ) Wait(what string, is func() bool) {
	b.t.Helper()
	end := time.After(20 * time.Second)
	for {
		b.mu.Lock()
		turned, yes := b.turned, is()
		b.mu.Unlock()
		if yes {
			return
		}
		select {
		case <-turned:
		case <-end:
			b.t.Fatalf("BlueZ waits in vain: %s", what)
		}
	}
}

// Advertised waits until the camera can be found.
func (b *BlueZ) Advertised() {
	b.t.Helper()
	b.Wait("for an advertisement", func() bool { return b.App != nil && b.Advert != nil })
}

// Quiet waits until nothing is advertised and no service is there.
func (b *BlueZ) Quiet() {
	b.t.Helper()
	b.Wait("for silence", func() bool { return b.App == nil && b.Advert == nil })
}

// Becomes waits until a property has a value.
func (b *BlueZ) Becomes(path dbus.ObjectPath, iface, name string, v any) {
	b.t.Helper()
	b.Wait(fmt.Sprintf("for %s = %v", name, v), func() bool { return b.objects[path][iface][name].Value() == v })
}

// Do changes something under the lock.
func (b *BlueZ) Do(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
	b.turn()
}

// export adds methods. b.mu is held.
func (b *BlueZ) export(path dbus.ObjectPath, iface string, methods map[string]any) {
	if b.conn == nil {
		return
	}
	if err := b.conn.ExportMethodTable(methods, path, iface); err != nil {
		b.t.Error(err)
	}
}

func (b *BlueZ) managed() (map[dbus.ObjectPath]ifaces, *dbus.Error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := map[dbus.ObjectPath]ifaces{}
	for path, i := range b.objects {
		all[path] = copied(i)
	}
	return all, nil
}

func copied(i ifaces) ifaces {
	c := ifaces{}
	for name, p := range i {
		c[name] = maps.Clone(p)
	}
	return c
}

// emit sends a signal. b.mu is held.
func (b *BlueZ) emit(path dbus.ObjectPath, name string, args ...any) {
	if b.conn != nil {
		_ = b.conn.Emit(path, name, args...)
	}
}

// add adds an object. b.mu is held.
func (b *BlueZ) add(path dbus.ObjectPath, i ifaces) {
	b.objects[path] = i
	b.exportProperties(path)
	b.emit("/", objectsIface+".InterfacesAdded", path, copied(i))
	b.turn()
}

// exportProperties exports an object's properties. b.mu is held.
func (b *BlueZ) exportProperties(path dbus.ObjectPath) {
	b.export(path, propertiesIface, map[string]any{
		"Get": func(iface, name string) (dbus.Variant, *dbus.Error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			v, ok := b.objects[path][iface][name]
			if !ok {
				return v, dbus.NewError("org.freedesktop.DBus.Error.UnknownProperty", nil)
			}
			return v, nil
		},
		"Set": func(iface, name string, v dbus.Variant) *dbus.Error {
			b.mu.Lock()
			defer b.mu.Unlock()
			if err := b.Refuse["Set"+name]; err != nil {
				return err
			}
			b.setLocked(path, iface, name, v.Value())
			return nil
		},
	})
}

// remove removes an object. b.mu is held.
func (b *BlueZ) remove(path dbus.ObjectPath) {
	var l []string
	for iface := range b.objects[path] {
		l = append(l, iface)
	}
	delete(b.objects, path)
	b.emit("/", objectsIface+".InterfacesRemoved", path, l)
	b.turn()
}

// setLocked changes a property and tells it. b.mu is held.
func (b *BlueZ) setLocked(path dbus.ObjectPath, iface, name string, v any) {
	if b.objects[path] == nil {
		return
	}
	b.objects[path][iface][name] = dbus.MakeVariant(v)
	b.emit(path, propertiesIface+".PropertiesChanged", iface, props{name: dbus.MakeVariant(v)}, []string{})
	b.turn()
}

// Get reads a property.
func (b *BlueZ) Get(path dbus.ObjectPath, iface, name string) any {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.objects[path][iface][name].Value()
}

// Set changes a property of an adapter, as BlueZ itself would.
func (b *BlueZ) Set(adapter dbus.ObjectPath, name string, v any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.setLocked(adapter, adapterIface, name, v)
}

func failed(text string, args ...any) *dbus.Error {
	return dbus.NewError("org.bluez.Error.Failed", []any{fmt.Sprintf(text, args...)})
}
