package wifi

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/camd-project/camd/pkg/proto"
)

// startBus starts a bus of the test's own and returns its address once it listens.
func startBus(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("dbus-daemon"); err != nil {
		t.Skip("this machine lacks dbus-daemon: scripts/setup.sh test installs it")
	}
	dir := t.TempDir()
	at, conf := filepath.Join(dir, "bus"), filepath.Join(dir, "bus.conf")
	text := `<busconfig><type>session</type><listen>unix:path=` + at + `</listen>
<policy context="default"><allow send_destination="*"/><allow own="*"/><allow eavesdrop="false"/></policy></busconfig>`
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("dbus-daemon", "--config-file="+conf, "--nofork", "--nopidfile")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		conn, err := net.Dial("unix", at)
		if err == nil {
			_ = conn.Close()
			return "unix:path=" + at
		}
		if time.Since(began) > time.Minute {
			t.Fatal(err)
		}
	}
}

// point is an access point.
type point struct {
	ssid     string
	security proto.Security
	password string
	hidden   bool
	mute     bool // gives no address
	strict   bool // lets in nobody that it does not know, and answers nobody who asks
	signal   int16
	before   proto.Security // what it was, as wpa_supplicant remembers until the next scan
}

// fake is a wpa_supplicant with one interface, and what is in the air around it. It does what
// the real one does at once, and tells of it in the same order.
type fake struct {
	t       *testing.T
	address string
	sys     string

	mu       sync.Mutex
	conn     *dbus.Conn // nil: it does not run
	air      []*point
	nets     []*network
	next     int
	state    string
	current  *network
	in       *point
	selected bool // it looks for networks
	probed   []string
	scans    int
	quietly  bool           // the last scan was a passive one
	asked    int            // for its networks, so often
	props    map[string]any // others of the interface

	addressed bool
	waiting   []chan struct{}
	failAdd   bool
	liar      *dbus.Conn

	failRemove bool // once
}

type network struct {
	id      int
	p       map[string]dbus.Variant
	enabled bool
	benched bool // wpa_supplicant has lost patience with it
}

func (n *network) text(key string) string { s, _ := n.p[key].Value().(string); return s }
func (n *network) ssid() string           { s, _ := n.p["ssid"].Value().([]byte); return string(s) }

const (
	fakeCard = "wlan0"
	cardPath = object + "/Interfaces/0"
)

func newFake(t *testing.T) *fake {
	f := &fake{t: t, address: startBus(t), sys: t.TempDir(), state: "inactive", props: map[string]any{}}
	f.plug()
	f.start()
	t.Cleanup(f.stop)
	return f
}

// plug makes the interface known to the kernel.
func (f *fake) plug() {
	if err := os.MkdirAll(filepath.Join(f.sys, fakeCard, "phy80211"), 0o755); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fake) unplug() {
	if err := os.RemoveAll(filepath.Join(f.sys, fakeCard)); err != nil {
		f.t.Fatal(err)
	}
}

// start starts wpa_supplicant, which knows no network of camd's.
func (f *fake) start() {
	conn, err := dbus.Connect(f.address)
	if err != nil {
		f.t.Fatal(err)
	}
	f.mu.Lock()
	f.conn, f.nets, f.state, f.current, f.in = conn, nil, "inactive", nil, nil
	f.mu.Unlock()
	for iface, methods := range map[string]map[string]string{
		properties: {"Get": "Get", "GetAll": "GetAll", "Set": "Set"},
		interfaze:  {"Scan": "Scan", "AddNetwork": "AddNetwork", "SelectNetwork": "SelectNetwork", "RemoveNetwork": "RemoveNetwork", "Reassociate": "Reassociate"},
	} {
		if err := conn.ExportSubtreeWithMap(f, methods, object, iface); err != nil {
			f.t.Fatal(err)
		}
	}
	if _, err := conn.RequestName(service, 0); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fake) stop() {
	f.mu.Lock()
	conn := f.conn
	f.conn, f.addressed = nil, false
	f.mu.Unlock()
	if conn != nil {
		_ = conn.Close()
	}
}

// restart is what systemd does when wpa_supplicant ends.
func (f *fake) restart() { f.stop(); f.start() }

// radio makes a camera's Wi-Fi on it.
func (f *fake) radio(r *Radio) *Radio {
	r.bus, r.sys = f.address, f.sys
	r.wait = patience{scan: time.Minute, scans: 2, join: time.Minute, address: 100 * time.Millisecond, settle: 0, look: 20 * time.Millisecond}
	r.listen = func(string) (arrivals, error) { return f.listen(), nil }
	r.addressed = func(string) bool { f.mu.Lock(); defer f.mu.Unlock(); return f.addressed }
	return r
}

type fakeArrivals chan struct{}

func (f *fake) listen() fakeArrivals {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := make(fakeArrivals, 8)
	f.waiting = append(f.waiting, c)
	return c
}

func (fakeArrivals) close() {}

func (c fakeArrivals) wait(ctx context.Context) error {
	select {
	case <-c: // it came in time, however busy the machine is
		return nil
	default:
	}
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// raise puts an access point into the air.
func (f *fake) raise(p point) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p.signal == 0 {
		p.signal = -50
	}
	f.air = append(f.air, &p)
	f.settle()
}

