package wifi

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
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
	strict   bool // lets in nobody that it does not know
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
	props    map[string]any // others of the interface

	addressed bool
	waiting   []chan struct{}
	failAdd   bool
	liar      *dbus.Conn
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

// how is the SSID in which it is, and by which way it came in.
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

// Scan looks for what is in the air.
func (f *fake) Scan(args map[string]dbus.Variant) *dbus.Error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if args["Type"].Value() != "active" {
		return errorf("InvalidArgs", "Type")
	}
	f.scans++
	for _, p := range f.air {
		if f.scans > 1 { // the first one misses it
			p.before = ""
		}
	}
	f.probed = nil
	l, _ := args["SSIDs"].Value().([][]byte)
	for _, ssid := range l {
		f.probed = append(f.probed, string(ssid))
	}
	if f.liar != nil { // before anything was heard
		_ = f.liar.Emit(cardPath, interfaze+".ScanDone", true)
	}
	f.emit(cardPath, interfaze+".ScanDone", true)
	return nil
}

// AddNetwork adds one that is not tried before it is enabled.
func (f *fake) AddNetwork(args map[string]dbus.Variant) (dbus.ObjectPath, *dbus.Error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failAdd {
		return "", errorf("InvalidArgs", "invalid message format")
	}
	n := &network{id: f.next, p: args, enabled: args["disabled"].Value() == int32(0)}
	f.next++
	f.nets = append(f.nets, n)
	return netPath(n.id), nil
}

func (f *fake) byPath(at dbus.ObjectPath) *network {
	i := slices.IndexFunc(f.nets, func(n *network) bool { return netPath(n.id) == at })
	if i < 0 {
		return nil
	}
	return f.nets[i]
}

// SelectNetwork enables one, disables the others and joins it.
func (f *fake) SelectNetwork(at dbus.ObjectPath) *dbus.Error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.byPath(at)
	if n == nil {
		return errorf("NetworkUnknown", string(at))
	}
	for _, o := range f.nets {
		o.enabled = o == n
	}
	n.benched, f.selected = false, true
	if f.current != n {
		f.leave()
	}
	f.settle()
	return nil
}

func (f *fake) leave() {
	if f.current != nil {
		f.current, f.in, f.addressed = nil, nil, false
		f.changed("", map[string]any{"DisconnectReason": int32(-3)})
		f.changed("disconnected", nil)
	}
}

// RemoveNetwork forgets one.
func (f *fake) RemoveNetwork(at dbus.ObjectPath) *dbus.Error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.byPath(at)
	if n == nil {
		return errorf("NetworkUnknown", string(at))
	}
	f.nets = slices.DeleteFunc(f.nets, func(o *network) bool { return o == n })
	if f.current == n {
		f.leave()
		f.selected = false
	}
	return nil
}

// Reassociate joins whatever is enabled.
func (f *fake) Reassociate() *dbus.Error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.selected = true
	f.leave()
	f.settle()
	return nil
}

// Get gives one property.
func (f *fake) Get(m dbus.Message, iface, name string) (dbus.Variant, *dbus.Error) {
	all, err := f.GetAll(m, iface)
	if err != nil {
		return dbus.Variant{}, err
	}
	v, ok := all[name]
	if !ok {
		return dbus.Variant{}, dbus.NewError("org.freedesktop.DBus.Error.InvalidArgs", []any{"no such property"})
	}
	return v, nil
}