// lower takes every access point of a name out of the air.
func (f *fake) lower(ssid string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.air = slices.DeleteFunc(f.air, func(p *point) bool { return p.ssid == ssid })
	f.settle()
}

// how returns the SSID in which it is, and by which way it came in.
func (f *fake) how() (ssid, by string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.current == nil {
		return "", ""
	}
	by = map[string]string{"WPA-PSK": "WPA2-PSK"}[f.current.text("key_mgmt")]
	if by == "" {
		by = f.current.text("key_mgmt")
	}
	return f.in.ssid, by
}

// file adds a network as wpa_supplicant's own file would.
func (f *fake) file(p point) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.nets = append(f.nets, &network{id: f.next, enabled: true, p: variants(map[string]any{"ssid": []byte(p.ssid), "key_mgmt": "WPA-PSK", "psk": p.password})})
	f.next++
	f.selected = true
	f.settle()
}

// names lists the SSIDs that it would join.
func (f *fake) names() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := []string{}
	for _, n := range f.nets {
		if n.enabled {
			l = append(l, n.ssid())
		}
	}
	return l
}

// looks returns how often somebody has looked at its networks.
func (f *fake) looks() int { f.mu.Lock(); defer f.mu.Unlock(); return f.asked }

func (f *fake) emit(at dbus.ObjectPath, name string, args ...any) {
	if f.conn != nil {
		_ = f.conn.Emit(at, name, args...)
	}
}

// changed tells of properties, and of state with them.
func (f *fake) changed(state string, more map[string]any) {
	if more == nil {
		more = map[string]any{}
	}
	if state != "" {
		f.state, more["State"] = state, state
	}
	f.emit(cardPath, properties+".PropertiesChanged", interfaze, variants(more), []string{})
}

// settle does what is to be done with mu held: leave what is gone, get into what is there.
func (f *fake) settle() {
	if f.current != nil && (!slices.Contains(f.nets, f.current) || !slices.Contains(f.air, f.in)) {
		f.current, f.in, f.addressed = nil, nil, false
		f.changed("", map[string]any{"DisconnectReason": int32(-reasonInactivity)})
		f.changed("disconnected", nil)
	}
	if f.current != nil || !f.selected {
		return
	}
	f.changed("scanning", nil)
	l := slices.Clone(f.nets)
	slices.SortStableFunc(l, func(a, b *network) int { return int(prio(b) - prio(a)) })
	for _, n := range l {
		if n.enabled && !n.benched && f.try(n) {
			return
		}
	}
}

func prio(n *network) int32 { p, _ := n.p["priority"].Value().(int32); return p }

// try gets into a network, and tells how that goes as the real one does.
func (f *fake) try(n *network) bool {
	i := slices.IndexFunc(f.air, func(p *point) bool {
		return p.ssid == n.ssid() && (!p.hidden || n.p["scan_ssid"].Value() == int32(1)) && fits(n.text("key_mgmt"), p.security)
	})
	if i < 0 {
		return false
	}
	p := f.air[i]
	sae := n.text("key_mgmt") == "SAE"
	if sae && password(n) != p.password {
		for range wrongTimes { // it goes on by itself
			f.changed(stateAsking, nil)
			f.changed("", map[string]any{"AuthStatusCode": int32(0)})
			f.changed("disconnected", map[string]any{"AuthStatusCode": int32(1)})
		}
		return false
	}
	f.changed(stateAsking, nil)
	if p.strict {
		for range refusedTimes {
			f.changed("", map[string]any{"AuthStatusCode": int32(1)})
		}
		f.changed("disconnected", nil)
		return false
	}
	f.changed("associating", nil)
	if p.security != proto.SecurityOpen {
		f.changed(stateHandshake, nil)
		if !sae && password(n) != p.password {
			f.changed("", map[string]any{"DisconnectReason": int32(15)})
			f.changed("disconnected", nil)
			n.benched = true
			return false
		}
	}
	f.current, f.in = n, p
	f.changed(stateCompleted, map[string]any{"CurrentNetwork": netPath(n.id)})
	f.addressed = !p.mute
	for _, c := range f.waiting {
		if f.addressed {
			c <- struct{}{}
		}
	}
	f.waiting = nil
	return true
}

func password(n *network) string {
	for _, key := range []string{"psk", "sae_password"} {
		switch v := n.p[key].Value().(type) {
		case string:
			return v
		case []byte:
			return string(v)
		}
	}
	return ""
}

func fits(management string, s proto.Security) bool {
	switch management {
	case "NONE":
		return s == proto.SecurityOpen
	case "SAE":
		return s == proto.SecurityWPA3 || s == proto.SecurityTransition
	}
	return s == proto.SecurityWPA2 || s == proto.SecurityTransition
}

func netPath(id int) dbus.ObjectPath {
	return dbus.ObjectPath(fmt.Sprintf("%s/Networks/%d", cardPath, id))
}

func bssPath(i int) dbus.ObjectPath { return dbus.ObjectPath(fmt.Sprintf("%s/BSSs/%d", cardPath, i)) }

func errorf(name, text string) *dbus.Error {
	return dbus.NewError(service+"."+name, []any{text})
}