// GetAll gives every property.
func (f *fake) GetAll(m dbus.Message, iface string) (map[string]dbus.Variant, *dbus.Error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at, _ := m.Headers[dbus.FieldPath].Value().(dbus.ObjectPath)
	switch iface {
	case service:
		l := []dbus.ObjectPath{}
		if _, err := os.Stat(filepath.Join(f.sys, fakeCard)); err == nil {
			l = append(l, cardPath)
		}
		return variants(map[string]any{"Interfaces": l}), nil
	case interfaze:
		return f.card(), nil
	case bssType:
		for i, p := range f.air {
			if bssPath(i) == at {
				return p.properties(f.probed), nil
			}
		}
	case networkOf:
		if n := f.byPath(at); n != nil {
			p := map[string]dbus.Variant{}
			for key := range n.p {
				if s := n.text(key); s != "" {
					p[key] = dbus.MakeVariant(`"` + s + `"`)
				}
			}
			return variants(map[string]any{"Enabled": n.enabled, "Properties": p}), nil
		}
	}
	return nil, dbus.NewError("org.freedesktop.DBus.Error.UnknownObject", []any{string(at)})
}

func (f *fake) card() map[string]dbus.Variant {
	p := map[string]any{"Ifname": fakeCard, "State": f.state, "CurrentNetwork": dbus.ObjectPath("/"), "CurrentBSS": dbus.ObjectPath("/")}
	nets, bsss := []dbus.ObjectPath{}, []dbus.ObjectPath{}
	for _, n := range f.nets {
		nets = append(nets, netPath(n.id))
	}
	for i := range f.air {
		bsss = append(bsss, bssPath(i))
	}
	p["Networks"], p["BSSs"] = nets, bsss
	if f.current != nil {
		p["CurrentNetwork"], p["CurrentBSS"] = netPath(f.current.id), bssPath(slices.Index(f.air, f.in))
	}
	for name, v := range f.props {
		p[name] = v
	}
	return variants(p)
}

// Set sets what camd may set.
func (f *fake) Set(m dbus.Message, iface, name string, v dbus.Variant) *dbus.Error {
	f.mu.Lock()
	defer f.mu.Unlock()
	at, _ := m.Headers[dbus.FieldPath].Value().(dbus.ObjectPath)
	switch n := f.byPath(at); {
	case iface == networkOf && name == "Enabled" && n != nil:
		n.enabled, _ = v.Value().(bool)
	case iface == interfaze && at == cardPath:
		f.props[name] = v.Value()
	default:
		return dbus.NewError("org.freedesktop.DBus.Error.InvalidArgs", []any{name})
	}
	return nil
}

// properties are what wpa_supplicant says of an access point.
func (p *point) properties(probed []string) map[string]dbus.Variant {
	ssid := []byte(p.ssid)
	if p.hidden && !slices.Contains(probed, p.ssid) {
		ssid = nil
	}
	if p.before != "" {
		m := bssProperties(ssid, p.before, p.signal, 2437)
		m["Age"] = dbus.MakeVariant(uint32(20))
		return m
	}
	return bssProperties(ssid, p.security, p.signal, 2437)
}

// bssProperties are those of an access point, as wpa_supplicant writes them.
func bssProperties(ssid []byte, s proto.Security, signal int16, frequency uint16) map[string]dbus.Variant {
	keys := map[proto.Security]string{proto.SecurityWPA2: "wpa-psk", proto.SecurityTransition: "wpa-psk sae", proto.SecurityWPA3: "sae", proto.SecurityOther: "wpa-eap"}[s]
	rsn, none := map[string]any{"KeyMgmt": []string{}, "Pairwise": []string{}, "Group": ""}, map[string]any{"KeyMgmt": []string{}, "Pairwise": []string{}, "Group": ""}
	if keys != "" {
		rsn = map[string]any{"KeyMgmt": strings.Fields(keys), "Pairwise": []string{"ccmp"}, "Group": "ccmp", "MgmtGroup": ""}
	}
	return variants(map[string]any{
		"SSID": ssid, "BSSID": []byte{2, 0, 0, 0, 0, 1}, "Privacy": s != proto.SecurityOpen, "Mode": "infrastructure", "Signal": signal,
		"Frequency": frequency, "Rates": []uint32{54000000}, "WPA": variants(none), "RSN": variants(rsn), "Age": uint32(1),
	})
}
